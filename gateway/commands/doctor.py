"""``multihome doctor``: what is wrong with the configuration or a credential, and its cure."""

from __future__ import annotations

import os

import typer

from gateway.commands.accounts import cure
from gateway.commands.asking import ask, load
from gateway.commands.options import DEFAULT_CONFIG, ConfigFile, Json
from gateway.commands.terminal import print_json, table


def doctor(config: ConfigFile = DEFAULT_CONFIG, as_json: Json = False) -> None:
    """Check the configuration and every credential, read-only; each problem with its cure."""
    from gateway.commands import findings as examination

    loaded = load(config, os.environ)
    checks, runs = ask(config, "check")
    accounts = examination.examine(checks)
    found = examination.compared(accounts, loaded) if runs.here else accounts
    findings = [*examination.machine(), examination.gateway(loaded, runs), *found]
    if as_json:
        print_json(findings)
    else:
        table("findings", ("what", "ok", "found"), findings, cure)
    if not all(finding["ok"] for finding in findings):
        raise typer.Exit(1)
