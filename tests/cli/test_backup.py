"""``multihome backup``, and the restore as docs/operations.md tells it."""

from __future__ import annotations

from collections.abc import Callable

from cli_rig import House


def test_a_copy_made_by_the_running_gateway_is_restored_as_the_page_says(house: Callable[..., House]) -> None:
    h = house("mastodon")
    with h.gateway() as gateway:
        h.told("announce", "-", "--key", "k1", stdin=b"Before the copy")
        gateway.until(lambda: h.texts("mastodon") == ["Before the copy"])
        copy = h.folder / "copy.db"
        answer = h.told("backup", str(copy))
        assert answer == {"file": str(copy), "size_bytes": copy.stat().st_size}
        assert "is there already" in h.refused("backup", str(copy))
        h.told("announce", "-", "--key", "k2", stdin=b"After the copy")
        gateway.until(lambda: "After the copy" in h.texts("mastodon"))
    for old in h.folder.glob("multihome.db*"):
        if old.name in {"multihome.db", "multihome.db-wal", "multihome.db-shm"}:
            old.unlink()
    copy.rename(h.folder / "multihome.db")
    with h.gateway():
        again = h.told("announce", "-", "--key", "k1", stdin=b"Before the copy")
        assert [one["state"] for one in again["deliveries"]] == ["delivered"]
        assert [one["state"] for one in h.told("deliveries")] == ["delivered"]
    assert h.texts("mastodon").count("Before the copy") == 1


def test_without_a_gateway_it_works_as_well(house: Callable[..., House]) -> None:
    h = house("mastodon")
    h.told("announce", "-", "--key", "k1", stdin=b"Later")
    said = h.multihome("backup", "copy.db")
    assert "everything as it was at one moment" in said.stdout
    assert (h.folder / "copy.db").exists()
    assert "File name too long; choose a shorter one" in h.refused("backup", "x" * 300)
