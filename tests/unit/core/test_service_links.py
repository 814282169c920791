"""What Kubernetes tells of its Services is no setting; a slip of a setting stays one."""

from pathlib import Path

import pytest

from riskee.errors import FatalError
from riskee.settings import load_settings

# As the kubelet gives them for a Service with two ports, of which one has a name with a dash.
TOLD = {
    "RISKEE_DB_RW_SERVICE_HOST": "10.96.12.7",
    "RISKEE_DB_RW_SERVICE_PORT": "5432",
    "RISKEE_DB_RW_SERVICE_PORT_POSTGRES": "5432",
    "RISKEE_DB_RW_SERVICE_PORT_METRICS_HTTP": "9187",
    "RISKEE_DB_RW_PORT": "tcp://10.96.12.7:5432",
    "RISKEE_DB_RW_PORT_5432_TCP": "tcp://10.96.12.7:5432",
    "RISKEE_DB_RW_PORT_5432_TCP_PROTO": "tcp",
    "RISKEE_DB_RW_PORT_5432_TCP_PORT": "5432",
    "RISKEE_DB_RW_PORT_5432_TCP_ADDR": "10.96.12.7",
    "RISKEE_DB_RW_PORT_53_UDP": "udp://[fd00::7]:53",
    # The service of Dagster's code location.
    "RISKEE_SERVICE_HOST": "10.96.12.8",
    "RISKEE_SERVICE_PORT": "4000",
    "RISKEE_PORT": "tcp://10.96.12.8:4000",
    "RISKEE_PORT_4000_TCP_ADDR": "10.96.12.8",
}


@pytest.fixture(autouse=True)
def kubernetes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RISKEE_HOME", str(tmp_path))
    monkeypatch.setenv("RISKEE_PROFILE", "kubernetes")


def test_what_kubernetes_tells_of_services_is_let_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    before = load_settings()
    for name, value in TOLD.items():
        monkeypatch.setenv(name, value)
    assert load_settings() == before


@pytest.mark.parametrize("name", TOLD)
@pytest.mark.parametrize("profile", ["embedded", "compose"])
def test_elsewhere_nobody_tells_of_services(name: str, profile: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RISKEE_PROFILE", profile)
    monkeypatch.setenv(name, TOLD[name])
    with pytest.raises(FatalError, match=f"unknown setting {name},? "):
        load_settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RISKEE_API__PROT", "8000"),
        ("RISKEE_API_PORT", "8000"),
        ("RISKEE_API__SERVICE_PORT", "8000"),
        ("RISKEE_NATS__PORT", "tcp://10.96.12.8:4222"),
        ("RISKEE_METRICS_PREDICT_PORT", "9102"),
        ("RISKEE_METRICS__PREDICTS_PORT", "9102"),
        ("RISKEE_DATABASE_URL", "postgresql+psycopg://riskee_api@riskee-db-rw:5432/riskee"),
        ("RISKEE_SERVICE_HOSTS", "10.96.12.8"),
        ("RISKEE_PORT_4000", "tcp://10.96.12.8:4000"),
        ("RISKEE_NATS__PORT_TCP", "tcp://10.96.12.8:4222"),
    ],
)
def test_a_slip_of_a_setting_is_refused_beside_them(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for told, of in TOLD.items():
        monkeypatch.setenv(told, of)
    monkeypatch.setenv(name, value)
    with pytest.raises(FatalError, match=f"unknown setting {name} "):
        load_settings()


def test_a_setting_whose_name_ends_like_theirs_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RISKEE_API__PORT", "8002")
    assert load_settings().api.port == 8002
