"""`python -m infra.embedded.qdrant_front --host 127.0.0.1 --port 6333 --data FOLDER`."""

import argparse
import sys
from pathlib import Path

import uvicorn

from infra.embedded.qdrant_front.routes import Front
from infra.embedded.qdrant_front.store import Store
from riskee.errors import FatalError


def main() -> None:
    """Serve until a signal ends the process."""
    parser = argparse.ArgumentParser(prog="qdrant_front", description="Qdrant's REST API over an embedded engine.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=6333)
    parser.add_argument("--data", type=Path, required=True, help="folder of the collections")
    arguments = parser.parse_args()
    try:
        front = Front(Store(arguments.data))
    except FatalError as error:
        sys.exit(f"qdrant_front: {error}")
    uvicorn.run(front.app(), host=arguments.host, port=arguments.port, log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
