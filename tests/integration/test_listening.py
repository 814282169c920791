"""Where the API listens."""

import socket
import threading

import pytest

from infra.embedded.readiness import http_get
from riskee.access.exposure import reached_at
from riskee.errors import FatalError
from riskee.settings import ApiSettings
from serving.api.__main__ import _listen
from tests.integration.live_processes import free_port

pytestmark = pytest.mark.integration


def _has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not _has_ipv6(), reason="this machine has no IPv6")


@pytest.mark.parametrize(
    ("host", "reached"),
    [
        ("127.0.0.1", ["127.0.0.1"]),
        ("localhost", ["127.0.0.1"]),
        ("0.0.0.0", ["127.0.0.1"]),
        pytest.param("::1", ["::1"], marks=needs_ipv6),
        pytest.param("[::1]", ["::1"], marks=needs_ipv6),
        pytest.param("::", ["::1", "127.0.0.1"], marks=needs_ipv6),
    ],
)
def test_it_listens_on_every_kind_of_address(host: str, reached: list[str]) -> None:
    port = free_port()
    with _listen(ApiSettings(host=host, port=port)):
        for address in [*reached, reached_at(host)]:
            socket.create_connection((address, port), timeout=30).close()


@pytest.mark.parametrize("host", ["203.0.113.1", "2001:db8::1"])
def test_an_address_of_another_machine_is_refused_with_its_name(host: str) -> None:
    with pytest.raises(FatalError, match=f"of {host} cannot be used") as refused:
        _listen(ApiSettings(host=host, port=free_port()))
    assert "RISKEE_API__HOST" in refused.value.remedy


@needs_ipv6
def test_the_stack_asks_an_api_of_ipv6_whether_it_is_ready() -> None:
    with _listen(ApiSettings(host="::1", port=free_port())) as listener:
        port = listener.getsockname()[1]
        listener.settimeout(60)

        def answer() -> None:
            client, _ = listener.accept()
            with client:
                client.recv(1000)
                client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

        thread = threading.Thread(target=answer)
        thread.start()
        http_get(port, "/health/ready", reached_at("[::1]"))()
        thread.join()
