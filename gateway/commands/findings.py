"""What the doctor makes of the checks: each problem with its cure."""

from __future__ import annotations

import platform
import sqlite3
import sys
from collections.abc import Iterable, Iterator
from contextlib import redirect_stdout
from typing import Any

from gateway.commands.runs import Runs
from gateway.config import Config
from gateway.model.delivery import FaultKind
from gateway.model.standing import MEANING

CURES: dict[str, str] = {
    **{standing: meaning.cure for standing, meaning in MEANING.items()},
    "starting": "ask again in a moment: the gateway is still opening the account",
    FaultKind.NETWORK: "check the server's address and this machine's network",
    FaultKind.SERVER: "wait: the platform has trouble of its own",
    FaultKind.RATE_LIMITED: "wait for the platform's window",
    FaultKind.QUOTA: "buy credits or raise the cap at the platform",
    FaultKind.SIGNED_OUT: "make a new credential at the platform and put it where the configuration points",
    FaultKind.SUSPENDED: "appeal at the platform; meanwhile your routes decide where posts go",
    FaultKind.LOCKED: "sign in at the platform and unlock the account",
    FaultKind.FORBIDDEN: "grant the permission or scope that the platform names",
    FaultKind.CONFIG: "correct the account's keys in the configuration",
    FaultKind.CONFLICT: "stop the other program that uses this credential",
    FaultKind.TARGET_REFUSED: "set announce_to, or leave the account out of [announce] accounts",
}
ELSE = "see the log of `multihome run`"
SQLITE_SAFE = (3, 51, 3)
SQLITE_BACKPORTS = ((3, 50, 7), (3, 44, 6))


def examine(checks: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """One finding per account."""
    return [
        finding(
            check["account"],
            check["evidence"],
            ok=check["ok"],
            cure="" if check["ok"] else CURES.get(check["fault"] or "", ELSE),
        )
        for check in checks
    ]


def compared(findings: Iterable[dict[str, Any]], config: Config) -> Iterator[dict[str, Any]]:
    """A running gateway's findings on its accounts, and where the configuration has become another since its start."""
    named = {str(account.id) for account in config.accounts}
    known = set()
    for one in findings:
        known.add(one["what"])
        left_out = "" if one["what"] in named else "; no longer in the configuration"
        yield {**one, "found": one["found"] + left_out}
    for account in sorted(named - known):
        yield finding(account, "not in the running gateway", ok=False, cure="restart it: it read the file before")


def machine() -> list[dict[str, Any]]:
    """What the machine brings. An old SQLite is fine as long as the gateway is its database's only writer."""
    version = tuple(int(number) for number in sqlite3.sqlite_version.split("."))
    fixed = version >= SQLITE_SAFE or version in SQLITE_BACKPORTS
    note = "" if fixed else "never open the database with another program while the gateway runs"
    return [finding("python", platform.python_version()), finding("sqlite", sqlite3.sqlite_version, cure=note)]


def gateway(config: Config, runs: Runs) -> dict[str, Any]:
    """Whether it runs; when it doesn't, whether its agent could be used."""
    if runs.here:
        return finding("gateway", "running")
    from gateway import wiring
    from gateway.agent import AgentError

    try:
        with redirect_stdout(sys.stderr):  # what its module prints is no finding
            wiring.handler(config)
            wiring.listener(config)
    except AgentError as error:
        return finding("gateway", str(error), ok=False, cure="correct the agent; the gateway doesn't start without it")
    return finding("gateway", "not running here, but elsewhere" if runs is Runs.ELSEWHERE else "not running")


def finding(what: str, found: str, *, ok: bool = True, cure: str = "") -> dict[str, Any]:
    return {"what": what, "ok": ok, "found": found, "cure": cure}
