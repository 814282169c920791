"""`riskee bench report`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from riskee.cli import bench_api, bench_live, bench_scale, bench_stream
from riskee.cli.console import Json, print_json
from riskee.errors import FatalError

if TYPE_CHECKING:
    from serving.bench.api_result import ApiMeasured
    from serving.bench.result import Measured
    from serving.bench.scaling import Scaling
    from serving.bench.stream_result import StreamMeasured

    AnyMeasured = Measured | ApiMeasured | StreamMeasured | Scaling


def report(
    file: Annotated[
        Path,
        typer.Argument(exists=True, dir_okay=False, help="What `live`, `api`, `stream` or `scale --json` printed."),
    ],
    write: Annotated[Path | None, typer.Option(help="A page whose section on it is written anew.")] = None,
    json: Json = False,
) -> None:
    """Show a measurement of the live path, the API, the stream or several predictors, or write it into a page."""
    measured = _read(file)
    if write is not None:
        _write(measured, write)
    if json:
        print_json(measured)
    elif write is None:
        _show(measured)


def _show(measured: AnyMeasured) -> None:
    from serving.bench.api_result import ApiMeasured
    from serving.bench.scaling import Scaling
    from serving.bench.stream_result import StreamMeasured

    if isinstance(measured, Scaling):
        bench_scale.show(measured)
    elif isinstance(measured, StreamMeasured):
        bench_stream.show(measured)
    elif isinstance(measured, ApiMeasured):
        bench_api.show(measured)
    else:
        bench_live.show(measured)


def _write(measured: AnyMeasured, page: Path) -> None:
    from serving.bench import api_report, scale_report, stream_report
    from serving.bench import report as live_report
    from serving.bench.api_result import ApiMeasured
    from serving.bench.scaling import Scaling
    from serving.bench.stream_result import StreamMeasured

    if isinstance(measured, Scaling):
        live_report.put_section(page, scale_report.HEADING, scale_report.markdown(measured))
    elif isinstance(measured, StreamMeasured):
        live_report.put_section(page, stream_report.HEADING, stream_report.markdown(measured))
    elif isinstance(measured, ApiMeasured):
        live_report.put_section(page, api_report.HEADING, api_report.markdown(measured))
    else:
        live_report.write(measured, page)


class _Kind(msgspec.Struct):
    """What distinguishes the measurements."""

    kind: str = "live"


def _read(file: Path) -> AnyMeasured:
    from serving.bench.api_result import ApiMeasured
    from serving.bench.result import Measured
    from serving.bench.scaling import Scaling
    from serving.bench.stream_result import StreamMeasured

    content = file.read_bytes()
    try:
        kind = msgspec.json.decode(content, type=_Kind).kind
        types: dict[str, type[AnyMeasured]]
        types = {"live": Measured, "api": ApiMeasured, "stream": StreamMeasured, "scale": Scaling}
        return msgspec.json.decode(content, type=types.get(kind, Measured))
    except msgspec.MsgspecError as error:
        raise FatalError(f"{file} is no measurement: {error}", "make one: `riskee bench live --json`") from error
