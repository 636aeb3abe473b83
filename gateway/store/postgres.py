"""Opening a PostgreSQL database: look at everything first, change nothing when something is wrong."""

from __future__ import annotations

from pathlib import Path
from secrets import token_hex

from sqlalchemy import Connection, bindparam, func, insert, inspect, select, text

from gateway.books import StoreError, Topic
from gateway.clock import SystemClock
from gateway.model.ids import DEFAULT_WORKSPACE, WorkspaceId
from gateway.ports import Clock
from gateway.store.ears import Ears
from gateway.store.faults import told
from gateway.store.members import Members
from gateway.store.postgres_transaction import PostgresTransaction, channel
from gateway.store.readers import Readers
from gateway.store.schema import HEAD, metadata, version
from gateway.store.server import OLDEST, Server
from gateway.store.store import SqlStore
from gateway.store.writer import Writer, apart

VERSIONS = Path(__file__).parent / "migrations" / "versions"
MAKING = 0x6D756C7469686F6D
"""The advisory lock of whoever makes or changes the tables."""


class PostgresStore(Members, SqlStore):
    """Shared with other gateways."""

    def __init__(self, workspace: WorkspaceId, transaction: PostgresTransaction, server: Server, clock: Clock) -> None:
        def heard(topic: Topic, _: str) -> None:
            if topic in (Topic.PEOPLE, Topic.MISSED):
                transaction.out_of_date = True

        self._ears = Ears(server, channel(workspace), transaction.sender, heard)
        super().__init__(workspace, Writer(transaction), Readers(server.engine()), clock)

    @property
    def alone(self) -> bool:
        return False

    async def aclose(self) -> None:
        await super().aclose()
        await apart(self._ears.close)


def open_store(url: str, workspace: WorkspaceId = DEFAULT_WORKSPACE, clock: Clock | None = None) -> PostgresStore:
    """The store in ``postgresql://user@host/database``, with its tables made or brought up to date where needed.

    Raises StoreError, one line with the cure, before anything was changed.
    """
    server = Server(url, clock or SystemClock())
    try:
        _prepare(server)
        return PostgresStore(workspace, PostgresTransaction(workspace, server, token_hex(8)), server, server.clock)
    except StoreError:
        raise
    except Exception as error:
        raise told(error) from error


def _prepare(server: Server) -> None:
    engine = server.engine("READ COMMITTED")
    try:
        with engine.begin() as connection:
            _check(connection)
            if _revision(connection) != HEAD:
                _bring_up_to_date(connection)
    finally:
        engine.dispose()


def _check(connection: Connection) -> None:
    number, encoding = connection.execute(
        text("SELECT current_setting('server_version_num')::int, current_setting('server_encoding')")
    ).one()
    if number < OLDEST:
        raise StoreError(f"PostgreSQL {number // 10_000} is too old: use {OLDEST // 10_000} or newer")
    if encoding != "UTF8":
        raise StoreError(f"the database keeps its text in {encoding}: make one with ENCODING 'UTF8'")


def _revision(connection: Connection) -> str | None:
    """The schema's version, None for a database without our tables."""
    ours = metadata.tables.keys() & set(inspect(connection).get_table_names())
    if not ours:
        return None
    if not {"alembic_version", "deliveries"} <= ours:
        raise StoreError(f"the database belongs to another program (it has a table {min(ours)}): name another one")
    found = str(connection.execute(select(version.c.version_num)).scalar())
    if found != HEAD and not any(script.name.startswith(f"{found}_") for script in VERSIONS.glob("*.py")):
        raise StoreError(
            f"the database was made by a newer Multihome (schema {found}, this one knows {HEAD}): update it"
        )
    return found


def _bring_up_to_date(connection: Connection) -> None:
    """One gateway does it, and the others wait."""
    connection.execute(text("SET LOCAL statement_timeout = 0"))
    connection.execute(select(func.pg_advisory_xact_lock(bindparam("lock"))), {"lock": MAKING})
    found = _revision(connection)
    if found is None:
        metadata.create_all(connection, checkfirst=False)
        connection.execute(insert(version).values(version_num=HEAD))
    elif found != HEAD:
        from gateway.store.migrate import run

        run(connection)
