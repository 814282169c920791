"""`riskee documents` on the real servers."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from riskee.cli import documents as commands
from riskee.settings import Settings
from riskee.storage.vectors import Vectors
from tests.conftest import REPOSITORY
from tests.integration.made_texts import news, write

pytestmark = pytest.mark.integration


@pytest.fixture
def run(database_settings: Settings, vectors: Vectors, monkeypatch: pytest.MonkeyPatch) -> Any:
    own = database_settings.model_copy(
        update={
            "home": REPOSITORY / ".riskee",  # the model
            "vectors": database_settings.vectors.model_copy(update={"url": vectors._url}),
        }
    )
    monkeypatch.setattr(commands, "read_settings", lambda: own)

    def call_command(*arguments: str) -> Any:
        result = CliRunner().invoke(commands.app, arguments, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result

    return call_command


def test_import_embeds_and_show_counts(run: Any, vectors: Vectors, tmp_path: Path) -> None:
    file = write(tmp_path / "mine.jsonl", [news(1), news(2), "{"])
    said = run("import", str(file), "--as", "news").output
    assert "mine: 3 lines read, 2 texts, 0 copies left out" in said
    assert "line 3: the line is not JSON" in said
    assert vectors.count("market_news") == 2
    shown = json.loads(run("show", "--json").stdout)
    assert shown["documents"] == [{"collection": "market_news", "source": "mine", "documents": 2}]
    assert shown["vectors"]["market_news"] == 2
    assert json.loads(run("embed", "--json").stdout)["market_news"]["unchanged"] == 2


def test_without_vectors_and_under_a_name(run: Any, vectors: Vectors, tmp_path: Path) -> None:
    file = write(tmp_path / "a.jsonl", [news(1)])
    done = json.loads(run("import", str(file), "--as", "news", "--source", "b", "--no-embed", "--json").stdout)
    assert (done["source"], done["texts"], done["indexed"]) == ("b", 1, {})
    assert not vectors.exists("market_news")
