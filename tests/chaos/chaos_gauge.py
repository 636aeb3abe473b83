"""What a process and its files take, and whether that grows; and what others take of the machine."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import linear_regression, median

import psutil

PAGE_KIB = os.sysconf("SC_PAGE_SIZE") / 1024
SECONDS_PER_HOUR = 3600


@dataclass(frozen=True)
class Sample:
    at_s: float
    pid: int
    memory_kib: float
    """Resident."""
    open_files: float
    """Sockets and pipes included."""
    database_kib: float
    """With its log."""


@dataclass(frozen=True)
class Trend:
    """How one figure went: the medians of the first and the last tenth, and the straight line through all."""

    start: float
    end: float
    per_hour: float

    @property
    def growth(self) -> float:
        return self.end - self.start


@dataclass(frozen=True)
class Effort:
    """What the processors could have done until a moment, what they did for us and our children, what for nobody."""

    whole_s: float
    ours_s: float
    idle_s: float


def effort() -> Effort:
    """Of those that ended what they did is with those who waited for them: nothing is lost or counted twice."""
    us = psutil.Process()
    machine = psutil.cpu_times()
    idle_s = machine.idle + getattr(machine, "iowait", 0.0)
    ours_s = sum(map(_did_s, (us, *us.children(recursive=True))))
    return Effort(time.monotonic() * (os.cpu_count() or 1), ours_s, idle_s)


def _did_s(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system + times.children_user + times.children_system)


def crowding(before: Effort, after: Effort) -> float:
    """How many times as long we may have needed because of others: 1.0 where nobody else did anything."""
    whole_s = after.whole_s - before.whole_s
    left_s = after.ours_s - before.ours_s + after.idle_s - before.idle_s
    return max(1.0, whole_s / left_s) if left_s > 0 else 1.0


def take(at_s: float, pid: int, files: Iterable[Path]) -> Sample:
    """Raises OSError when the process is gone. Linux."""
    process = Path("/proc") / str(pid)
    resident = int((process / "statm").read_text().split()[1])
    sizes = [file.stat().st_size / 1024 for file in files if file.exists()]
    return Sample(at_s, pid, resident * PAGE_KIB, len(list((process / "fd").iterdir())), sum(sizes))


def trend(samples: Sequence[Sample], name: str) -> Trend:
    values = [float(getattr(one, name)) for one in samples]
    tenth = max(1, len(values) // 10)
    slope = linear_regression([one.at_s for one in samples], values).slope
    return Trend(median(values[:tenth]), median(values[-tenth:]), slope * SECONDS_PER_HOUR)
