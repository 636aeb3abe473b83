"""Calls of Mastodon.py: on threads that each own a client, across the border, as faults where they fail."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from mastodon import Mastodon
from mastodon.errors import MastodonAPIError, MastodonNetworkError, MastodonRatelimitError

from adapters.border import Rule, Told, crossing
from adapters.mastodon.profile import FAULTS, RESTARTING, Settings
from adapters.mastodon.session import RedirectedError, Session, UnreachedError, window
from adapters.mastodon.workers import Outcome, Workers
from gateway.model.capabilities import LaneState
from gateway.model.delivery import Fault, FaultError, FaultKind
from gateway.model.secret import Secret
from gateway.ports import Context

REQUEST_S = 30.0
_LANES = {"post": "statuses", "edit": "statuses", "repost": "statuses", "delete": "deletes"}
"""The rate window that an answer tells of: the tightest one that the call is in."""


class Calls:
    """A few threads that write, so that a slow upload holds up no other, and one that reads."""

    def __init__(self, server: str, settings: Settings, context: Context) -> None:
        self._server = server
        self._context = context
        token = settings.access_token.reveal().strip()
        self._token = Secret(token)
        self.seen = False
        """Whether the server has shown itself to be a Mastodon. Until then, pages say that it is none."""
        self._token_can_be_sent = token.isascii() and token.isprintable()
        self._sending = self.workers("send", settings.workers)
        self._reading = self.workers("read", 1)

    def workers(self, name: str, count: int) -> Workers:
        sessions = [Session(self._server, self._context.clock, REQUEST_S) for _ in range(count)]
        return Workers(f"{self._context.account}-{name}", sessions, self._client)

    def _client(self, session: Session) -> Mastodon:
        client = Mastodon(
            api_base_url=self._server,
            ratelimit_method="throw",
            request_timeout=REQUEST_S,
            mastodon_version="4.3.0",
            session=session,
            user_agent="multihome",
        )
        # The constructor forgets the version unless it is to be checked, and would then ask before every upload.
        client.mastodon_major, client.mastodon_minor = 4, 3
        # Not through the constructor: that takes the name of a readable file for a file with the token in it.
        client.access_token = self._token.reveal()
        return client

    async def ask(
        self, shape: Any, call: Callable[[Mastodon], Any], *, rules: Sequence[Rule] = FAULTS, optional: bool = False
    ) -> Any:
        """What a read gives, decoded as ``shape``; ``optional`` is what not every server has. Raises FaultError."""
        known = rules if optional else self._known(rules)
        return (await self._call(self._reading, shape, call, known, "ask"))[0]

    async def write(
        self, shape: Any, call: Callable[[Mastodon], Any], doing: str
    ) -> tuple[Any, tuple[LaneState, ...]]:  # fmt: skip
        """As :meth:`ask`, and what is left of the rate window. It waits behind no read."""
        found, headers = await self._call(self._sending, shape, call, self._known(FAULTS), doing)
        return found, self._lanes(headers, doing)

    def _known(self, rules: Sequence[Rule]) -> Sequence[Rule]:
        return (RESTARTING, *rules) if self.seen else rules

    def _lanes(self, headers: dict[str, str], doing: str) -> tuple[LaneState, ...]:
        told = window(headers, self._context.clock.now())
        return (LaneState(_LANES[doing], told[0], told[1].timestamp()),) if told and doing in _LANES else ()

    async def aclose(self) -> None:
        await self._sending.aclose()
        await self._reading.aclose()

    async def _call(
        self, workers: Workers, shape: Any, call: Callable[[Mastodon], Any], rules: Sequence[Rule], doing: str
    ) -> tuple[Any, dict[str, str]]:
        if not self._token_can_be_sent:
            raise FaultError(Fault(FaultKind.SIGNED_OUT, True, "the access token has characters that none has"))
        outcome = await workers.call(shape, call)
        async with crossing(lambda error: self._told(error, outcome, doing), rules, doing=doing):
            return outcome.result(), outcome.headers

    def _told(self, error: Exception, outcome: Outcome, doing: str) -> Told | None:
        match error:
            case MastodonRatelimitError():  # it carries nothing but its name
                told = window(outcome.headers, self._context.clock.now())
                lanes = self._lanes(outcome.headers, doing)
                return Told("Too many requests", 429, retry_at=told[1] if told else None, lanes=lanes)
            case MastodonNetworkError():
                return _unheard(error.__context__ or error)
            case MastodonAPIError():
                return _refused(error.args, outcome.refusal)
        return None


def _unheard(cause: BaseException) -> Told:
    match cause:
        case UnreachedError():
            return Told(str(cause), reached=False)
        case RedirectedError():
            return Told(str(cause), codes=("redirect",))
    return Told(str(cause), codes=("unanswered",))


def _refused(args: tuple[Any, ...], words: str | None) -> Told:
    """``args`` are (message, status, reason, error text); fewer when a success could not be read."""
    if len(args) < 4 or not isinstance(args[1], int):
        return Told("the instance's answer is not what its API promises", codes=("unreadable",))
    if words is None:  # a page of something in front, or no such API
        return Told(str(args[2]), args[1], ("html",))
    return Told(words, args[1])
