"""Opening a PostgreSQL database: what is refused in one line, with nothing changed; and that migrated is like fresh."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from alembic import command
from postgres_rig import Postgres
from sqlalchemy import create_engine

from gateway.books import StoreError
from gateway.model.ids import WorkspaceId
from gateway.store import open_store
from gateway.store.migrate import config
from gateway.store.schema import HEAD
from gateway.testing.store_drafts import ACCOUNTS, HOME, NOW, new

COLUMNS = """
SELECT table_name, column_name, data_type, character_maximum_length, is_nullable, column_default
FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'alembic_version' ORDER BY 1, 2
"""
INDEXES = """
SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'alembic_version' ORDER BY 1
"""
CONSTRAINTS = """
SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE connamespace = 'public'::regnamespace AND conrelid <> 'alembic_version'::regclass ORDER BY 1, 2
"""
SEQUENCES = "SELECT sequencename, data_type::text, increment_by, cache_size FROM pg_sequences ORDER BY 1"


def closed(url: str) -> None:
    asyncio.run(open_store(url).aclose())


def refused(url: str) -> str:
    with pytest.raises(StoreError) as told:
        open_store(url)
    line = str(told.value)
    assert "\n" not in line
    assert "secret" not in line
    return line


def asked(url: str, *questions: str) -> list[list[tuple[object, ...]]]:
    with psycopg.connect(url) as connection:
        return [connection.execute(question).fetchall() for question in questions]


def done(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)


@pytest.fixture
def empty(postgres: Postgres):
    url = postgres.new_database()
    yield url
    postgres.drop(url)


def test_no_server() -> None:
    for url in ("postgresql://me:secret@127.0.0.1:1/x", "postgresql://me:secret@/x?host=/nowhere"):
        assert refused(url).startswith("the database can't be reached: start it, or correct `database` (")


def test_no_address() -> None:
    assert refused("postgresql://me:secret@host:port:x/?a").startswith("`database` is no address: write postgresql://")
    assert refused("postgresql://me@host/x?speed=secret").startswith("`database` is no address")


def test_a_wrong_password(postgres: Postgres) -> None:
    postgres.execute("CREATE ROLE guarded LOGIN PASSWORD 'right'")
    rules = postgres.folder / "data" / "pg_hba.conf"
    before = rules.read_text()
    rules.write_text("local all guarded scram-sha-256\n" + before)
    postgres.execute("SELECT pg_reload_conf()")
    try:
        url = postgres.url("postgres", user="guarded", password="secret")
        while "refuses this user's password: set PGPASSWORD" not in (line := refused(url)):
            assert "own" in line or "right" in line  # the rules are not read yet
        assert "wants a password" in refused(postgres.url("postgres", user="guarded"))
    finally:
        rules.write_text(before)
        postgres.execute("SELECT pg_reload_conf()")


def test_no_database(postgres: Postgres) -> None:
    line = refused(postgres.url("absent"))
    assert line.startswith("the database absent isn't there: make it with `createdb absent`")


def test_no_user(postgres: Postgres) -> None:
    assert refused(postgres.url("postgres", user="nobody")).startswith("the database knows no such user")


def test_who_may_not_make_tables(postgres: Postgres, empty: str) -> None:
    postgres.execute("DROP ROLE IF EXISTS guest")
    postgres.execute("CREATE ROLE guest LOGIN")
    name = empty.partition("?")[0].rpartition("/")[2]
    assert "give this user the right to" in refused(postgres.url(name, user="guest"))
    assert asked(empty, COLUMNS) == [[]]


def test_a_newer_database_is_left_alone(postgres_url: str) -> None:
    done(postgres_url, "UPDATE alembic_version SET version_num = '0999'")
    assert "by a newer Multihome (schema 0999, this one knows 0003): update it" in refused(postgres_url)


def test_another_programs_database_is_left_alone(empty: str) -> None:
    done(empty, "CREATE TABLE accounts (id int)")
    assert "belongs to another program (it has a table accounts): name another one" in refused(empty)
    assert len(asked(empty, COLUMNS)[0]) == 1


def test_a_database_of_another_encoding(postgres: Postgres) -> None:
    postgres.execute("CREATE DATABASE old TEMPLATE template0 ENCODING 'LATIN1'")
    assert "keeps its text in LATIN1: make one with ENCODING 'UTF8'" in refused(postgres.url("old"))


def test_many_open_a_new_one_at_once(empty: str) -> None:
    with ThreadPoolExecutor(6) as threads:
        for opening in [threads.submit(closed, empty) for _ in range(6)]:
            opening.result()
    assert asked(empty, "SELECT version_num FROM alembic_version") == [[(HEAD,)]]


@pytest.mark.parametrize("steps", [["head"], ["0001", "head"]])
def test_migrated_is_the_same_as_fresh(empty: str, postgres_url: str, steps: list[str]) -> None:
    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(empty))
    for step in steps:
        with engine.begin() as connection:
            command.upgrade(config(connection), step)
    engine.dispose()
    questions = (COLUMNS, INDEXES, CONSTRAINTS, SEQUENCES)
    migrated, fresh = asked(empty, *questions), asked(postgres_url, *questions)
    assert migrated == fresh
    assert all(fresh)


async def test_an_older_one_is_brought_up_to_date_with_what_is_in_it(empty: str) -> None:
    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(empty))
    with engine.begin() as connection:
        command.upgrade(config(connection), "0001")
    engine.dispose()
    done(empty, "INSERT INTO onces VALUES ('default', 'said', 0)")
    store = open_store(empty)
    assert not await store.once("said", NOW)
    await store.tend("me", ACCOUNTS, 60.0)
    (added,) = await store.add([new("a")], NOW)
    assert await store.begin(added, (), NOW)
    await store.aclose()


async def test_workspaces_dont_see_each_other(postgres_url: str) -> None:
    one, two = (open_store(postgres_url, WorkspaceId(name)) for name in ("one", "two"))
    heard: list[object] = []
    two.listen(lambda *news: heard.append(news))
    assert await one.once("key", NOW)
    assert await two.once("key", NOW)
    assert set((await one.tend("me", [HOME], 60.0)).held) == {HOME}
    theirs = await two.tend("me", [HOME], 60.0)
    assert (set(theirs.held), theirs.members) == ({HOME}, 1)
    sha256 = await one.put_media(b"picture", "image/png")
    with pytest.raises(KeyError):
        await two.media(sha256)
    assert not heard
    await one.aclose()
    await two.aclose()


def test_alembic_stays_out_while_the_schema_is_right(postgres_url: str) -> None:
    code = (
        "import asyncio, sys\nfrom gateway.store import open_store\n"
        f"asyncio.run(open_store({postgres_url!r}).aclose())\n"
        "assert not any(name.startswith('alembic') for name in sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)


def test_without_the_driver() -> None:
    code = (
        "import sys\nfrom gateway.store import open_store\nassert 'psycopg' not in sys.modules\n"
        "sys.modules['psycopg'] = None\nopen_store('postgresql://me@host/x')\n"
    )
    told = subprocess.run([sys.executable, "-c", code], check=False, timeout=30, capture_output=True, text=True)
    assert "StoreError: PostgreSQL's driver is missing: in the clone, pip install '.[postgres]'" in told.stderr
