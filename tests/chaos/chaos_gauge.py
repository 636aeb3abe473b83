"""What a process and its files take, and whether that grows."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import linear_regression, median

PAGE_KIB = os.sysconf("SC_PAGE_SIZE") / 1024
SECONDS_PER_HOUR = 3600


@dataclass(frozen=True)
class Sample:
    at_s: float
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


def take(at_s: float, pid: int, files: Iterable[Path]) -> Sample:
    """Raises OSError when the process is gone. Linux."""
    process = Path("/proc") / str(pid)
    resident = int((process / "statm").read_text().split()[1])
    sizes = [file.stat().st_size / 1024 for file in files if file.exists()]
    return Sample(at_s, resident * PAGE_KIB, len(list((process / "fd").iterdir())), sum(sizes))


def trend(samples: Sequence[Sample], name: str) -> Trend:
    values = [float(getattr(one, name)) for one in samples]
    tenth = max(1, len(values) // 10)
    slope = linear_regression([one.at_s for one in samples], values).slope
    return Trend(median(values[:tenth]), median(values[-tenth:]), slope * SECONDS_PER_HOUR)
