"""The bytes of media that is being sent, as adapters read them from the store."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from gateway.books import StoreError
from gateway.model.delivery import Fault, FaultError, FaultKind

Read = Callable[[str], Awaitable[bytes]]
"""Bytes by their sha256."""


def kept(read: Read) -> Read:
    """The same, with what goes wrong as faults. They are certain: who has no bytes yet has not asked for the post. And
    they say nothing of the account: what is gone stays gone, and a database comes back.
    """

    async def bytes_of(sha256: str) -> bytes:
        try:
            return await read(sha256)
        except KeyError as error:
            raise FaultError(Fault(FaultKind.MEDIA, True, "its bytes are not kept any more")) from error
        except StoreError as error:
            raise FaultError(Fault(FaultKind.MEDIA_PENDING, True, f"its bytes can't be read now: {error}")) from error

    return bytes_of
