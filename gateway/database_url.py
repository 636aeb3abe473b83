"""The database's address: what may be written as one, and where the files beside it stand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qsl, urlsplit

SHARED = "postgresql"
LONE_EXAMPLE = "sqlite:///multihome.db"
SHARED_EXAMPLE = "postgresql://user@host/multihome"


def checked(url: str, beside: Callable[[str], Path]) -> str:
    """The address, a file's made absolute by ``beside``. Raises ValueError, which never echoes a password."""
    scheme, _, rest = url.partition("://")
    if scheme == SHARED:
        _refuse_password(url)
        return url
    if scheme == "sqlite" and rest.startswith("/") and rest[1:] not in ("", ":memory:") and "?" not in rest:
        return f"sqlite:///{beside(rest[1:])}"
    # Not echoed: it may hold a password.
    raise ValueError(f'write "{LONE_EXAMPLE}" for a file, or "{SHARED_EXAMPLE}" for several gateways')


def is_shared(url: str) -> bool:
    """Whether several gateways can use it."""
    return url.startswith(SHARED + "://")


class Place(NamedTuple):
    """Where a gateway is: its database, its part of it, and what the names of its own files begin with."""

    database: str
    workspace: str
    files: str


def place(url: str, workspace: str, folder: Path) -> Place:
    """Its files are beside an SQLite file, else beside the configuration, which lies in ``folder``."""
    return Place(url, workspace, str(folder / "multihome") if is_shared(url) else url.removeprefix("sqlite:///"))


def _refuse_password(url: str) -> None:
    parts = urlsplit(url)
    try:
        _ = parts.port
    except ValueError:
        raise ValueError(f'is no address: write "{SHARED_EXAMPLE}"') from None
    if parts.password is not None or any(key.lower() == "password" for key, _ in parse_qsl(parts.query)):
        raise ValueError(
            "holds a password, which never stands in this file; put it into PGPASSWORD, or a file named in PGPASSFILE"
        )
