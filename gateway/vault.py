"""Secrets that change while the gateway runs, kept on disk: one file each, for the owner's eyes only."""

from __future__ import annotations

import asyncio
import os
import re
import stat
from pathlib import Path

from gateway.model.ids import AccountId
from gateway.model.secret import Secret

SIZE_MAX_BYTES = 1 << 20
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")


class VaultError(Exception):
    """A secret can't be read or kept; one line with the cure, without the secret."""


class FileVault:
    """One account's secrets below ``folder``. Implements :class:`gateway.ports.Vault`.

    Every account has a folder of its own (mode 0700), made when the first secret is put. A secret is replaced in
    one step and is on disk, with its name, when :meth:`put` returns; a crash leaves the old one or the new one.
    """

    def __init__(self, folder: Path, account: AccountId) -> None:
        self._folder = folder / account.replace("/", "@")
        self._one_at_a_time = asyncio.Lock()

    async def get(self, name: str) -> Secret | None:
        """The secret, or ``None`` when it was never put. Raises VaultError."""
        path = self._path(name)
        return await asyncio.to_thread(self._read, path)

    async def put(self, name: str, secret: Secret) -> None:
        """Keep a secret. Raises VaultError; a cancelled call finishes its write before it gives way."""
        path = self._path(name)
        async with self._one_at_a_time:
            writing = asyncio.create_task(asyncio.to_thread(self._write, path, secret.reveal().encode()))
            try:
                await asyncio.shield(writing)
            except asyncio.CancelledError:
                # A rotated token exists nowhere else: half a write would sign the account out.
                await asyncio.wait([writing])
                raise

    def _path(self, name: str) -> Path:
        return self._folder / checked_name(name)

    def _read(self, path: Path) -> Secret | None:
        try:
            if not self._folder.exists():
                return None
            _refuse_shared(self._folder, self._folder.stat(), "700")
            with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
                _refuse_shared(path, os.fstat(file.fileno()), "600")
                content = file.read(SIZE_MAX_BYTES + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise VaultError(f"{path}: can't be read: {error.strerror}") from error
        return _decoded(path, content)

    def _write(self, path: Path, content: bytes) -> None:
        if len(content) > SIZE_MAX_BYTES:
            raise VaultError(f"{path}: larger than {SIZE_MAX_BYTES} bytes is no secret")
        fresh = path.with_name(f".{path.name}.new")
        try:
            self._make_folder()
            fresh.unlink(missing_ok=True)
            _write_through(fresh, content)
            fresh.replace(path)
            _sync_folder(self._folder)
        except OSError as error:
            raise VaultError(f"{path}: can't be written: {error.strerror}") from error

    def _make_folder(self) -> None:
        for folder in (self._folder.parent, self._folder):
            if not folder.exists():
                folder.mkdir(mode=0o700, exist_ok=True)
                _sync_folder(folder.parent)
        _refuse_shared(self._folder, self._folder.stat(), "700")


class EmptyVault:
    """Nothing is in it, and nothing is kept. Implements :class:`gateway.ports.Vault`."""

    async def get(self, name: str) -> Secret | None:  # noqa: ARG002 - a vault is asked by name
        return None

    async def put(self, name: str, secret: Secret) -> None:
        """Whoever has this one only looks."""


def checked_name(name: str) -> str:
    """The name of a secret; ValueError for what is none."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"a secret's name is lower-case letters, digits, '_', '.', '-', not {name!r}")
    return name


def _write_through(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Make a new name in a folder outlive a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _refuse_shared(path: Path, status: os.stat_result, wanted: str) -> None:
    mode = stat.S_IMODE(status.st_mode)
    if mode & 0o077:
        raise VaultError(f"{path}: other users may read it (mode {mode:o}); run: chmod {wanted} {path}")


def _decoded(path: Path, content: bytes) -> Secret:
    if len(content) > SIZE_MAX_BYTES:
        raise VaultError(f"{path}: larger than {SIZE_MAX_BYTES} bytes is no secret; delete it")
    try:
        return Secret(content.decode())
    except UnicodeDecodeError:
        raise VaultError(f"{path}: is not text; delete it, the gateway signs in anew") from None
