"""A configuration to try things with: every account of a sandbox, its secrets in files, and nothing real."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

MARK = "# Written by `multihome sandbox`, for that sandbox alone: the next one writes it anew."
Tables = Iterable[tuple[str, Mapping[str, Any]]]


class TrialError(Exception):
    """One line for people: why the configuration can't be written, and the cure."""


def write(path: Path, networks: Mapping[str, Mapping[str, Any]], handler: str = "") -> None:
    """Write a configuration for a sandbox's ``networks`` (each with ``settings`` and ``environment``).

    Its secrets and its database go to a fresh folder for the owner's eyes only: cursors and tokens of one sandbox mean
    nothing to the next. Raises TrialError, above all where somebody else's file would be overwritten.
    """
    try:
        if path.exists() and not path.read_text(errors="replace").startswith(MARK):
            raise TrialError(f"{path} was not written by a sandbox and is left alone: name another file with --config")
        folder = Path(tempfile.mkdtemp(prefix="multihome-sandbox-"))
        accounts = [_account(network, folder) for network in networks.values()]
        path.write_text(f"{MARK}\n\n{toml(_tables(accounts, folder, handler))}")
    except OSError as error:
        raise TrialError(f"{error.filename or path} can't be written: {error.strerror}") from error


def toml(tables: Tables) -> str:
    """Tables as a configuration file spells them."""
    return "\n".join("\n".join((head, *(f"{key} = {_value(keys[key])}" for key in keys), "")) for head, keys in tables)


def _tables(accounts: list[dict[str, Any]], folder: Path, handler: str) -> Tables:
    """With short pauses: nobody tries things for half-hours. Links are not looked at: a sandbox needs no internet."""
    pauses = {"health_check_s": 10.0, "probe_first_s": 1.0, "probe_longest_s": 5.0, "ramp_s": 0.5}
    yield "[gateway]", {"database": f"sqlite:///{folder / 'multihome.db'}", **pauses}
    for one in accounts:
        yield "[[accounts]]", one
    names = [one["id"] for one in accounts]
    for name in names:
        others = [other for other in names if other != name]
        when = ["suspended", "locked", "signed_out"]
        yield (
            "[[routes]]",
            {"from": name, "when": when, "divert_to": others, "conversations": "person", "announce": True},
        )
    yield "[media]", {"cards": False}
    if handler:
        yield "[agent]", {"handler": handler}


def _account(network: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The account's keys, with each secret in a file instead of the environment."""
    settings = dict(network["settings"])
    for name, secret in network["environment"].items():
        with os.fdopen(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secret)
    for key, value in settings.items():
        if isinstance(value, dict) and "env" in value:
            settings[key] = {"file": str(folder / value["env"])}
    return settings


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_value(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    return json.dumps(value)
