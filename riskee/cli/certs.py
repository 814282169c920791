"""`riskee certs`."""

from pathlib import Path
from typing import Annotated

import typer

from riskee.cli.console import Json, print_json


def certs(
    folder: Annotated[Path, typer.Argument(help="Folder to write to; must have none yet.")] = Path("secrets/tls"),
    json: Json = False,
) -> None:
    """Make certificates for development.

    An authority, and one for each server.
    """
    from riskee.certificates import make_certificates
    from riskee.clock import SystemClock

    files = make_certificates(folder, SystemClock().now())
    if json:
        print_json([str(file) for file in files])
        return
    typer.echo(f"{len(files)} files in {folder}, good for 90 days; docs/deployment.md says how to use them")
