"""What the doctor makes of the checks: each problem with its cure."""

from __future__ import annotations

import platform
import sqlite3
from typing import Any

from gateway.config import Config
from gateway.model.delivery import FaultKind

CURES: dict[str, str] = {
    FaultKind.NETWORK: "check the server's address and this machine's network",
    FaultKind.SERVER: "wait: the platform has trouble of its own",
    FaultKind.RATE_LIMITED: "wait for the platform's window",
    FaultKind.QUOTA: "buy credits or raise the cap at the platform",
    FaultKind.SIGNED_OUT: "make a new credential at the platform and put it where the configuration points",
    FaultKind.SUSPENDED: "appeal at the platform; meanwhile your routes decide where posts go",
    FaultKind.LOCKED: "sign in at the platform and unlock the account",
    FaultKind.CONFIG: "grant the permission or scope that the platform names",
    FaultKind.CONFLICT: "stop the other program that uses this credential",
}
SQLITE_SAFE = (3, 51, 3)
SQLITE_BACKPORTS = ((3, 50, 7), (3, 44, 6))


def examine(checks: list[dict[str, Any]], config: Config) -> list[dict[str, Any]]:
    """One finding per account."""
    by_account = {check["account"]: check for check in checks}
    findings = []
    for account in config.accounts:
        check = by_account.get(account.id, {"ok": False, "fault": None, "evidence": "it could not be opened"})
        cure = "" if check["ok"] else CURES.get(check["fault"] or "", "see the log of `multihome run`")
        findings.append({"what": account.id, "ok": check["ok"], "found": check["evidence"], "cure": cure})
    return findings


def machine() -> list[dict[str, Any]]:
    """What the machine brings. An old SQLite is fine as long as the gateway is its database's only writer."""
    version = tuple(int(number) for number in sqlite3.sqlite_version.split("."))
    fixed = version >= SQLITE_SAFE or version in SQLITE_BACKPORTS
    note = "" if fixed else "never open the database with another program while the gateway runs"
    return [
        {"what": "python", "ok": True, "found": platform.python_version(), "cure": ""},
        {"what": "sqlite", "ok": True, "found": sqlite3.sqlite_version, "cure": note},
    ]
