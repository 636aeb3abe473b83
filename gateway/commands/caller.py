"""How the CLI reaches the desk: over the endpoint of the running gateway, else in this process on the database."""

from __future__ import annotations

import asyncio
import http.client
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from gateway.api import ENDPOINT
from gateway.commands.runs import Runs

if TYPE_CHECKING:
    from gateway.config import Config
    from gateway.database_url import Place
    from gateway.model.content import Media

TIMEOUT_S = 10.0
PATIENCE_S = {"check": 60.0, "backup": 1800.0, "announce": 300.0, "preview": 300.0, "edit": 300.0, "media": 120.0}
"""Asking every platform takes as long as the slowest of them; copying takes as long as the disk; media of an
announcement may have to be fetched, and large ones are written.
"""
CONNECTED = frozenset({"check"})
"""What only the accounts' platforms can answer."""
ANSWER_MAX_BYTES = 64 * 1024 * 1024
_TOKEN = re.compile(r"[\w-]+")
_URL = re.compile(r"http://127\.0\.0\.1:(\d{1,5})")


class CallError(Exception):
    """One line for people: what went wrong, and the cure."""


class _StrangerError(Exception):
    """Whoever was asked is not our gateway, and did nothing; why, in one line."""


class _Address(NamedTuple):
    port: int
    token: str
    file: Path
    pid: int | None


class Upload(NamedTuple):
    """A file that goes with an announcement."""

    data: bytes
    name: str
    alt: str = ""
    written: str = ""
    """How the text names it, where it stands in it."""


def call(
    place: Place, load: Callable[[], Config], operation: str, uploads: Sequence[Upload] = (), **arguments: Any
) -> tuple[Any, Runs]:
    """The operation's answer, and whether a gateway that runs here gave it. ``uploads`` are kept first, and become its
    arguments ``media`` and ``files``; of their names only what is text stays. Raises CallError.

    ``place`` is where that gateway is. ``load`` gives the configuration when none runs:
    then the database is opened here, and an SQLite one locked meanwhile.
    """
    _check_text({**arguments, "alt": [one.alt for one in uploads]})
    uploads = [one._replace(name=one.name.encode(errors="ignore").decode()) for one in uploads]
    try:
        address = _address(place)
        if address is not None:
            return _over_http(address, operation, {**arguments, **_uploaded(address, uploads)}), Runs.HERE
        stranger = ""
    except _StrangerError as error:
        stranger = str(error)
    try:
        return asyncio.run(_in_process(load(), operation, arguments, uploads))
    except CallError as error:
        raise CallError(f"{error} ({stranger})" if stranger else str(error)) from error


def _check_text(arguments: dict[str, Any]) -> None:
    """What a shell gave in another encoding can be neither sent nor stored. Raises CallError."""
    for name, given in arguments.items():
        for one in given if isinstance(given, list) else [given]:
            try:
                str(one).encode()
            except UnicodeEncodeError as error:
                raise CallError(f"{one[:100]!r} is not UTF-8: give the {name} in UTF-8") from error


def migrate(place: Place) -> dict[str, Any]:
    """Bring the database up to date, unless a running gateway has. Raises CallError."""
    from gateway.books import StoreError
    from gateway.database_url import is_shared
    from gateway.store import open_store
    from gateway.store.schema import HEAD
    from gateway.store.sqlite import database_path

    try:
        address = _address(place)
        if address is not None:
            _over_http(address, "links", {})
            return {"running": True, "made": False, "schema": HEAD}
    except _StrangerError:
        pass  # nobody is there: the database's lock has the last word
    try:
        made = not is_shared(place.database) and not database_path(place.database).exists()
        asyncio.run(open_store(place.database).aclose())
    except StoreError as error:
        raise CallError(str(error)) from error
    return {"running": False, "made": made, "schema": HEAD}


def _address(place: Place) -> _Address | None:
    endpoint = Path(place.files + ENDPOINT)
    try:
        told = json.loads(endpoint.read_bytes())
        found, token = _URL.fullmatch(told["url"]), _TOKEN.fullmatch(told["token"])
        there = told["database"], told["workspace"]
    except FileNotFoundError:
        return None
    except PermissionError as error:
        raise CallError(f"{endpoint} can't be read: run this as the user who runs the gateway") from error
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise _StrangerError(f"{endpoint} is damaged: a restarted gateway writes it anew") from error
    if found is None or token is None:
        raise _StrangerError(f"{endpoint} is damaged: a restarted gateway writes it anew")
    if there != (place.database, place.workspace):
        cure = "restart it if the configuration has changed, else give each gateway a folder of its own"
        raise CallError(f"{endpoint} is of a gateway with another database or workspace than this one: {cure}")
    pid = told.get("pid")
    return _Address(int(found[1]), token[0], endpoint, pid if isinstance(pid, int) else None)


def _uploaded(address: _Address, uploads: Sequence[Upload]) -> dict[str, Any]:
    from msgspec import convert

    from gateway.model.content import Media

    paths = [f"media?name={quote(one.name)}" for one in uploads]
    return _given(
        uploads,
        [
            convert(_asked(address, path, one.data, "application/octet-stream"), Media)
            for one, path in zip(uploads, paths, strict=True)
        ],
    )


def _given(uploads: Sequence[Upload], kept: Sequence[Media]) -> dict[str, Any]:
    """Those that stand in the text by the names they have there, the others in their order."""
    from msgspec.structs import replace

    pairs = list(zip(uploads, kept, strict=True))
    media = [replace(one, alt=upload.alt) for upload, one in pairs if not upload.written]
    files = {upload.written: one for upload, one in pairs if upload.written}
    return {**({"media": media} if media else {}), **({"files": files} if files else {})}


def _over_http(address: _Address, operation: str, arguments: dict[str, Any]) -> Any:
    from msgspec.json import encode

    return _asked(address, operation, encode(arguments), "application/json")


def _asked(address: _Address, path: str, body: bytes, content_type: str) -> Any:
    operation = path.partition("?")[0]
    timeout_s = PATIENCE_S.get(operation, TIMEOUT_S)
    line = http.client.HTTPConnection("127.0.0.1", address.port, timeout=timeout_s)
    headers = {"Authorization": f"Bearer {address.token}", "Content-Type": content_type}
    try:
        line.connect()
    except (OSError, OverflowError) as error:
        raise _StrangerError(f"{address.file} was left by a gateway that is gone") from error
    try:
        line.request("POST", f"/local/{path}", body, headers)
        answer = line.getresponse()
        told = answer.read(ANSWER_MAX_BYTES)
        if answer.length:  # what it promised and didn't send
            raise http.client.IncompleteRead(told, answer.length)
        return _told(answer.status, told, address)
    except TimeoutError as error:
        process = f" (process {address.pid})" if address.pid else ""
        raise CallError(
            f"the gateway{process} didn't answer within {timeout_s:.0f} s; it may still do it: see "
            "`multihome deliveries`, before you ask again; if it hangs, end it and start it again"
        ) from error
    except http.client.BadStatusLine as error:
        if isinstance(error, http.client.RemoteDisconnected):
            raise CallError("the gateway went away before it answered: see `multihome deliveries`") from error
        raise _StrangerError(f"another program answers at the address in {address.file}") from error
    except (http.client.HTTPException, OSError) as error:
        raise CallError("the gateway went away before it answered: see `multihome deliveries`") from error
    finally:
        line.close()


def _told(status: int, body: bytes, address: _Address) -> Any:
    try:
        answer = json.loads(body)
        error = answer["error"] if status != 200 else None
    except (ValueError, KeyError, TypeError, RecursionError) as problem:
        raise _StrangerError(f"another program answers at the address in {address.file}") from problem
    if status in (401, 421):
        raise _StrangerError(f"{address.file} doesn't hold the token of who answers there")
    if status != 200:
        raise CallError(str(error))
    return answer


async def _in_process(
    config: Config, operation: str, arguments: dict[str, Any], uploads: Sequence[Upload]
) -> tuple[Any, Runs]:
    from gateway import logs, wiring
    from gateway.books import StoreError
    from gateway.desk.desk import DeskError

    logs.silence()
    try:
        async with wiring.offline(config, connect=operation in CONNECTED) as desk:
            kept = [await desk.keep(one.data, one.name) for one in uploads]
            runs = Runs.ELSEWHERE if await desk.has_neighbours() else Runs.NOWHERE
            return await getattr(desk, operation)(**arguments, **_given(uploads, kept)), runs
    except (DeskError, StoreError) as error:
        raise CallError(str(error)) from error
