"""The local endpoint while the database fails: nothing is accepted, and the caller hears so."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
from core_rig import World

from gateway.api import local
from gateway.api.local import LocalEndpoint
from gateway.books import StoreError
from gateway.database_url import place
from gateway.desk.desk import Desk, Papers
from gateway.directory import Directory


async def test_a_database_that_is_gone_is_a_clear_503_and_nothing_is_accepted(
    world: Callable[..., World], tmp_path: Path
) -> None:
    w = world()
    async with w.house() as house:
        unused: Any = None
        desk = Desk(
            house.services,
            house.monitor,
            house.announcer,
            Directory(house.services),
            house.outbox,
            house.pipeline,
            house.adapters,
            Papers(unused, unused, unused),
        )
        endpoint = LocalEndpoint(desk, place(f"sqlite:///{tmp_path}/m.db", "default", tmp_path))
        await endpoint.start()
        told = json.loads((tmp_path / "m.db.endpoint").read_text())
        headers = {"Authorization": f"Bearer {told['token']}"}

        def gone(name: str) -> None:
            if name in ("add", "counts"):
                raise StoreError("the database can't be reached: start it, and ask again")

        try:
            async with aiohttp.ClientSession(told["url"], headers=headers) as session:
                house.store.before = gone
                for operation, arguments in (("announce", {"text": "Hello"}), ("status", {})):
                    async with session.post(f"/local/{operation}", json=arguments) as answer:
                        assert answer.status == 503
                        assert (await answer.json())["error"].startswith("the database can't be reached")
                house.store.before = lambda _: None
                assert await house.real_store.deliveries() == ()
                async with session.post("/local/announce", json={"text": "Hello"}) as answer:
                    assert answer.status == 200
        finally:
            await endpoint.stop()
        await house.quiet()
    assert w.texts(house.members[0].account) == ["Hello"]


def test_a_full_disk_is_not_blamed_on_the_port(tmp_path: Path) -> None:
    why = local._unable(OSError(errno.ENOSPC, "No space left on device"), 0, tmp_path / "endpoint")
    assert why.startswith(f"{tmp_path / 'endpoint'} can't be written (No space left on device)")
