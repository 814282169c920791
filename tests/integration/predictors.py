"""Several predict processes that share the work, as an operator starts them."""

import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from riskee.settings import Settings
from tests.conftest import REPOSITORY
from tests.integration.conftest import eventually
from tests.integration.live_processes import environment_of, free_port


class Predictor:
    """One process."""

    def __init__(self, settings: Settings, partitions: int, log: Path) -> None:
        port = free_port()
        self._url = f"http://127.0.0.1:{port}"
        self._log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "serving.consumers.predict"],
                cwd=REPOSITORY,
                env=environment_of(settings)
                | {"RISKEE_METRICS__PREDICT_PORT": str(port), "RISKEE_PREDICT__PARTITIONS": str(partitions)},
                stdout=output,
                stderr=output,
            )

    async def units(self) -> set[str]:
        """What it says that it holds; nothing before it answers."""
        if self._process.poll() is not None:
            raise AssertionError(self._log.read_text())
        try:
            async with httpx.AsyncClient(timeout=60) as client:
                report: dict[str, Any] = (await client.get(f"{self._url}/health/ready")).json()
        except httpx.TransportError:
            return set()
        held, _, _ = report.get("notes", {}).get("units", "none;").partition(";")
        return set() if held.startswith("none") else set(held.split(", "))

    async def predictions(self) -> int:
        """How many it has published."""
        async with httpx.AsyncClient(timeout=60) as client:
            text = (await client.get(f"{self._url}/metrics")).text
        samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
        return int(sum(sample.value for sample in samples if sample.name == "riskee_predictions_total"))

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL: it says nothing more."""
        self._process.kill()
        self._process.wait(60)

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGCONT)
            self._process.terminate()
        try:
            return self._process.wait(60)
        finally:
            self._process.kill()


@asynccontextmanager
async def predictors(settings: Settings, folder: Path, count: int, partitions: int) -> AsyncIterator[list[Predictor]]:
    """So many processes, once they have shared the work. Those that are added to the list are ended too."""
    logs = [folder / f"predict-{number}-of-{partitions}.log" for number in range(count)]
    running = [Predictor(settings, partitions, log) for log in logs]
    try:
        await eventually(lambda: shared(running, partitions), seconds=180)
        yield running
    finally:
        for predictor in running:
            predictor.stop()


async def shared(running: list[Predictor], partitions: int) -> bool:
    """Whether each unit has one owner, and nobody has two partitions more than another."""
    units = [await predictor.units() for predictor in running]
    everything = {"undivided", *(f"{number}-of-{partitions}" for number in range(partitions))}
    sizes = [len(own - {"undivided"}) for own in units]
    complete = sum(map(len, units)) == len(everything) and set().union(*units) == everything
    return complete and max(sizes) - min(sizes) <= 1
