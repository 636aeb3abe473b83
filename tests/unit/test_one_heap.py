"""All threads of a gateway use one heap, where the C library would give each its own."""

from __future__ import annotations

import platform
import re
import subprocess
import sys

import pytest

MEASURE = """
import ctypes, threading
from gateway.commands.serve import share_one_heap

if {shared}:
    share_one_heap()
there = threading.Barrier(8)

def work():
    kept = [bytes(1000) for _ in range(100)]
    there.wait()

threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
libc = ctypes.CDLL(None)
libc.fdopen.restype = ctypes.c_void_p
out = ctypes.c_void_p(libc.fdopen(1, b"w"))
libc.malloc_info(0, out)
libc.fflush(out)
"""


def heaps(*, shared: bool) -> int:
    done = subprocess.run(
        [sys.executable, "-c", MEASURE.format(shared=shared)], capture_output=True, text=True, check=True, timeout=60
    )
    return len(re.findall("<heap nr=", done.stdout))


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only the GNU C library has a heap for each thread")
def test_threads_share_one_heap() -> None:
    assert heaps(shared=True) == 1
    assert heaps(shared=False) > 1
