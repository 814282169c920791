"""Whether a server answers: each probe speaks the server's own protocol and raises NotReadyError."""

import http.client
import socket
from collections.abc import Callable

import psycopg
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from infra.embedded.ports import HOST
from riskee.errors import RetryableError

Probe = Callable[[], None]
TIMEOUT_SECONDS = 2.0


class NotReadyError(RetryableError):
    """The server does not answer (yet)."""


def postgres(url: str) -> Probe:
    """Log in and run a statement."""

    def probe() -> None:
        try:
            with psycopg.connect(url, connect_timeout=int(TIMEOUT_SECONDS)) as connection:
                connection.execute("SELECT 1")
        except psycopg.OperationalError as error:
            raise NotReadyError(str(error).strip()) from error

    return probe


def valkey(url: str) -> Probe:
    """Authenticate and PING; a server that still loads its file is not ready."""

    def probe() -> None:
        try:
            with redis.Redis.from_url(url, socket_timeout=TIMEOUT_SECONDS, retry=Retry(NoBackoff(), 0)) as client:
                client.ping()
        except redis.RedisError as error:
            raise NotReadyError(str(error)) from error

    return probe


def nats(port: int, monitor_port: int, user: str, password: str) -> Probe:
    """Log in and PING, then ask the monitor whether JetStream is up."""
    connect = f'CONNECT {{"verbose":false,"pedantic":false,"user":"{user}","pass":"{password}"}}\r\nPING\r\n'

    def probe() -> None:
        try:
            with (
                socket.create_connection((HOST, port), timeout=TIMEOUT_SECONDS) as client,
                client.makefile("rb") as lines,
            ):
                lines.readline()
                client.sendall(connect.encode())
                answer = lines.readline().decode().strip()
        except OSError as error:
            raise NotReadyError(str(error)) from error
        if answer != "PONG":
            raise NotReadyError(answer or "connection closed")
        http_get(monitor_port, "/healthz")()

    return probe


def http_get(port: int, path: str, host: str = HOST) -> Probe:
    """GET a page; any status but 200 is not ready."""

    def probe() -> None:
        connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_SECONDS)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read(300).decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            raise NotReadyError(str(error)) from error
        finally:
            connection.close()
        if answer.status != http.HTTPStatus.OK:
            raise NotReadyError(f"GET {path} answers {answer.status}: {body}")

    return probe


def dagster_code_server(port: int) -> Probe:
    """Ask gRPC's standard health service."""

    def probe() -> None:
        import grpc  # heavy, and needed for this one server
        from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
        from grpc_health.v1.health_pb2_grpc import HealthStub

        with grpc.insecure_channel(f"{HOST}:{port}") as channel:
            try:
                answer = HealthStub(channel).Check(HealthCheckRequest(service="DagsterApi"), timeout=TIMEOUT_SECONDS)
            except grpc.RpcError as error:
                raise NotReadyError(str(error.code())) from error
        if answer.status != HealthCheckResponse.SERVING:
            raise NotReadyError("not serving")

    return probe


def running() -> None:
    """For a process without a port: that it runs is all that can be asked."""
