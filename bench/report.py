"""The marks, whether they are reached, and what bounds each figure."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

RATIOS = {"x": 0.35, "discord": 0.35, "telegram": 1.0, "bluesky": 1.0, "mastodon": 0.8}
ADDED_CPU_MS = 0.4
REPLY_MS = 3.0
ACCEPTED_PER_S = 5000
READY_S = 1.6
RSS_MIB = 165.0
FAILOVER_S = 1.0


class Mark(Struct, frozen=True):
    """One mark. ``least`` true: the figure has to be at least ``mark``, else at most."""

    name: str
    value: float
    mark: float
    least: bool
    bound: str

    @property
    def reached(self) -> bool:
        return self.value >= self.mark if self.least else self.value <= self.mark


LIBRARY = "library's CPU"
LOOP = "loop + writer, one core"
COMMITS = "three commits, flushed"


def marks(found: dict[str, Any]) -> list[Mark]:
    """Every figure that has a mark."""
    result = []
    for name, figures in found["platforms"].items():
        bound = LOOP if name in ("x", "discord") else LIBRARY
        result.append(Mark(f"{name}: sends, through / bare", figures["ratio"], RATIOS[name], True, bound))
    for name, figures in found["platforms"].items():
        result.append(Mark(f"{name}: added CPU ms/send", figures["added_cpu_ms"], ADDED_CPU_MS, False, LOOP))
    for name, figures in found["reply_added_ms"].items():
        result.append(Mark(f"{name}: reply slower by ms, p50", figures["p50"], REPLY_MS, False, COMMITS))
    return [
        *result,
        Mark("drafts accepted /s", found["accepted_drafts_per_s"], ACCEPTED_PER_S, True, LOOP),
        Mark("failover s", found["failover_seconds"], FAILOVER_S, False, "five commits, flushed"),
        Mark("all five ready s", found["ready_s"], READY_S, False, "imports (atproto half)"),
        Mark("memory MiB", found["rss_mib"], RSS_MIB, False, "modules of the libraries"),
    ]


def as_data(found: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"name": mark.name, "value": mark.value, "mark": mark.mark, "reached": mark.reached} for mark in marks(found)
    ]


def table(found: dict[str, Any]) -> str:
    """For people: 80 columns."""
    lines = [f"{'':10}{'bare/s':>9}{'durable/s':>11}{'ratio':>8}{'bare ms':>10}{'durable ms':>12}{'added ms':>10}"]
    for name, one in found["platforms"].items():
        lines.append(
            f"{name:10}{one['bare_per_s']:>9}{one['gateway_per_s']:>11}{one['ratio']:>8.2f}"
            f"{one['bare_cpu_ms']:>10.3f}{one['gateway_cpu_ms']:>12.3f}{one['added_cpu_ms']:>10.3f}"
        )
    lines += ["(64 callers; ms are CPU of the whole process per send, medians of rounds)", ""]
    for name, one in found["reply_added_ms"].items():
        lines.append(
            f"{name:9} reply p50/p99 ms: native {one['native_p50']} / {one['native_p99']}, "
            f"gateway {one['gateway_p50']} / {one['gateway_p99']}"
        )
    each = ", ".join(f"{name} {at:.2f}" for name, at in sorted(found["ready_each_s"].items(), key=lambda p: p[1]))
    busy, flushes = " and ".join(map(str, found["load"])), " and ".join(map(str, found["flush_ms"]))
    lines += [
        f"ready after s: {each}",
        f"load {busy}, a flush of the disk {flushes} ms, before and after",
        "",
        f"{'':34}{'value':>9}{'mark':>9}   bound by",
    ]
    for mark in marks(found):
        word = "  " if mark.reached else "! "
        sign = ">=" if mark.least else "<="
        lines.append(f"{word}{mark.name:32}{mark.value:>9.5g} {sign}{mark.mark:>6g}   {mark.bound}"[:80])
    missed = sum(not mark.reached for mark in marks(found))
    return "\n".join([*lines, "", f"{missed} marks missed." if missed else "Every mark is reached."])
