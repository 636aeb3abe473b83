"""What the five faces have in common: the order in which trouble strikes a request."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Collection
from datetime import datetime
from typing import Any, ClassVar

from aiohttp import web

from adapters.sandbox.faults import Faults, Rule, Trouble
from adapters.sandbox.world import Member, Message, Network


class Face(ABC):
    """One platform on the wire. A subclass adds routes, real bodies, and how people speak there.

    A handler of a bot's request goes: find the member by its credential, ``refused = await self.admit(...)``,
    do the work, ``return await self.answer(...)``.
    """

    name: ClassVar[str]

    def __init__(self, network: Network, faults: Faults) -> None:
        self.network = network
        self.faults = faults
        faults.codes = self.codes
        self.url = ""
        """Where the face is reached; set once it listens."""

    # What a subclass fills in.

    @abstractmethod
    def app(self) -> web.Application:
        """The face's routes."""

    @abstractmethod
    def account(self, handle: str = "agent") -> dict[str, Any]:
        """One of our accounts there, made when absent: ``{"settings": {...}, "environment": {...}}``.

        ``settings`` are the keys of an ``[[accounts]]`` table (``id`` and ``server`` included), its secrets
        ``{"env": NAME}``; ``environment`` holds those names.
        """

    @abstractmethod
    def say(self, person: str, kind: str, text: str, **options: Any) -> Message:
        """Somebody writes: ``kind`` is mention, reply (``to`` = message id), group, direct or post.

        The person is made when absent. Other options: ``account`` (the bot spoken to, default "agent"),
        ``to``, ``image`` (bool).
        """

    @abstractmethod
    def body(self, trouble: Trouble, rule: Rule, member: Member | None) -> web.Response:
        """The platform's real answer for a trouble (SUSPEND, LOCK, REVOKE, RATE_LIMIT, FAIL_*), REFUSE by code."""

    @abstractmethod
    def cut_streams(self, account: str | None = None) -> None:
        """Drop every open stream (of one bot)."""

    def codes(self, rule: Rule) -> Collection[str] | None:  # noqa: ARG002 - a subclass looks at it
        """What a rule may have as its ``code``, which :meth:`body` must know; None: anything."""
        return None

    # What every face does alike.

    def forget(self, before: datetime) -> int:
        """Drop what is older, and whatever the face keeps about it; returns how many messages."""
        return len(self.network.forget(before))

    async def admit(
        self,
        request: web.Request,
        member: Member | None,
        action: str,
        *,
        on: str = "write",
        text: str = "",
        ignore: frozenset[Trouble] = frozenset(),
    ) -> web.StreamResponse | None:
        """Whatever stands in the way of this request, in the order a real platform would meet it; None lets it in."""
        account = member.handle if member else None
        for trouble in _GATES:
            if trouble in ignore or (trouble is Trouble.LOCK and on != "write"):
                continue
            rule = self.faults.find(trouble, account, on=on, action=action, text=text)
            if rule is None:
                continue
            if trouble is Trouble.DELAY:
                await asyncio.sleep(rule.delay_s)
                continue
            return self._strike(request, trouble, rule, member, action, on, text)
        return None

    def _strike(
        self, request: web.Request, trouble: Trouble, rule: Rule, member: Member | None, action: str, on: str, text: str
    ) -> web.StreamResponse:
        failed = trouble in (Trouble.OUTAGE, Trouble.FAIL_BEFORE, Trouble.DROP_BEFORE)
        if on == "write" and member is not None:
            outcome = "failed" if failed else "refused"
            self.network.attempted(member.handle, action, outcome, text=text, detail=rule.code or trouble)
        if trouble is Trouble.DROP_BEFORE or (trouble is Trouble.OUTAGE and rule.status is None):
            return drop(request)
        if trouble is Trouble.OUTAGE:
            return html_error(rule.status or 502)
        return self.body(trouble, rule, member)

    async def answer(
        self,
        request: web.Request,
        member: Member,
        action: str,
        response: web.StreamResponse,
        message: Message | None = None,
        *,
        repeated: bool = False,
    ) -> web.StreamResponse:
        """The write was accepted: note it, and let trouble after acceptance strike."""
        text = message.text if message else ""
        outcome = "repeated" if repeated else "accepted"
        self.network.attempted(member.handle, action, outcome, message=message.id if message else None, text=text)
        if self.faults.find(Trouble.DROP_AFTER, member.handle, on="write", action=action, text=text):
            return drop(request)
        rule = self.faults.find(Trouble.FAIL_AFTER, member.handle, on="write", action=action, text=text)
        return self.body(Trouble.FAIL_AFTER, rule, member) if rule else response


_GATES = (
    Trouble.OUTAGE,
    Trouble.DELAY,
    Trouble.DROP_BEFORE,
    Trouble.REVOKE,
    Trouble.SUSPEND,
    Trouble.LOCK,
    Trouble.RATE_LIMIT,
    Trouble.REFUSE,
    Trouble.FAIL_BEFORE,
)


def drop(request: web.Request) -> web.Response:
    """Cut the connection without an answer."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)


def html_error(status: int) -> web.Response:
    """What an edge in front of a platform answers."""
    return web.Response(
        status=status,
        content_type="text/html",
        text=f"<html><head><title>{status}</title></head><body>{status}</body></html>",
    )
