"""gateway/vault.py: secrets on disk, for the owner's eyes only."""

import asyncio
import os
import stat

import pytest

from gateway import vault as vault_module
from gateway.model.ids import AccountId
from gateway.model.secret import Secret
from gateway.vault import SIZE_MAX_BYTES, FileVault, VaultError

ACCOUNT = AccountId("net/main")


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "vault"


@pytest.fixture
def vault(folder):
    return FileVault(folder, ACCOUNT)


def only_file(folder):
    (path,) = (path for path in folder.rglob("*") if path.is_file())
    return path


async def test_what_was_put_is_there_for_the_next_process(vault, folder):
    await vault.put("session", Secret("first"))
    await vault.put("session", Secret("second ü"))
    assert await FileVault(folder, ACCOUNT).get("session") == Secret("second ü")


async def test_a_secret_never_put_is_none_and_makes_no_folder(vault, folder):
    assert await vault.get("session") is None
    assert not folder.exists()


async def test_accounts_and_names_are_apart(vault, folder):
    await vault.put("a", Secret("1"))
    await vault.put("b", Secret("2"))
    await FileVault(folder, AccountId("net/other")).put("a", Secret("3"))
    assert await vault.get("a") == Secret("1")
    assert await FileVault(folder, AccountId("net/other")).get("b") is None


async def test_only_the_owner_can_read(vault, folder):
    umask = os.umask(0)
    try:
        await vault.put("session", Secret("s3cret"))
    finally:
        os.umask(umask)
    path = only_file(folder)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.parametrize("which", ["file", "folder"])
async def test_refuses_what_others_may_read_and_says_the_cure(vault, folder, which):
    await vault.put("session", Secret("s3cret"))
    path = only_file(folder)
    shared = path if which == "file" else path.parent
    shared.chmod(0o755)
    with pytest.raises(VaultError, match=f"chmod [67]00 {shared}") as caught:
        await vault.get("session")
    assert "s3cret" not in str(caught.value)


async def test_refuses_to_write_into_a_shared_folder(vault, folder):
    await vault.put("session", Secret("old"))
    only_file(folder).parent.chmod(0o750)
    with pytest.raises(VaultError, match="chmod 700"):
        await vault.put("session", Secret("new"))
    assert only_file(folder).read_text() == "old"


@pytest.mark.parametrize("name", ["", "../escape", "a/b", ".hidden", "UPPER", "a" * 65, "a\n", "a\0"])
async def test_odd_names_are_a_programming_error(vault, name):
    with pytest.raises(ValueError, match="name"):
        await vault.put(name, Secret("x"))
    with pytest.raises(ValueError, match="name"):
        await vault.get(name)


async def test_an_account_named_dots_stays_inside(folder):
    await FileVault(folder, AccountId("net/..")).put("a", Secret("1"))
    assert only_file(folder).parent.parent == folder


async def test_a_symbolic_link_is_not_followed(vault, folder, tmp_path):
    await vault.put("session", Secret("mine"))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("theirs")
    elsewhere.chmod(0o600)
    path = only_file(folder)
    path.unlink()
    path.symlink_to(elsewhere)
    with pytest.raises(VaultError, match="can't be read"):
        await vault.get("session")
    await vault.put("session", Secret("new"))
    assert elsewhere.read_text() == "theirs"
    assert await vault.get("session") == Secret("new")


async def test_a_crash_before_the_swap_leaves_the_old_secret(vault, folder, monkeypatch):
    await vault.put("session", Secret("old"))

    def power_cut(path, content):
        path.write_bytes(content[:2])
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(vault_module, "_write_through", power_cut)
        with pytest.raises(VaultError, match="can't be written: Input/output error"):
            await vault.put("session", Secret("new"))
    assert await vault.get("session") == Secret("old")
    await vault.put("session", Secret("newer"))
    assert await vault.get("session") == Secret("newer")


async def test_file_and_folder_are_synced_before_put_returns(vault, folder, monkeypatch):
    steps = []
    fsync, replace = os.fsync, os.replace

    def watched_fsync(handle):
        steps.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file")
        fsync(handle)

    def watched_replace(source, target):
        steps.append("swap")
        replace(source, target)

    await vault.put("session", Secret("old"))
    monkeypatch.setattr(os, "fsync", watched_fsync)
    monkeypatch.setattr(os, "replace", watched_replace)
    await vault.put("session", Secret("new"))
    assert steps == ["file", "swap", "folder"]


async def test_a_cancelled_put_is_on_disk_before_the_cancellation_goes_on(vault):
    putting = asyncio.create_task(vault.put("session", Secret("rotated")))
    await asyncio.sleep(0)
    putting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await putting
    assert await vault.get("session") == Secret("rotated")


async def test_puts_under_way_at_once_keep_their_order(vault):
    await asyncio.gather(*(vault.put("session", Secret(str(number))) for number in range(20)))
    assert await vault.get("session") == Secret("19")


async def test_a_file_that_is_no_secret_gives_one_line(vault, folder):
    await vault.put("session", Secret("x"))
    path = only_file(folder)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(VaultError, match="not text"):
        await vault.get("session")
    path.write_bytes(b"x" * (SIZE_MAX_BYTES + 1))
    with pytest.raises(VaultError, match="larger"):
        await vault.get("session")
    with pytest.raises(VaultError, match="larger"):
        await vault.put("session", Secret("x" * (SIZE_MAX_BYTES + 1)))
