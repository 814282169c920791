"""The API's server, configured in one place: for the process, and for tests that run it in their own."""

import uvicorn
from starlette.types import ASGIApp

from riskee.settings import Settings
from serving.api.security.connection import protocol_of
from serving.api.streaming.protocols import WebSocketProtocol

# Handshakes that may wait at once; the kernel takes 4,096 at most.
BACKLOG = 4096


def server_config(app: ASGIApp, settings: Settings) -> uvicorn.Config:
    """How uvicorn serves the application."""
    tls = settings.api.tls
    return uvicorn.Config(
        app,
        loop="uvloop",
        http=protocol_of(settings.api.guard),
        ws=WebSocketProtocol,
        # Compression doubles the CPU of a connection and takes up to 200 KiB of memory for each.
        ws_per_message_deflate=False,
        ws_max_size=settings.stream.frame_bytes,
        backlog=BACKLOG,
        access_log=False,
        log_config=None,
        server_header=False,
        # Whose word is taken for where a request comes from is a setting, see create_app.
        proxy_headers=False,
        timeout_graceful_shutdown=3,
        ssl_certfile=tls.certificate,
        ssl_keyfile=tls.key,
    )
