"""`riskee bench report`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from riskee.cli import bench_api, bench_live, bench_stream
from riskee.errors import FatalError

if TYPE_CHECKING:
    from serving.bench.api_result import ApiMeasured
    from serving.bench.result import Measured
    from serving.bench.stream_result import StreamMeasured


def report(
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="What `live`, `api` or `stream --json` printed.")
    ],
    write: Annotated[Path | None, typer.Option(help="A page whose section on it is written anew.")] = None,
) -> None:
    """Show a measurement of the live path, the API or the stream, or write it into a page with its pictures."""
    from serving.bench import api_report, stream_report
    from serving.bench import report as live_report
    from serving.bench.api_result import ApiMeasured
    from serving.bench.stream_result import StreamMeasured

    measured = _read(file)
    if isinstance(measured, StreamMeasured):
        if write is None:
            bench_stream.show(measured)
        else:
            live_report.put_section(write, stream_report.HEADING, stream_report.markdown(measured))
        return
    if isinstance(measured, ApiMeasured):
        if write is None:
            bench_api.show(measured)
        else:
            live_report.put_section(write, api_report.HEADING, api_report.markdown(measured))
    elif write is None:
        bench_live.show(measured)
    else:
        live_report.write(measured, write)


class _Kind(msgspec.Struct):
    """What distinguishes the measurements."""

    kind: str = "live"


def _read(file: Path) -> Measured | ApiMeasured | StreamMeasured:
    from serving.bench.api_result import ApiMeasured
    from serving.bench.result import Measured
    from serving.bench.stream_result import StreamMeasured

    content = file.read_bytes()
    try:
        kind = msgspec.json.decode(content, type=_Kind).kind
        types: dict[str, type[Measured | ApiMeasured | StreamMeasured]]
        types = {"live": Measured, "api": ApiMeasured, "stream": StreamMeasured}
        return msgspec.json.decode(content, type=types.get(kind, Measured))
    except msgspec.MsgspecError as error:
        raise FatalError(f"{file} is no measurement: {error}", "make one: `riskee bench live --json`") from error
