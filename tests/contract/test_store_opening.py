"""Opening a database: what is refused in one line, with nothing changed; and that migrated is the same as fresh."""

from __future__ import annotations

import os
import resource
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import NullPool, create_engine

from gateway.books import StoreError
from gateway.model.ids import WorkspaceId
from gateway.store import open_store
from gateway.store.migrate import config, upgrade
from gateway.store.schema import HEAD, metadata

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def url(path: Path) -> str:
    return f"sqlite:///{path}"


async def made(path: Path) -> None:
    store = open_store(url(path))
    await store.once("something", NOW)
    await store.aclose()


def change(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as raw:
        raw.execute(statement)
        raw.commit()


def text_file(path: Path) -> None:
    path.write_text("Dear diary,\n" * 100)


def damaged(path: Path) -> None:
    path.write_bytes(b"SQLite format 3\0" + bytes(range(256)) * 64)


def foreign(path: Path) -> None:
    change(path, "CREATE TABLE bookmarks (url TEXT)")


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (text_file, "is not a database: move it away"),
        (damaged, "can't be read as a database"),
        (foreign, "belongs to another program"),
    ],
)
def test_a_file_that_is_not_ours_is_left_alone(tmp_path: Path, make: Callable[[Path], None], line: str) -> None:
    path = tmp_path / "my.db"
    make(path)
    before = path.read_bytes()
    with pytest.raises(StoreError, match=line) as refused:
        open_store(url(path))
    assert "\n" not in str(refused.value)
    assert path.read_bytes() == before
    assert {file.name for file in tmp_path.iterdir()} <= {"my.db", "my.db.lock"}


@pytest.mark.parametrize(("before", "after"), [(None, 0o600), (0o644, 0o644)])
async def test_a_new_database_is_for_its_owner_and_an_old_one_keeps_its_rights(
    tmp_path: Path, before: int | None, after: int
) -> None:
    """As docs/operations.md has it. SQLite's other files take after it."""
    path = tmp_path / "my.db"
    if before is not None:
        await made(path)
        path.chmod(before)
    usual = os.umask(0)
    try:
        store = open_store(url(path))
        await store.once("more", NOW)
        modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.glob("my.db*") if file.suffix != ".lock"}
        await store.aclose()
    finally:
        os.umask(usual)
    assert modes == dict.fromkeys(("my.db", "my.db-wal", "my.db-shm"), after)


@pytest.mark.parametrize("clean", [True, False])
async def test_a_newer_database_is_left_alone(tmp_path: Path, clean: bool) -> None:
    path = tmp_path / "my.db"
    await made(path)
    change(path, "UPDATE alembic_version SET version_num = '0999'")
    log = Path(f"{path}-wal")
    if not clean:  # as a killed gateway leaves it
        with closing(sqlite3.connect(path)) as raw:
            raw.execute("INSERT INTO onces VALUES ('default', 'late', 0)")
            raw.commit()
            left = log.read_bytes()
        log.write_bytes(left)
    before = {file: file.read_bytes() for file in (path, log) if file.exists()}
    with pytest.raises(StoreError, match=r"newer Multihome \(schema 0999, this one knows 0003\): update"):
        open_store(url(path))
    assert {file: file.read_bytes() for file in before} == before


@pytest.mark.skipif(sys.platform != "linux", reason="a limit on the size of files stands for the full disk")
async def test_a_full_disk_after_a_crash_is_called_full(tmp_path: Path) -> None:
    path = tmp_path / "my.db"
    await made(path)
    log = Path(f"{path}-wal")
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("INSERT INTO onces VALUES ('default', 'late', 0)")
        raw.commit()
        left = log.read_bytes()
    log.write_bytes(left)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, before[1]))
    try:
        with pytest.raises(StoreError, match=r"the disk is full: nothing of this was written; free some space"):
            open_store(url(path))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    await open_store(url(path)).aclose()


async def test_a_second_gateway_gets_one_clear_line(tmp_path: Path) -> None:
    path = tmp_path / "my.db"
    store = open_store(url(path))
    before = sha256(path.read_bytes()).hexdigest()
    with pytest.raises(StoreError, match=rf"another gateway \(process {os.getpid()}\) uses .*my.db: stop it first"):
        open_store(url(path))
    assert sha256(path.read_bytes()).hexdigest() == before
    assert await store.once("still at work", NOW)
    await store.aclose()
    await made(path)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"the folder .* doesn't exist: make it"):
        open_store(url(tmp_path / "nowhere" / "my.db"))
    assert not list(tmp_path.iterdir())


def test_a_folder_instead_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "my.db").mkdir()
    with pytest.raises(StoreError, match="is a folder: name a file"):
        open_store(url(tmp_path / "my.db"))


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder that even root can't write")
def test_a_folder_that_cant_be_written() -> None:
    with pytest.raises(StoreError, match=r"can't be written.*give this user the right to"):
        open_store("sqlite:////proc/self/my.db")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")
async def test_a_file_that_cant_be_written(tmp_path: Path) -> None:
    path = tmp_path / "my.db"
    await made(path)
    path.chmod(0o400)
    before = path.read_bytes()
    with pytest.raises(StoreError, match="can't be read and written"):
        open_store(url(path))
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("database", "line"),
    [
        ("multihome.db", "is not a database URL: write sqlite:///multihome.db"),
        ("sqlite://", "a restart forgets everything"),
        ("sqlite:///:memory:", "a restart forgets everything"),
        ("mysql://localhost/multihome", "a mysql database can't be used: write sqlite:/// or postgresql://"),
    ],
)
def test_other_urls(database: str, line: str) -> None:
    with pytest.raises(StoreError, match=line):
        open_store(database)


async def test_an_empty_file_becomes_a_database(tmp_path: Path) -> None:
    (tmp_path / "my.db").touch()
    await made(tmp_path / "my.db")


async def test_how_it_is_opened(tmp_path: Path) -> None:
    store = open_store(url(tmp_path / "my.db"))
    raw = store._writer._tx.raw
    asked = ("journal_mode", "synchronous", "foreign_keys")
    assert [raw.execute(f"PRAGMA {name}").fetchone()[0] for name in asked] == ["wal", 2, 1]
    await store.aclose()
    assert not Path(f"{tmp_path / 'my.db'}-wal").exists()  # the writer closed last, and tidied up


async def test_workspaces_dont_see_each_other(tmp_path: Path) -> None:
    for name in ("one", "two"):
        store = open_store(url(tmp_path / "my.db"), WorkspaceId(name))
        assert await store.once("key", NOW)
        with pytest.raises(KeyError):
            await store.media(sha256(b"picture").hexdigest())
        await store.put_media(b"picture", "image/png")
        await store.aclose()


def test_every_table_and_key_has_the_workspace() -> None:
    for table in metadata.sorted_tables:
        if table.name == "alembic_version":
            continue
        assert not table.c.workspace.nullable
        for index in table.indexes:
            assert next(iter(index.columns)).name == "workspace", index.name


def schema_of(path: Path) -> list[tuple[str, str, str]]:
    with closing(sqlite3.connect(path)) as raw:
        rows = raw.execute("SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'").fetchall()
    return sorted((kind, name, " ".join(sql.split())) for kind, name, sql in rows if name != "alembic_version")


async def test_migrated_is_the_same_as_fresh(tmp_path: Path) -> None:
    await made(tmp_path / "fresh.db")
    engine = create_engine(
        "sqlite://",
        creator=lambda: sqlite3.connect(tmp_path / "migrated.db", isolation_level=None),
        poolclass=NullPool,
    )
    with engine.connect() as connection:
        upgrade(connection)
        assert MigrationContext.configure(connection).get_current_revision() == HEAD
        connection.detach()
        connection.close()
    assert schema_of(tmp_path / "migrated.db") == schema_of(tmp_path / "fresh.db")
    await made(tmp_path / "migrated.db")


def test_the_head_is_the_last_script() -> None:
    assert ScriptDirectory.from_config(config()).get_heads() == [HEAD]


async def test_alembic_stays_out_while_the_schema_is_right(tmp_path: Path) -> None:
    code = (
        "import asyncio, sys\nfrom gateway.store import open_store\n"
        f"async def main():\n  await open_store({url(tmp_path / 'my.db')!r}).aclose()\n"
        "asyncio.run(main())\nassert not any(name.startswith('alembic') for name in sys.modules)\n"
    )
    for _ in range(2):
        subprocess.run([sys.executable, "-c", code], check=True, timeout=30)
