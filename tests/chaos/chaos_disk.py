"""A disk that can be full: a small file system of our own where we may mount one, else a limit on the size of files.

The file system lives in a mount namespace of this process: it is gone when the process is, however that ends. Where
neither can be had (a container without the right), the kernel's limit on file sizes does: the database can't grow.
"""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

SIZE_KB = 512 * 1024
_INSIDE = "MULTIHOME_CHAOS_NAMESPACE"


def enter_namespace() -> None:
    """Start this program again in a mount namespace of its own, where that is allowed; returns where it is not."""
    unshare = shutil.which("unshare")
    if unshare is None or os.environ.get(_INSIDE) or sys.platform != "linux":
        return
    enter = [unshare, "--mount"] if os.geteuid() == 0 else [unshare, "--user", "--map-root-user", "--mount"]
    if subprocess.run([*enter, "true"], capture_output=True, check=False).returncode == 0:
        os.execve(unshare, [*enter, sys.executable, *sys.argv], {**os.environ, _INSIDE: "1"})  # noqa: S606 - no shell


class Disk:
    """``folder`` is on it."""

    how = "a file system of our own (tmpfs)"
    full = ("the disk is full", "No space left on device")
    """What a gateway says of it when it can't start."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fill(self, slack_kb: int) -> None:
        """Only so much more can be written."""
        used = os.statvfs(self.folder)
        used_kb = (used.f_blocks - used.f_bfree) * used.f_frsize // 1024
        self._resize(used_kb + slack_kb)

    def free(self) -> None:
        self._resize(SIZE_KB)

    def started(self, pid: int) -> None:
        """A process that writes on it has begun."""

    def close(self, keep: Path) -> None:
        """Nobody writes any more: what is on it is copied to ``keep``."""
        shutil.copytree(self.folder, keep, dirs_exist_ok=True)
        subprocess.run(["umount", "--lazy", self.folder], check=False)

    def _resize(self, size_kb: int) -> None:
        _mount("-o", f"remount,size={size_kb}k", str(self.folder))


class Limit(Disk):
    """No file of the processes that write here grows beyond what the largest has now."""

    how = "a limit on the size of files (no file system may be mounted here)"
    full = ("the disk failed under the database", "File too large")

    def __init__(self, folder: Path, pids: Callable[[], Iterable[int]]) -> None:
        super().__init__(folder)
        self._pids = pids
        self._most = resource.RLIM_INFINITY

    def fill(self, slack_kb: int) -> None:
        sizes = [path.stat().st_size for path in self.folder.glob("*.db*")]
        self._set(max(sizes, default=0) + slack_kb * 1024)

    def free(self) -> None:
        self._set(resource.RLIM_INFINITY)

    def started(self, pid: int) -> None:
        if self._most != resource.RLIM_INFINITY:
            self._limit(pid)

    def close(self, keep: Path) -> None:
        self.free()
        shutil.move(self.folder, keep)

    def _set(self, most: int) -> None:
        self._most = most
        for pid in self._pids():
            self._limit(pid)

    def _limit(self, pid: int) -> None:
        with contextlib.suppress(ProcessLookupError):  # it was killed a moment ago
            _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (self._most, hard))


def open_disk(folder: Path, pids: Callable[[], Iterable[int]]) -> Disk:
    """A disk at ``folder``. ``pids`` are the processes that write on it."""
    folder.mkdir()
    if os.environ.get(_INSIDE) and _mount("-t", "tmpfs", "-o", f"size={SIZE_KB}k", "tmpfs", str(folder)):
        return Disk(folder)
    return Limit(folder, pids)


def _mount(*arguments: str) -> bool:
    return subprocess.run(["mount", *arguments], capture_output=True, check=False).returncode == 0
