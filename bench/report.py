"""The marks, whether they are reached, and what bounds each figure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import Struct

RATIOS = {"x": 0.6, "discord": 0.6, "telegram": 1.5, "bluesky": 1.5, "mastodon": 0.95}
ADDED_CPU_MS = 0.15
REPLY_COMMITS = 6
REPLY_P99_MS = 10.0
BACKLOG_MIB = 64.0


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
SIMPLE = (
    ("render_ms", "300 words on five platforms, ms", 2.0, False, "the renderings' CPU"),
    ("split_s", "a megabyte cut into posts, s", 1.0, False, "measuring, in proportion"),
    ("accepted_ratio", "drafts accepted / group commit", 0.3, True, LOOP),
    ("queue_procrastinate", "queue / procrastinate, PostgreSQL", 5.0, True, LOOP),
    ("queue_dbos", "queue / DBOS, SQLite", 20.0, True, LOOP),
    ("history_ratio", "a million rows / an empty database", 0.95, True, "pages of the indexes"),
    ("backlog_ratio", "100,000 waiting drain / queue", 0.95, True, LOOP),
    ("backlog_grown_mib", "  and memory grows by MiB", BACKLOG_MIB, False, "2,000 kept per account"),
    ("idle_rss_mib", "10,000 idle accounts, MiB", 2048.0, False, "objects per account"),
    ("idle_cpu_percent", "  and % of a core", 2.0, False, "timers"),
    ("processes_ratio", "two processes / one, PostgreSQL", 1.6, True, "cores"),
    ("failover_seconds", "failover s", 1.0, False, "commits, flushed"),
    ("ready_s", "all five ready s", 1.6, False, "imports (atproto half)"),
    ("rss_mib", "memory MiB", 165.0, False, "modules of the libraries"),
)


def marks(found: dict[str, Any]) -> list[Mark]:
    """Every figure of this run that has a mark."""
    return [*_sends(found["platforms"]), *_replies(found["replies"]), *_simple(found)]


def _sends(platforms: dict[str, Any]) -> Iterator[Mark]:
    for name, figures in platforms.items():
        bound = LOOP if name in ("x", "discord") else LIBRARY
        yield Mark(f"{name}: sends, through / bare", figures["ratio"], RATIOS[name], True, bound)
    for name, figures in platforms.items():
        yield Mark(f"{name}: added CPU ms/send", figures["added_cpu_ms"], ADDED_CPU_MS, False, LOOP)


def _replies(replies: dict[str, Any]) -> Iterator[Mark]:
    for name, figures in replies.items():
        most = round(REPLY_COMMITS * figures["commit_ms"], 2)
        yield Mark(f"{name}: reply later by ms, p50", figures["p50"], most, False, f"{REPLY_COMMITS} commits")
        yield Mark(f"{name}: reply later by ms, p99", figures["p99"], REPLY_P99_MS, False, "commits, flushed")


def _simple(found: dict[str, Any]) -> Iterator[Mark]:
    for key, name, mark, least, bound in SIMPLE:
        if key in found:
            value = found[key]["ratio"] if isinstance(found[key], dict) else found[key]
            yield Mark(name, value, mark, least, bound)


def as_data(found: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"name": mark.name.strip(), "value": mark.value, "mark": mark.mark, "reached": mark.reached}
        for mark in marks(found)
    ]


def table(found: dict[str, Any]) -> str:
    """For people: 80 columns."""
    busy, flushes = " and ".join(map(str, found["load"])), " and ".join(map(str, found["flush_ms"]))
    lines = [
        *_sends_table(found["platforms"]),
        *_reply_lines(found["replies"]),
        *_facts(found),
        f"load {busy}, a flush of the disk {flushes} ms, before and after",
        "",
        f"{'':36}{'value':>8} {'mark':>9}   bound by",
    ]
    for mark in marks(found):
        word = "  " if mark.reached else "! "
        sign = ">=" if mark.least else "<="
        lines.append(f"{word}{mark.name:34}{mark.value:>8.4g} {sign}{mark.mark:>7.5g}   {mark.bound}"[:80])
    lines += ["", *(f"not measured: {line}" for line in found.get("skipped", ()))]
    missed = sum(not mark.reached for mark in marks(found))
    return "\n".join([*lines, f"{missed} marks missed." if missed else "Every mark is reached."])


def _sends_table(platforms: dict[str, Any]) -> Iterator[str]:
    if not platforms:
        return
    yield f"{'':10}{'bare/s':>9}{'durable/s':>11}{'ratio':>8}{'bare ms':>10}{'durable ms':>12}{'added ms':>10}"
    for name, one in platforms.items():
        yield (
            f"{name:10}{one['bare_per_s']:>9}{one['gateway_per_s']:>11}{one['ratio']:>8.2f}"
            f"{one['bare_cpu_ms']:>10.3f}{one['gateway_cpu_ms']:>12.3f}{one['added_cpu_ms']:>10.3f}"
        )
    yield "(64 callers; ms are CPU of the whole process per send, medians of rounds)"
    yield ""


def _reply_lines(replies: dict[str, Any]) -> Iterator[str]:
    for name, one in replies.items():
        yield (
            f"{name:9} reply p50/p99 ms: native {one['native_p50']} / {one['native_p99']}, "
            f"gateway {one['gateway_p50']} / {one['gateway_p99']}"
        )


FACTS = (
    ("render_ms", "300 words and 5 links, ms: {render_each_ms}"),
    ("accepted_ratio", "accepted/s: {accepted_drafts_per_s}, a bare group commit: {floor_per_s}"),
    ("queue_dbos", "queue/s on SQLite: {queue_dbos[per_s]}, DBOS {queue_dbos[rival_per_s]}"),
    (
        "queue_procrastinate",
        "queue/s on PostgreSQL: {queue_procrastinate[per_s]}, procrastinate {queue_procrastinate[rival_per_s]}",
    ),
    ("history_ratio", "queue/s with {history_rows} rows ({history_mib} MiB): {history_per_s}, empty {empty_per_s}"),
    ("backlog_ratio", "a backlog of {backlog_rows}: {backlog_per_s}/s, {backlog_left} left"),
    ("idle_rss_mib", "{idle_accounts} idle accounts: ready after {idle_ready_s} s, at rest after {idle_settled_s}"),
    ("one_process_per_s", "PostgreSQL: one process {one_process_per_s}/s, two {two_processes_per_s}/s"),
)


def _facts(found: dict[str, Any]) -> Iterator[str]:
    for key, words in FACTS:
        if key in found:
            yield words.format(**found)
    if "ready_each_s" in found:
        each = sorted(found["ready_each_s"].items(), key=lambda pair: pair[1])
        yield "ready after s: " + ", ".join(f"{name} {at:.2f}" for name, at in each)
