"""No secret leaves: with every log on, through suspension, sign-out and renewal of tokens."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from urllib.parse import quote

import pytest
from cli_rig import NETWORKS, House

OPERATIONS = ("status", "accounts", "deliveries", "links", "check")
SECRET_NAMES = ("token", "jwt", "access", "refresh", "password", "secret")


def kept(house: House) -> Iterator[str]:
    """What the adapters keep in the vault by now."""
    for path in (house.folder / "multihome.db.vault").glob("*/*"):
        for name, value in json.loads(path.read_text()).items():
            if any(word in name.lower() for word in SECRET_NAMES):
                yield value


@pytest.mark.parametrize("level", ["debug", "info"])
def test_no_secret_is_said_anywhere(house: Callable[..., House], level: str) -> None:
    h = house(*NETWORKS)
    with h.gateway("--log-level", level) as gateway:
        before = set(kept(h))
        with h.trouble("x", "revoke", count=1), h.trouble("bluesky", "revoke", count=1):
            for number in range(3):
                h.ask("announce", text=f"post {number}")
            gateway.until(lambda: all(len(h.texts(name)) == 3 for name in NETWORKS))
        for name in NETWORKS:
            h.sandbox.control("POST", f"{name}/say", person="ana", kind="direct", text="hello 1", account=h.handle)
        gateway.until(lambda: all(any("echo" in text for text in h.texts(name)) for name in NETWORKS))
        for trouble in ("revoke", "suspend"):
            for name in NETWORKS:
                with h.trouble(name, trouble):
                    h.ask("announce", text=f"{trouble} {name}", accounts=[f"{name}/main"])
                    gateway.until(lambda at=name: not _can_send(h, at))
                gateway.until(lambda at=name: _can_send(h, at))
        answers = [json.dumps(h.ask(operation)) for operation in OPERATIONS]
        secrets = {*h.secrets.values(), *before, *kept(h), json.loads(h.endpoint.read_text())["token"]}
        gateway.end()
    files = [*h.folder.glob("multihome.db*"), gateway.out, gateway.err]
    said = {path.name: path.read_bytes().decode(errors="replace") for path in files if path.is_file()}
    said["answers"] = "\n".join(answers)
    assert len(secrets) > len(h.secrets) + 1, "nothing was renewed"
    leaks = {(where, secret) for where, text in said.items() for secret in secrets if secret in text}
    leaks |= {(where, secret) for where, text in said.items() for secret in secrets if quote(secret, safe="") in text}
    assert not leaks
    assert "Traceback" not in said[gateway.err.name]


def _can_send(house: House, name: str) -> bool:
    return any(row["account"] == f"{name}/main" and row["standing"] == "healthy" for row in house.ask("accounts"))
