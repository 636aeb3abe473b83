"""The conformance suite's network: one face of the sandbox, and the adapter of its platform."""

from __future__ import annotations

import importlib
import tomllib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

import msgspec

from adapters.sandbox.control import Sandbox
from adapters.sandbox.faults import Rule, Trouble
from adapters.sandbox.world import Message
from gateway.clock import SystemClock
from gateway.model.delivery import FaultKind
from gateway.model.events import Kind
from gateway.model.secret import Secret
from gateway.ports import Adapter, Platform
from gateway.testing.kit import Bench

# What a platform says when the account is lost; the sources stand in the profiles' fault tables.
FAULTS: dict[str, dict[str, FaultKind]] = {
    "x": {"suspend": FaultKind.SUSPENDED, "lock": FaultKind.LOCKED, "revoke": FaultKind.SIGNED_OUT},
    "discord": {"suspend": FaultKind.SIGNED_OUT, "lock": FaultKind.LOCKED, "revoke": FaultKind.SIGNED_OUT},
    "telegram": {"suspend": FaultKind.SIGNED_OUT, "lock": FaultKind.LOCKED, "revoke": FaultKind.SIGNED_OUT},
    "bluesky": {
        "suspend": FaultKind.SUSPENDED,
        "lock": FaultKind.LOCKED,
        "revoke": FaultKind.SIGNED_OUT,
        "silent_suspend": FaultKind.SUSPENDED,
    },
    "mastodon": {"suspend": FaultKind.SUSPENDED, "lock": FaultKind.LOCKED, "revoke": FaultKind.SIGNED_OUT},
}
REACTIONS = {"mastodon": "⭐"}
SHOWN = {
    "x": frozenset({"edit"}),
    "discord": frozenset({"edit", "delete", "react"}),
    "telegram": frozenset({"edit", "react"}),
    "bluesky": frozenset({"react"}),
    "mastodon": frozenset({"edit", "delete", "react"}),
}


class SandboxRig:
    """A :class:`gateway.testing.conformance.Rig` over a sandbox that listens with one face."""

    def __init__(self, platform: Platform, sandbox: Sandbox) -> None:
        self.platform = platform
        self.kinds = kinds_of(platform.name)
        self.faults: Mapping[str, FaultKind] = FAULTS[platform.name]
        self.reaction = REACTIONS.get(platform.name, "❤️")
        self.shown = SHOWN[platform.name]
        self.face = sandbox.faces[platform.name]
        self._sandbox = sandbox
        self._benches: dict[str, Bench] = {}
        self._opened: list[Adapter] = []
        self.settings, self.bench = self._account("agent")

    @property
    def secrets(self) -> frozenset[str]:
        return frozenset(self.face.account()["environment"].values())

    def _account(self, handle: str) -> tuple[object, Bench]:
        made = self.face.account(handle)
        settings = dict(made["settings"])
        account = settings.pop("id")
        bench = self._benches.setdefault(handle, Bench(account, SystemClock()))
        environment = made["environment"]

        def reveal(kind: type, value: Any) -> Any:
            if kind is Secret and isinstance(value, dict):
                return Secret(environment[value["env"]])
            raise TypeError(f"{kind} from {value!r}")

        return msgspec.convert(settings, self.platform.settings, dec_hook=reveal), bench

    async def open(self, account: str = "agent") -> Adapter:
        settings, bench = self._account(account)
        module, _, function = self.platform.factory.partition(":")
        adapter: Adapter = await getattr(importlib.import_module(module), function)(settings, bench.context)
        self._opened.append(adapter)
        return adapter

    async def close(self) -> None:
        while self._opened:
            await self._opened.pop().aclose()
        await self._sandbox.stop()

    def say(self, person: str, kind: Kind, text: str, *, to: str | None = None) -> str:
        options = {} if to is None else {"to": to}
        return self.face.say(person, str(kind), text, **options).id

    def meddle(self, doing: str, person: str, message_id: str, *, text: str = "") -> None:
        face: Any = self.face
        if doing == "react":
            face.person_reacts(person, message_id, self.reaction)
        elif doing == "delete":
            face.person_deletes(message_id)
        else:
            face.person_edits(message_id, text)

    def held(self, account: str = "agent") -> Sequence[Message]:
        return self.face.network.held_by(account)

    def message(self, message_id: str) -> Message:
        return self.face.network.messages[message_id]

    def everything(self) -> Sequence[Message]:
        return list(self.face.network.messages.values())

    def attempts(self) -> int:
        return len(self.face.network.attempts)

    def strike(self, trouble: str, **options: Any) -> None:
        self.face.faults.add(Rule(Trouble(trouble), **options))

    def standing_troubles(self) -> int:
        return len(self.face.faults.rules())

    def lift(self) -> None:
        self.face.faults.lift_all()

    def cut_streams(self) -> None:
        self.face.cut_streams()

    def listening(self) -> bool:
        """Discord tells a bot of a stranger's DM only while it is connected, and lists no DMs afterwards."""
        gateway = getattr(self.face, "gateway", None)
        return gateway is None or bool(gateway.open_sockets("agent"))

    async def unplug(self) -> None:
        await self._sandbox.stop()


def kinds_of(platform: str) -> frozenset[Kind]:
    """How people can reach an account, as its quality file says."""
    rules = quality(platform)
    return frozenset(kind for kind in Kind if rules.get(f"receives_{kind}") == "done")


def quality(platform: str) -> dict[str, Any]:
    """The rules of an adapter's ``quality.toml``."""
    text = (files("adapters") / platform / "quality.toml").read_text(encoding="utf-8")
    rules: dict[str, Any] = tomllib.loads(text)["rules"]
    return rules


def platform_named(name: str) -> Platform:
    platform: Platform = importlib.import_module(f"adapters.{name}.profile").PLATFORM
    return platform
