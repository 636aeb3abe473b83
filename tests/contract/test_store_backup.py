"""A copy of a database in use is a whole database, as it was at one moment."""

from __future__ import annotations

import asyncio
import errno
import os
from pathlib import Path

import pytest
from postgres_rig import Postgres

from gateway.books import Store, StoreError
from gateway.model.delivery import State
from gateway.store import open_store
from gateway.testing.store_drafts import HOME, NOW, new


async def test_a_copy_made_while_others_write_holds_what_was_acknowledged_before(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'my.db'}")
    writing = asyncio.create_task(_write(store))
    try:
        await store.add([new("before")], NOW)
        size_bytes = await store.backup(tmp_path / "copy.db")
    finally:
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        await store.aclose()
    assert size_bytes == (tmp_path / "copy.db").stat().st_size
    assert (tmp_path / "copy.db").stat().st_mode & 0o777 == 0o600
    restored = open_store(f"sqlite:///{tmp_path / 'copy.db'}")
    try:
        names = {one.id for one in await restored.deliveries(limit=10_000)}
        assert "before" in names
        numbers = sorted(int(name[1:]) for name in names - {"before"})
        assert numbers == list(range(len(numbers)))  # none is missing in between
        await restored.add([new("after")], NOW)
        assert (await restored.counts())[HOME][State.QUEUED] >= 1
    finally:
        await restored.aclose()


async def _write(store: Store) -> None:
    for n in range(10_000):
        await store.add([new(f"n{n}", order=f"o{n}")], NOW)


async def test_it_never_writes_over_something(tmp_path: Path) -> None:
    (tmp_path / "there").write_text("precious")
    store = open_store(f"sqlite:///{tmp_path / 'my.db'}")
    try:
        with pytest.raises(StoreError, match="is there already"):
            await store.backup(tmp_path / "there")
        with pytest.raises(StoreError, match="no copy was made"):
            await store.backup(tmp_path / "nowhere" / "copy.db")
    finally:
        await store.aclose()
    assert (tmp_path / "there").read_text() == "precious"
    assert not list(tmp_path.glob("*.unfinished"))


async def test_what_can_not_be_a_copy_is_told_in_one_line_with_the_cure(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    store = open_store(f"sqlite:///{tmp_path / 'my.db'}")
    try:
        for name, why, cure in (
            ("x" * 300, "File name too long", "choose a shorter one"),
            ("x" * 250, "File name too long", "choose a shorter one"),
            ("nowhere/copy.db", "No such file or directory", "make the folder first"),
            ("file/copy.db", "Not a directory", "name a file in a folder"),
        ):
            with pytest.raises(StoreError) as refused:
                await store.backup(tmp_path / name)
            assert str(refused.value) == f"no copy was made at {tmp_path / name}: {why}; {cure}"
    finally:
        await store.aclose()
    assert not list(tmp_path.glob("*.unfinished"))


@pytest.mark.parametrize("code", [errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS])
async def test_a_disk_without_hard_links_gets_its_copy_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """exFAT, network drives. There, too, never over something that is there."""

    def link(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    store = open_store(f"sqlite:///{tmp_path / 'my.db'}")
    monkeypatch.setattr(os, "link", link)
    try:
        size_bytes = await store.backup(tmp_path / "copy.db")
        monkeypatch.setattr(Path, "exists", lambda _: False)  # it comes between the look and the end of the copy
        with pytest.raises(StoreError, match="File exists; name a new file"):
            await store.backup(tmp_path / "copy.db")
    finally:
        await store.aclose()
    assert (tmp_path / "copy.db").stat().st_size == size_bytes
    assert (tmp_path / "copy.db").stat().st_mode & 0o777 == 0o600
    assert not list(tmp_path.glob("*.unfinished"))


async def test_postgresql_is_copied_and_restored_with_its_own_tools(
    postgres: Postgres, postgres_url: str, tmp_path: Path
) -> None:
    """The commands are those of docs/operations.md."""
    store = open_store(postgres_url)
    try:
        await store.tend("me", [HOME], 60.0)
        await store.add([new("before", order="o"), new("behind", order="o")], NOW)
        copy = postgres.folder / "copy.dump"
        postgres.run("pg_dump", "--format=custom", f"--file={copy}", f"--dbname={postgres_url}")
        await store.add([new("after")], NOW)
        with pytest.raises(StoreError, match="use pg_dump"):
            await store.backup(tmp_path / "copy.db")
    finally:
        await store.aclose()
    postgres.run("pg_restore", "--clean", "--if-exists", f"--dbname={postgres_url}", str(copy))
    restored = open_store(postgres_url)
    try:
        names = [one.id for one in await restored.deliveries()]
        assert names == ["behind", "before"]
        added = await restored.add([new("later", order="o")], NOW)
        assert [one.state for one in added] == [State.WAITING]
        assert len({one.seq for one in await restored.deliveries()}) == 3
    finally:
        await restored.aclose()
