"""Everything together: the world, the gateways on it, and the moment of calm in which is counted."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import aiohttp
from chaos_count import Count, Loss, World, broken, count, is_calm, unanswered
from chaos_database import Database, File, Server
from chaos_ledger import Ledger
from chaos_processes import ChaosError, Gateway, Sandbox
from chaos_traffic import KINDS, LINKED, PEOPLE, Traffic, now_unix_s, pairs

from gateway.api import ENDPOINT
from gateway.commands.trial import toml
from gateway.config import place_of

CALM_TIMEOUT_S = 120.0
RESUME_EVERY_S = 5.0
RESTART_AFTER_S = 20.0
"""An account that was refused while it was opened is tried again after a restart: the operator's way."""
LOOK_EVERY_S = 0.2
PAUSES = {"probe_first_s": 0.3, "probe_longest_s": 1.5, "ramp_s": 0.02, "health_check_s": 5.0}
SETTINGS = {
    "x": {"poll_s": 0.2, "poll_direct_s": 0.2, "shown_within_s": 1.0},
    "bluesky": {"poll_s": 0.2, "poll_direct_s": 0.2},
    "discord": {"identify_pause_s": 0.0},
}
"""The sandbox's own ask twenty times a second: chaos has less CPU than that. And a soak loses an account so often that
an adapter which saves its logins would rest for minutes.
"""
STATES = ("waiting", "queued", "sending", "held", "uncertain", "refused", "expired")


class Town:
    """One world and its gateways, from the first hello to the last count."""

    def __init__(
        self,
        folder: Path,
        chance: random.Random,
        tell: Callable[[str], None],
        *,
        beat_s: float,
        gateways: int = 1,
        database: str = "sqlite",
        resend: frozenset[str] = frozenset(),
        keys: dict[str, Any] | None = None,
    ) -> None:
        folder.mkdir()
        self.folder = folder
        self.tell = tell
        self.losses: list[Loss] = []
        self.helped = 0
        """How often the operator had to restart a gateway for an account that could not be opened."""
        self.gateways: list[Gateway] = []
        self._shaken_unix_s: list[float] = []
        self._resend = resend
        self._keys = keys or {}
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30))
        self.sandbox = Sandbox(folder, self._session)
        self.traffic = Traffic(self.sandbox, self.gateways, chance, beat_s=beat_s)
        self.database: Database = Server() if database == "postgresql" else File(folder, self._pids)
        self._number = gateways
        self._ledger = Ledger(())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.traffic.stop()
        await asyncio.gather(*(gateway.close() for gateway in self.gateways), return_exceptions=True)
        await self.sandbox.stop()
        await self._session.close()
        await self.database.close(self.folder / "database")

    async def open(self) -> None:
        """Start everything, and let everybody meet: who was never heard of can't be found again after a crash."""
        await self.sandbox.start()
        await self.database.open()
        self._ledger = Ledger(self.sandbox.networks)
        for number in range(self._number):
            self._add_gateway(f"gateway-{number}")
        for gateway in self.gateways:
            gateway.on_start = self._started
            gateway.open()
        await self._until_well()
        for name in self.sandbox.networks:
            for person in PEOPLE:
                for kind in KINDS:
                    await self.traffic.ask(name, person, kind)
        await self._until_calm()
        for first, second in pairs(self.traffic.identities, LINKED):
            await self._link(first, second)

    async def _link(self, first: str, second: str) -> None:
        """Raises where somebody was never met: failover would reach nobody, and nothing would look wrong."""
        while (person := await self._ask("link", first=first, second=second)) is None:
            await asyncio.sleep(LOOK_EVERY_S)
        strangers = [one for one in person["identities"] if ":@" not in one]
        if strangers:
            raise ChaosError(f"the gateways never met {' and '.join(strangers)}: nobody is to be linked with them")

    def shake(self) -> None:
        """From now on a gateway may have forgotten what it knew a moment ago."""
        self._shaken_unix_s.append(now_unix_s())

    async def resume(self, name: str) -> None:
        for gateway in self.gateways:
            await gateway.ask("resume", account=f"{name}/main")

    # Looking.

    async def look(self) -> list[str]:
        """The promises that are broken already, whatever is under way."""
        return broken(await self._world())

    async def count(self) -> Count:
        """Let everything come to rest, and count on the networks and in the books."""
        try:
            async with asyncio.timeout(CALM_TIMEOUT_S):
                await self.traffic.pause()
        except TimeoutError as error:
            raise ChaosError(f"what was being said wasn't accepted within {CALM_TIMEOUT_S:.0f} s") from error
        for name in self.sandbox.networks:
            await self.sandbox.ask("DELETE", f"{name}/faults")
        await self._until_well()
        await self._until_calm()
        world = await self._world()
        self._ledger.wrote(await self.database.books())
        return count(world, await self._rows() or [], self._ledger.books, self._ledger.held)

    async def forget(self, older_than_s: float) -> None:
        """The networks keep no more than that; the ledger keeps all."""
        for name in self.sandbox.networks:
            await self.sandbox.ask("POST", f"{name}/forget", older_than_s=older_than_s)

    async def _world(self) -> World:
        for name in self.sandbox.networks:
            messages = await self.sandbox.ask("GET", f"{name}/messages?by=agent")
            self._ledger.saw(name, messages, await self.sandbox.ask("GET", f"{name}/attempts"))
        return World(
            self.traffic.expected,
            self._ledger.found,
            self._ledger.attempts,
            self.losses,
            self._shaken_unix_s,
            self._resend,
        )

    # How it is built.

    def _add_gateway(self, name: str) -> None:
        """Each in a folder of its own, as on a machine of its own. Routes begin with the next network, so that every
        one takes over for another.
        """
        (self.folder / name).mkdir()
        config = self.folder / name / "multihome.toml"
        names = [f"{network}/main" for network in self.sandbox.networks]
        route = {"when": ["suspended", "locked", "signed_out"], "conversations": "person", "announce": True}
        tables: list[tuple[str, dict[str, Any]]] = [
            ("[gateway]", {**self.database.keys, **PAUSES, **self._keys}),
            *(("[[accounts]]", self._account(network, one)) for network, one in self.sandbox.networks.items()),
            *(
                ("[[routes]]", {"from": one, "divert_to": [*names[number + 1 :], *names[:number]], **route})
                for number, one in enumerate(names)
            ),
            ("[media]", {"cards": False}),
            ("[agent]", {"handler": "gateway.demo.hello:reply"}),
        ]
        config.write_text(toml(tables))
        endpoint = Path(place_of(config).files + ENDPOINT)
        environment = {**self.sandbox.environment, **self.database.environment}
        self.gateways.append(Gateway(name, config, endpoint, environment, self._session))

    def _account(self, network: str, one: dict[str, Any]) -> dict[str, Any]:
        choice = {"on_uncertain": "resend"} if network in self._resend else {}
        return {"rate_factor": 1000.0, **one["settings"], **SETTINGS.get(network, {}), **choice}

    def _pids(self) -> list[int]:
        return [gateway.pid for gateway in self.gateways if gateway.pid is not None]

    def _started(self, gateway: Gateway) -> None:
        self.shake()
        if gateway.pid is not None and self.database.disk is not None:
            self.database.disk.started(gateway.pid)

    # Waiting.

    async def _until_well(self) -> None:
        """Until every account can send and listens; an operator sees to those that need one."""
        began = helped = resumed = now_unix_s()
        while ill := await self._ill():
            now = now_unix_s()
            if now > began + CALM_TIMEOUT_S:
                raise ChaosError(f"not well again within {CALM_TIMEOUT_S:.0f} s: {'; '.join(ill)}")
            if now > helped + RESTART_AFTER_S:
                helped, self.helped = now, self.helped + 1
                self.tell(f"the operator restarts: {'; '.join(ill)}")
                for gateway in self.gateways:
                    gateway.terminate()
            if now > resumed + RESUME_EVERY_S:
                resumed = now
                for name in self.sandbox.networks:
                    await self.resume(name)
            await asyncio.sleep(LOOK_EVERY_S)

    async def _ill(self) -> list[str]:
        """Accounts that are not healthy, and why."""
        rows = await self._ask("accounts")
        if rows is None:
            return ["no gateway answers"]
        return [
            f"{row['account']} is {row['standing']} ({row['evidence']})"
            for row in rows
            if row["standing"] != "healthy" or not row["listening"]
        ]

    async def _until_calm(self) -> None:
        """Until nothing is under way and every question has its answer; what is missing then is counted."""
        try:
            async with asyncio.timeout(CALM_TIMEOUT_S):
                while not (
                    (rows := await self._rows()) is not None and is_calm(rows) and await self._all_answered(rows)
                ):
                    await asyncio.sleep(LOOK_EVERY_S)
        except TimeoutError:
            self.tell(f"not calm within {CALM_TIMEOUT_S:.0f} s: the count says what is missing")

    async def _all_answered(self, rows: list[dict[str, Any]]) -> bool:
        world = await self._world()
        self._ledger.wrote(await self.database.books())
        return not unanswered(world, rows, self._ledger.books)

    async def _rows(self) -> list[dict[str, Any]] | None:
        """Every delivery that did not simply arrive."""
        rows = []
        for state in STATES:
            found = await self._ask("deliveries", state=state, limit=1000)
            if found is None:
                return None
            rows += found
        return rows

    async def _ask(self, operation: str, **arguments: Any) -> Any:
        for gateway in self.gateways:
            answer = await gateway.ask(operation, **arguments)
            if answer is not None:
                return answer
        return None
