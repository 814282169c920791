"""`python -m infra.embedded.ollama_front --host 127.0.0.1 --port 11434 --models FOLDER`."""

import argparse
from pathlib import Path

import uvicorn

from infra.embedded.ollama_front.engine import Engine
from infra.embedded.ollama_front.library import Library
from infra.embedded.ollama_front.routes import Front

_SHUTDOWN_SECONDS = 2


def main() -> None:
    """Serve until a signal ends the process."""
    parser = argparse.ArgumentParser(prog="ollama_front", description="Ollama's API over llama.cpp.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=11434)
    parser.add_argument("--models", type=Path, required=True, help="folder with the index of models")
    arguments = parser.parse_args()
    front = Front(Engine(), Library(arguments.models))
    uvicorn.run(
        front.app(),
        host=arguments.host,
        port=arguments.port,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
    )


if __name__ == "__main__":
    main()
