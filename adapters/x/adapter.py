"""One account on X, over tweepy: what goes out, what became of it, and how the account is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from datetime import datetime, timedelta
from functools import partial
from typing import Any, cast

import aiohttp
from msgspec import Struct, structs
from tweepy.asynchronous.client import AsyncClient
from tweepy.errors import HTTPException, Unauthorized

from adapters.border import Told, crossing
from adapters.x import recognize, session, translate
from adapters.x.lateness import Lateness
from adapters.x.parts import plan, preview
from adapters.x.pictures import Pictures
from adapters.x.profile import FAULTS, Settings, profile_of
from adapters.x.receive import Page, Poller
from adapters.x.tokens import Tokens
from gateway.model.capabilities import Profile
from gateway.model.delivery import Change, Draft, Fault, FaultError, FaultKind, Part, Receipt, Shown
from gateway.model.identity import Identity
from gateway.model.ids import MessageRef
from gateway.model.media import Attachment
from gateway.model.standing import Signal, Source
from gateway.ports import Arrival, Context, Taken, Unsure, nobodys

# tweepy/asynchronous/client.py:91 writes the Authorization header into DEBUG lines.
session.quiet("tweepy.asynchronous.client")

AUTOMATION_REST = timedelta(hours=3)
"""After "this request looks like it might be automated" only hours of rest help (platforms: back off hours)."""
READ_BACK_PAGES_MAX = 31
"""A timeline ends after 3,200 posts whatever there is (xdocs timelines): one page less, so that an end is an end."""
SKEW = timedelta(seconds=10)
"""How far X's clock may be behind ours when something is read back."""
POST_FIELDS = [
    "attachments",
    "author_id",
    "conversation_id",
    "created_at",
    "entities",
    "in_reply_to_user_id",
    "lang",
    "note_tweet",
    "possibly_sensitive",
    "referenced_tweets",
]
MEDIA_FIELDS = ["alt_text", "duration_ms", "height", "type", "url", "variants", "width"]
EXPANSIONS = [
    "attachments.media_keys",
    "attachments.poll_ids",
    "author_id",
    "referenced_tweets.id",
    "referenced_tweets.id.author_id",
]
DIRECT_FIELDS = ["attachments", "created_at", "dm_conversation_id", "entities", "event_type", "sender_id", "text"]
CREATED = "MessageCreate"


class _Post(Struct):
    id: translate.Id


class _Direct(Struct):
    dm_event_id: translate.Id


class _Deleted(Struct):
    deleted: bool


class _MarkedAnswer(Struct):
    data: dict[str, bool]


class _PostAnswer(Struct):
    data: _Post


class _DirectAnswer(Struct):
    data: _Direct


class _DeletedAnswer(Struct):
    data: _Deleted


class _UserAnswer(Struct):
    data: translate.User


async def open_account(settings: Settings, context: Context) -> XAdapter:
    """An account, without asking X anything: whether it works shows in ``check()`` and ``events()``."""
    door = session.Door(settings)
    try:
        tokens = Tokens(settings, context.vault, door)
        await tokens.load()
    except BaseException:
        await door.close()
        raise
    kind = EnterpriseAdapter if settings.enterprise else XAdapter
    return kind(settings, context, door, tokens)


class XAdapter:
    """See :class:`gateway.ports.Adapter`."""

    def __init__(self, settings: Settings, context: Context, door: session.Door, tokens: Tokens) -> None:
        self.context = context
        self._clock = context.clock
        self._settings = settings
        self._profile = profile_of(settings)
        self._door = door
        self._tokens = tokens
        # wait_on_rate_limit stays off: without a reset header tweepy would ask again at once, for ever.
        self._client: Any = AsyncClient(tokens.access, return_type=aiohttp.ClientResponse)  # type: ignore[no-untyped-call]  # tweepy has no types
        self._client.session = cast("Any", door)
        self._pictures = Pictures(self._route, context)
        self._lateness = Lateness(context.clock, settings.shown_within_s)
        self._me: translate.User | None = None

    @property
    def profile(self) -> Profile:
        return self._profile

    def events(self, cursor: str | None) -> AsyncIterator[Arrival]:
        return Poller(self, self._settings).arrivals(cursor)

    def plan(self, draft: Draft, at: datetime) -> tuple[Part, ...]:  # noqa: ARG002  X's parts don't depend on the time
        return plan(draft)

    def preview(self, part: Part) -> Shown:
        return preview(part)

    async def fetch(self, attachment: Attachment) -> AsyncIterator[bytes]:
        async with aclosing(self._door.pieces(attachment.handle, self._tokens.access)) as found:
            async for piece in found:
                yield piece

    async def send(self, part: Part) -> Receipt:
        self._lateness.sending(part)
        media = await self._pictures.ready(part)
        send = self._send_direct if part.kind == "direct" else self._send_post
        try:
            receipt = await send(part, media)
        except FaultError as error:
            if error.fault.kind is FaultKind.DUPLICATE:
                self._lateness.is_there_already(part)
            raise FaultError(self._pictures.judged(part.key, error.fault)) from error
        self._pictures.forget(part.key)
        return receipt

    async def _send_post(self, part: Part, media: list[str]) -> Receipt:
        body = part.body
        reply_to = part.previous if part.index else body.get("reply_to")
        if part.index and reply_to is None:
            raise FaultError(Fault(FaultKind.INVALID, certain=True, evidence="a thread's part without the one before"))
        poll = body.get("poll", {})
        call = partial(
            self._client.create_tweet,
            text=body.get("text"),
            in_reply_to_tweet_id=reply_to,
            media_ids=media or None,
            poll_options=poll.get("options"),
            poll_duration_minutes=poll.get("minutes"),
            quote_tweet_id=body.get("quote"),
            reply_settings=body.get("repliers"),
            user_auth=False,
        )
        reply = await self._ask("post", call, part.kind)
        post_id = session.read(reply, _PostAnswer).data.id
        return self._receipt(post_id, f"https://x.com/i/status/{post_id}", part.kind, reply)

    async def _send_direct(self, part: Part, media: list[str]) -> Receipt:
        call = partial(
            self._client.create_direct_message,
            dm_conversation_id=part.body.get("conversation"),
            participant_id=part.body.get("to"),
            media_id=media[0] if media else None,
            text=part.body.get("text"),
            user_auth=False,
        )
        reply = await self._ask("direct message", call, part.kind)
        return self._receipt(
            translate.DIRECT + session.read(reply, _DirectAnswer).data.dm_event_id, None, part.kind, reply
        )

    def _receipt(self, ref: str, url: str | None, kind: str, reply: session.Reply) -> Receipt:
        return Receipt(MessageRef(ref), self._clock.now(), url, session.lanes(kind, reply.headers))

    async def delete(self, ref: MessageRef) -> None:
        """Take a post back, or a direct message out of the account's own view."""
        if not ref.removeprefix(translate.DIRECT).isdecimal():
            raise FaultError(Fault(FaultKind.INVALID, certain=True, evidence="this is no message of X"))
        if ref.startswith(translate.DIRECT):
            path = f"/2/dm_events/{ref.removeprefix(translate.DIRECT)}"
            call = partial(self._client._make_request, "DELETE", path)  # noqa: SLF001  tweepy has no call for it
        else:
            call = partial(self._client.delete_tweet, ref, user_auth=False)
        try:
            answer = session.read(await self._ask("delete", call, Change.DELETE), _DeletedAnswer)
        except FaultError as error:
            if error.fault.kind is not FaultKind.TARGET_GONE:
                raise
            return
        if not answer.data.deleted:
            raise FaultError(Fault(FaultKind.FORBIDDEN, certain=True, evidence="X did not delete it"))

    async def repost(self, ref: MessageRef) -> None:
        await self._mark("retweets", ref, Change.REPOST)

    async def _mark(self, how: str, ref: MessageRef, kind: Change) -> None:
        """Like or retweet a post. It stays one, however often."""
        if not ref.isdecimal():
            raise FaultError(Fault(FaultKind.INVALID, certain=True, evidence="this is no post of X"))
        me = await self.whoami()
        path = f"/2/users/{me.id}/{how}"
        call = partial(self._client._make_request, "POST", path, json={"tweet_id": ref})  # noqa: SLF001  tweepy's own would ask who we are by itself
        try:
            session.read(await self._ask(how, call, kind), _MarkedAnswer)
        except FaultError as error:
            if error.fault.kind is not FaultKind.DUPLICATE:
                raise

    async def reconcile(self, part: Part, since: datetime, taken: Taken = nobodys) -> Receipt | Unsure:
        """Look for the part among what the account said since then; twice, where one look proves nothing."""
        if self._lateness.is_too_soon(part):
            return Unsure.UNKNOWN
        return self._lateness.judged(part, await self._look(part, since, taken))

    async def _look(self, part: Part, since: datetime, taken: Taken) -> Receipt | Unsure:
        earliest = since - SKEW
        if part.kind == "direct":
            return await self._find(part, earliest, translate.DirectEvent, partial(self._directs_of, part), taken)
        me = await self.whoami()
        fetch = partial(
            self._client.get_users_tweets,
            me.id,
            start_time=earliest,
            max_results=100,
            tweet_fields=POST_FIELDS,
            user_auth=False,
        )
        return await self._find(part, earliest, translate.Post, fetch, taken)

    async def _find(
        self,
        part: Part,
        earliest: datetime,
        kind: type[translate.Post | translate.DirectEvent],
        fetch: Callable[..., Awaitable[Any]],
        taken: Taken,
    ) -> Receipt | Unsure:
        token: str | None = None
        me = await self.whoami()
        for _ in range(READ_BACK_PAGES_MAX):
            reply = await self._ask("read back", partial(fetch, pagination_token=token))
            page = _read_page(reply)
            items = [translate.attempt(raw, kind) for raw in page.data]
            young = [item for item in items if item is not None and item.created_at >= earliest]
            for item in young:
                if recognize.is_part(item, part, me.id) and not await taken(translate.ref(item)):
                    return recognize.receipt(item)
            if None in items:
                return Unsure.UNKNOWN
            token = page.meta.next_token
            if len(young) < len(items) or not token:
                return Unsure.NOT_SENT
        return Unsure.UNKNOWN

    async def check(self) -> Signal:
        """Who am I? Suspended and signed-out accounts aren't told; a locked one is, so that only a write shows it."""
        try:
            me = await self._identify()
        except FaultError as error:
            return Signal(Source.PROBE, self._clock.now(), error.fault.evidence, error.fault)
        return Signal(Source.PROBE, self._clock.now(), f"GET /2/users/me: @{me.username}")

    def identity(self) -> Identity | None:
        me = self._me
        return Identity(translate.PLATFORM, me.id, me.username, me.name) if me else None

    async def aclose(self) -> None:
        await self._tokens.aclose()
        await self._door.close()

    # What the poller asks.

    async def whoami(self) -> translate.User:
        return self._me or await self._identify()

    async def mentions(self, since_id: str | None, size: int, token: str | None) -> Page:
        me = await self.whoami()
        call = partial(
            self._client.get_users_mentions,
            me.id,
            since_id=since_id,
            max_results=size,
            pagination_token=token,
            tweet_fields=POST_FIELDS,
            expansions=EXPANSIONS,
            media_fields=MEDIA_FIELDS,
            poll_fields=["duration_minutes", "options"],
            user_auth=False,
        )
        return self._page(await self._ask("mentions", call))

    async def directs(self, size: int, token: str | None) -> Page:
        return self._page(await self._ask("direct messages", partial(self._directs_of, None, size, token)))

    async def _directs_of(self, part: Part | None, max_results: int = 100, pagination_token: str | None = None) -> Any:
        where = part.body if part else {}
        return await self._client.get_direct_message_events(
            dm_conversation_id=where.get("conversation"),
            participant_id=where.get("to"),
            event_types=CREATED,
            max_results=max_results,
            pagination_token=pagination_token,
            dm_event_fields=DIRECT_FIELDS,
            expansions=["attachments.media_keys", "sender_id"],
            media_fields=MEDIA_FIELDS,
            user_auth=False,
        )

    def _page(self, reply: session.Reply) -> Page:
        remaining = reply.headers.get("x-rate-limit-remaining", "")
        reset = session.reset_at(reply.headers, self._clock.now())
        return Page(_read_page(reply), int(remaining) if remaining.isdecimal() else None, reset)

    async def _identify(self) -> translate.User:
        reply = await self._ask("users/me", partial(self._client.get_me, user_auth=False))
        self._me = session.read(reply, _UserAnswer).data
        return self._me

    async def _route(
        self, method: str, path: str, params: dict[str, str] | None = None, body: dict[str, Any] | None = None
    ) -> session.Reply:
        """Media v2, which tweepy has no calls for."""
        named = params or {}
        call = partial(self._client._make_request, method, path, named, tuple(named), body)  # noqa: SLF001  it is its only way to a path of one's own
        return await self._ask("media", call)

    # The border.

    async def _ask(self, doing: str, call: Callable[[], Awaitable[Any]], kind: str | None = None) -> session.Reply:
        """Make a request; with a token that X refuses, once more with a fresh one."""
        async with crossing(partial(self._describe, kind), FAULTS, doing=doing):
            await self._tokens.keep()
            used = self._tokens.access
            self._client.bearer_token = used
            try:
                return cast("session.Reply", await call())
            except Unauthorized:
                if not await self._tokens.renew(used):
                    raise
            self._client.bearer_token = self._tokens.access
            return cast("session.Reply", await call())

    def _describe(self, kind: str | None, error: Exception) -> Told | None:
        if isinstance(error, RuntimeError) and self._door.closed:
            return Told("the account is closed", reached=False)
        if not isinstance(error, HTTPException):
            return session.broken(error)
        reply = cast("session.Reply", error.response)
        told = session.told(reply.status, reply.reason or "", reply.problem)
        now = self._clock.now()
        retry_at = None
        if reply.status == 429 or "88" in told.codes:
            retry_at = session.reset_at(reply.headers, now)
        elif "226" in told.codes:
            retry_at = now + AUTOMATION_REST
        lanes = session.lanes(kind, reply.headers)
        return structs.replace(told, text=self._tokens.hide(told.text), retry_at=retry_at, lanes=lanes)


class EnterpriseAdapter(XAdapter):
    """What an Enterprise plan can do besides."""

    async def react(self, ref: MessageRef, reaction: str) -> None:  # noqa: ARG002  X has one for all of them
        await self._mark("likes", ref, Change.REACT)


def _read_page(reply: session.Reply) -> translate.Page:
    """A list; with errors in its place it proves nothing."""
    page = session.read(reply, translate.Page)
    if page.errors and not page.data:
        raise FaultError(session.judged(reply, "errors in place of a list"))
    return page
