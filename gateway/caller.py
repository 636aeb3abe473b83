"""How the CLI reaches the desk: over the endpoint of the running gateway, else in this process on the database."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway.api import ENDPOINT

if TYPE_CHECKING:
    from gateway.config import Config

TIMEOUT_S = 30.0


class CallError(Exception):
    """One line for people: what went wrong, and the cure."""


def call(database: str, load: Callable[[], Config], operation: str, **arguments: Any) -> tuple[Any, bool]:
    """The operation's answer, and whether a running gateway gave it.

    ``load`` gives the whole configuration when none runs: then the database is opened here.
    """
    address = _address(Path(database.removeprefix("sqlite:///") + ENDPOINT))
    if address is not None:
        try:
            return _over_http(address, operation, arguments), True
        except ConnectionRefusedError:
            pass  # the file of a gateway that was killed: nobody listens there
    return asyncio.run(_in_process(load(), operation, arguments)), False


def _address(endpoint: Path) -> dict[str, Any] | None:
    try:
        address = json.loads(endpoint.read_text())
    except FileNotFoundError:
        return None
    except PermissionError as error:
        raise CallError(f"{endpoint} can't be read: run this as the user who runs the gateway") from error
    except (OSError, ValueError) as error:
        raise CallError(f"{endpoint} is damaged: restart the gateway, it writes the file anew") from error
    if not isinstance(address, dict) or not {"url", "token"} <= address.keys():
        raise CallError(f"{endpoint} is damaged: restart the gateway, it writes the file anew")
    return address


def _over_http(address: dict[str, Any], operation: str, arguments: dict[str, Any]) -> Any:
    request = urllib.request.Request(  # noqa: S310 - the address is our own file's, on loopback
        f"{address['url']}/local/{operation}",
        data=json.dumps(arguments).encode(),
        headers={"Authorization": f"Bearer {address['token']}", "Content-Type": "application/json"},
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=TIMEOUT_S) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise CallError(_told(error)) from error
    except urllib.error.URLError as error:
        if isinstance(error.reason, ConnectionRefusedError):
            raise error.reason from error
        raise CallError(f"the running gateway doesn't answer: {error.reason}") from error
    except TimeoutError as error:
        raise CallError(f"the running gateway didn't answer within {TIMEOUT_S:.0f} s") from error


def _told(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.load(error)["error"])
    except (ValueError, KeyError, TypeError):
        return f"the running gateway answered {error.code}"


async def _in_process(config: Config, operation: str, arguments: dict[str, Any]) -> Any:
    from gateway import wiring
    from gateway.books import StoreError
    from gateway.desk import DeskError

    try:
        async with wiring.offline(config, connect=operation == "check") as desk:
            return await getattr(desk, operation)(**arguments)
    except (DeskError, StoreError) as error:
        raise CallError(str(error)) from error
