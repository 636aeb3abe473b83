"""The database under the gateways: what they are told of it, how it is hurt, and how it is read past them."""

from __future__ import annotations

import asyncio
import json
import secrets
import shutil
import signal
import sys
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from chaos_count import Entry
from chaos_disk import Disk, open_disk
from sqlalchemy import Row, TextClause, create_engine, text
from sqlalchemy.pool import NullPool

SENT = text(
    "SELECT p.account, p.ref, p.delivery, d.reason, d.draft FROM sent_parts p"
    " JOIN deliveries d ON d.workspace = p.workspace AND d.id = p.delivery"
)
TABLES = ("deliveries", "sent_parts", "events", "cursors", "accounts", "standings", "members", "leases")
"""What is worth a look afterwards."""
OWNERS = text("SELECT l.name, l.owner FROM leases l JOIN members m ON m.workspace = l.workspace AND m.id = l.owner")


class Database(ABC):
    """One for all gateways of a world."""

    told: str
    keys: dict[str, Any]
    """What ``[gateway]`` says of it."""
    environment: dict[str, str]
    disk: Disk | None = None
    """Where it may be full."""
    refusals: tuple[str, ...]
    """What a gateway says, in its last line, that can't start because of what is done to it here."""

    @property
    @abstractmethod
    def address(self) -> str:
        """For SQLAlchemy, to read it."""

    @abstractmethod
    async def open(self) -> None:
        """Before the first gateway."""

    @abstractmethod
    async def close(self, keep: Path) -> None:
        """After the last one. What is worth a look stays in ``keep``."""

    async def books(self) -> list[Entry]:
        """Every part that was sent, as it is written there."""
        rows = await asyncio.to_thread(_read, self.address, SENT)
        return [
            Entry(account.partition("/")[0], ref, delivery, reason, rerouted="been_on" in json.loads(bytes(draft)))
            for account, ref, delivery, reason, draft in rows
        ]


class File(Database):
    """SQLite, on a disk of its own."""

    def __init__(self, folder: Path, pids: Callable[[], Iterable[int]]) -> None:
        self.disk: Disk = open_disk(folder / "disk", pids)
        self.refusals = self.disk.full
        self.path = self.disk.folder / "multihome.db"
        self.keys = {"database": f"sqlite:///{self.path}"}
        self.environment = {}
        self.told = f"an SQLite file; a full disk is {self.disk.how}"

    @property
    def address(self) -> str:
        return f"sqlite:///file:{self.path}?mode=ro&uri=true"

    async def open(self) -> None:
        """The first gateway makes it."""

    async def close(self, keep: Path) -> None:
        self.disk.free()
        self.disk.close(keep)


class Server(Database):
    """PostgreSQL, a private one. It keeps what it acknowledged, however it ends."""

    told = "a private PostgreSQL"
    refusals = (
        "the database can't be reached",
        "the database is stopping or starting",
        "the connection to the database broke",
    )

    def __init__(self) -> None:
        sys.path.append(str(Path(__file__).resolve().parents[1]))
        from postgres_rig import Postgres

        self._server = Postgres(durable=True)
        self.environment = {"CHAOS_VAULT_KEY": secrets.token_urlsafe(32)}
        self.keys = {}

    @property
    def address(self) -> str:
        return self.keys["database"].replace("postgresql://", "postgresql+psycopg://", 1)

    async def open(self) -> None:
        self._server.start()
        database = self._server.new_database()
        self.keys = {"database": database, "vault_key": {"env": "CHAOS_VAULT_KEY"}}

    async def close(self, keep: Path) -> None:
        keep.mkdir()
        for table in TABLES if self.keys else ():
            rows = await asyncio.to_thread(_read, self.address, text(f"SELECT * FROM {table}"))  # noqa: S608 - our names
            (keep / f"{table}.jsonl").write_text("\n".join(json.dumps(dict(row._mapping), default=str) for row in rows))
        await asyncio.to_thread(self._server.stop)
        shutil.copy(self._server.folder / "log", keep / "log")
        self._server.remove()

    async def stop(self, how: signal.Signals) -> None:
        await asyncio.to_thread(self._server.stop, how)

    async def start(self) -> None:
        await asyncio.to_thread(self._server.start)

    async def holdings(self) -> Counter[str]:
        """How many leases each live gateway has."""
        return Counter(owner for _, owner in await self.owners())

    async def owners(self) -> Sequence[Row[Any]]:
        """Each lease and who has it."""
        return await asyncio.to_thread(_read, self.address, OWNERS)


def _read(address: str, question: TextClause) -> Sequence[Row[Any]]:
    engine = create_engine(address, poolclass=NullPool)
    try:
        with engine.connect() as connection:
            return connection.execute(question).all()
    finally:
        engine.dispose()
