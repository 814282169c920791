"""What processes take, from /proc."""

import os
import subprocess
import sys
import time

import pytest

from serving.bench.processes import CpuLog, busy_seconds, children_of, cpu_seconds, memory_mib, parent_of, started_at

_BUSY = "import time; end = time.process_time() + 0.3\nwhile time.process_time() < end: pass\nprint('done', flush=True)"


def _command(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_a_process_and_its_ended_children_count() -> None:
    before = cpu_seconds(os.getpid())
    subprocess.run(_command(_BUSY), check=True, stdout=subprocess.DEVNULL)
    assert cpu_seconds(os.getpid()) - before >= 0.25


def test_a_running_child_counts_and_one_that_is_gone_is_nothing() -> None:
    with subprocess.Popen(_command(f"{_BUSY}\ninput()"), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout
        child.stdout.readline()
        assert child.pid in children_of(os.getpid())
        assert cpu_seconds(child.pid) >= 0.25
        assert memory_mib(child.pid) > 1
        assert started_at(child.pid) == pytest.approx(time.time(), abs=30)
    assert cpu_seconds(child.pid) == 0
    assert memory_mib(child.pid) == 0


def test_a_log_tells_what_was_taken_between_two_moments() -> None:
    log = CpuLog({"me": os.getpid()})
    with log.running(0.05):
        began = time.time()
        subprocess.run(_command(_BUSY), check=True, stdout=subprocess.DEVNULL)
        time.sleep(0.1)
        ended = time.time()
    assert log.between(began, ended)["me"] >= 0.25
    assert log.between(ended, ended)["me"] == 0


def test_the_machine_is_as_busy_as_its_processes() -> None:
    busy, ours = busy_seconds(), cpu_seconds(os.getpid())
    subprocess.run(_command(_BUSY), check=True, stdout=subprocess.DEVNULL)
    assert busy_seconds() - busy >= cpu_seconds(os.getpid()) - ours - 0.05 > 0.2
    with subprocess.Popen(_command("input()"), stdin=subprocess.PIPE) as child:
        assert parent_of(child.pid) == os.getpid()
