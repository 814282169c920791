"""Calls to supervisord: what an error tells."""

import xmlrpc.client
from types import SimpleNamespace

import pytest

from infra.embedded.supervisor import Supervisor, SupervisorDownError


def test_a_refusal_does_not_tell_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    refusal = SimpleNamespace(status=401, reason="Unauthorized", getheader=lambda *_: "", getheaders=list)
    connection = SimpleNamespace(getresponse=lambda: refusal)
    monkeypatch.setattr(xmlrpc.client.Transport, "send_request", lambda *_: connection)
    with pytest.raises(SupervisorDownError, match="401 Unauthorized") as refused:
        Supervisor(9001, "a-secret").children()
    assert "a-secret" not in str(refused.value)
