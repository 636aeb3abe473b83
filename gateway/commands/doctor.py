"""``multihome doctor``: what is wrong with the configuration or a credential, and its cure."""

from __future__ import annotations

import typer

from gateway.commands.accounts import cure
from gateway.commands.asking import ask, load
from gateway.commands.options import DEFAULT_CONFIG, ConfigFile, Json
from gateway.commands.terminal import print_json, table


def doctor(config: ConfigFile = DEFAULT_CONFIG, as_json: Json = False) -> None:
    """Check the configuration and every credential, read-only; each problem with its cure."""
    from gateway.commands import findings as examination

    checks, running = ask(config, "check")
    gateway = examination.gateway(load(config, None), running=running)
    findings = [*examination.machine(), gateway, *examination.examine(checks)]
    if as_json:
        print_json(findings)
    else:
        table("findings", ("what", "ok", "found"), findings, cure)
    if not all(finding["ok"] for finding in findings):
        raise typer.Exit(1)
