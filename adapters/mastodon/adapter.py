"""Talks to an instance, through Mastodon.py: the only importer of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from datetime import datetime, timedelta
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

import msgspec
from mastodon import Mastodon
from mastodon.errors import MastodonAPIError, MastodonNetworkError, MastodonRatelimitError
from msgspec import structs

from adapters.border import Rule, Told, crossing
from adapters.mastodon import plan as writing
from adapters.mastodon import translate
from adapters.mastodon.profile import FAULTS, NAME, PROBE_FAULTS, PROFILE, Settings
from adapters.mastodon.receive import Memory, Reader, Stream
from adapters.mastodon.session import RedirectedError, Session, UnreachedError, window
from adapters.mastodon.translate import Here, Instance, Status
from adapters.mastodon.workers import Outcome, Workers
from gateway.model.capabilities import LaneState, Profile
from gateway.model.content import Document
from gateway.model.delivery import Draft, Fault, FaultError, FaultKind, Part, Receipt
from gateway.model.identity import Identity
from gateway.model.ids import MessageRef
from gateway.model.secret import Secret
from gateway.model.standing import Signal, Source
from gateway.ports import Arrival, Context, Taken, Unsure, nobodys

REQUEST_S = 30.0
STATUS_PAGE = 40
READ_BACK_PAGES = 25
SKEW = timedelta(seconds=60)
"""How far the instance's clock may be behind ours."""
MEDIA_TURNS_S = (0.1, 0.2, 0.4, 0.8, 1.5, 3.0, 6.0, 12.0)
FAVOURITES = frozenset({"favourite", "like", "⭐", "🌟", "❤", "❤️", "♥", "♥️", "👍"})
"""What may stand for the one reaction there is; anything else would say something that wasn't meant."""


class _Uploaded(msgspec.Struct, frozen=True):
    id: translate.Id
    url: str | None = None


class _Files(msgspec.Struct, frozen=True):
    media_attachments: list[translate.Attachment] = msgspec.field(default_factory=list)


class _Done(msgspec.Struct, frozen=True):
    """Any object: nothing of it is looked at."""


async def open_account(settings: Settings, context: Context) -> MastodonAdapter:
    """The account, without a request: whether it works is for ``check()`` to find out."""
    server = settings.server.strip()
    server = server if "://" in server else f"https://{server}"
    if not _is_address(server):
        raise FaultError(Fault(FaultKind.CONFIG, True, "server: an address like https://mastodon.social is wanted"))
    return MastodonAdapter(server.rstrip("/"), settings, context)


def _is_address(server: str) -> bool:
    try:
        parts = urlsplit(server)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.username and parts.port != 0
    except ValueError:  # a port that is none
        return False


class MastodonAdapter:
    """One account. Requests run on a few threads of its own (see workers.py); everything else on the loop."""

    def __init__(self, server: str, settings: Settings, context: Context) -> None:
        self._server = server
        self._settings = settings
        self._context = context
        token = settings.access_token.reveal().strip()
        self._token = Secret(token)
        self._token_can_be_sent = token.isascii() and token.isprintable()
        self._profile = PROFILE
        self._here: Here | None = None
        self._learning = asyncio.Lock()
        self._memory = Memory()
        self._reader = Reader(self._ask, self._memory, context, settings.poll_s)
        self._sending = self._workers("send", settings.workers)
        self._reading = self._workers("read", 1)
        self._streams: set[Stream] = set()

    @property
    def profile(self) -> Profile:
        return self._profile

    # Sending.

    def plan(self, draft: Draft, at: datetime) -> tuple[Part, ...]:
        return writing.plan(draft, at, self._profile.limits, self._settings.visibility)

    async def send(self, part: Part) -> Receipt:
        here = await self._know()
        body = part.body
        reply_to = translate.parse_ref(part.previous).id if part.previous else body.get("reply_to")
        media = [await self._upload(picture) for picture in body.get("media", ())]
        text = here.local(body["text"])

        def post(client: Mastodon) -> Any:
            return client.status_post(
                text,
                in_reply_to_id=reply_to,
                media_ids=media or None,
                visibility=body["visibility"],
                language=body.get("language"),
                idempotency_key=part.key,
            )

        status, headers = await self._call(self._sending, Status, post, FAULTS, "post")
        return self._receipt(status, here, headers)

    async def _upload(self, picture: dict[str, str]) -> str:
        """A picture's id, once the instance has processed it. Whatever goes wrong here, nothing was posted."""
        data = await self._context.media(picture["sha256"])
        try:
            media = await self._ask(
                _Uploaded,
                lambda client: client.media_post(BytesIO(data), picture["mime"], description=picture["alt"] or None),
                workers=self._sending,
            )
            for pause_s in MEDIA_TURNS_S:
                if media.url is not None:
                    return str(media.id)
                await self._context.clock.sleep(pause_s)
                media = await self._ask(_Uploaded, _look_at(media.id))
        except FaultError as error:
            raise FaultError(structs.replace(error.fault, certain=True)) from error
        raise FaultError(Fault(FaultKind.MEDIA_PENDING, True, "the instance is still processing the picture"))

    def _receipt(self, status: Status, here: Here, headers: dict[str, str]) -> Receipt:
        try:
            ref = translate.ref_of(status, here)
            self._memory.keep(status, here, self._memory.root_of(status))
        except ValueError as error:
            raise FaultError(Fault(FaultKind.SERVER, False, f"the answer names {error}")) from error
        url = status.url if status.url and len(status.url) <= translate.URL_MAX else None
        return Receipt(ref, translate.aware(status.created_at), url, self._lanes(headers))

    def _lanes(self, headers: dict[str, str]) -> tuple[LaneState, ...]:
        told = window(headers, self._context.clock.now())
        return (LaneState("statuses", told[0], told[1].timestamp()),) if told else ()

    async def reconcile(self, part: Part, since: datetime, taken: Taken = nobodys) -> Receipt | Unsure:
        """Looks through our own statuses since then for the same words in the same place."""
        here = await self._know()
        max_id = None
        for _ in range(READ_BACK_PAGES):
            page = await self._own_page(here, max_id)
            for status in page:
                if translate.aware(status.created_at) < since - SKEW:
                    return Unsure.NOT_SENT
                if await self._is(status, here, part):
                    receipt = self._receipt(status, here, {})
                    if not await taken(receipt.ref):
                        return receipt
            if not page:
                return Unsure.NOT_SENT
            max_id = min((status.id for status in page), key=translate.order)
        return Unsure.UNKNOWN

    async def _own_page(self, here: Here, max_id: str | None) -> list[Status]:
        """Own statuses below an id, newest first."""
        page: list[Status] = await self._ask(
            list[Status],
            lambda client: client.account_statuses(here.id, exclude_reblogs=True, max_id=max_id, limit=STATUS_PAGE),
        )
        return sorted(page, key=lambda status: translate.order(status.id), reverse=True)

    async def _is(self, status: Status, here: Here, part: Part) -> bool:
        """Whether a status of ours is this part; asked for its source where the words leave a doubt."""
        reply_to = translate.parse_ref(part.previous).id if part.previous else part.body.get("reply_to")
        files = len(part.body.get("media", ()))
        private = translate.is_private(part.body["visibility"])
        if len(status.media_attachments or ()) != files:
            return False
        if status.in_reply_to_id not in (reply_to, None):  # what it answers may be gone, and then it says nothing of it
            return False
        if translate.is_private(status.visibility) != private:  # a silenced account's public posts become unlisted
            return False
        if not translate.same_words(status, here, part.body["text"]):
            return False
        try:
            source = await self._ask(translate.Source, lambda client: client.status_source(status.id))
        except FaultError as error:
            if error.fault.kind in (FaultKind.TARGET_GONE, FaultKind.CONFIG):  # servers without sources
                return True
            raise
        return bool(source.text.split() == here.local(part.body["text"]).split())

    # What may be done to a message.

    async def edit(self, ref: MessageRef, document: Document) -> Receipt:
        """One correction. Mentions stay; so do pictures, which Mastodon takes off when an edit doesn't name them."""
        here = await self._know()
        status, visibility, people = translate.parse_ref(ref)
        text = here.local(writing.reworded(document, visibility, people, self._profile.limits))
        files = await self._ask(_Files, lambda client: client.status(status))
        media = [file.id for file in files.media_attachments]
        changed, headers = await self._call(
            self._sending, Status, lambda client: client.status_update(status, text, media_ids=media), FAULTS, "edit"
        )
        return self._receipt(changed, here, headers)

    async def delete(self, ref: MessageRef) -> None:
        status = translate.parse_ref(ref).id
        try:
            await self._ask(_Done, lambda client: client.status_delete(status), workers=self._sending)
        except FaultError as error:
            if error.fault.kind is not FaultKind.TARGET_GONE:
                raise

    async def react(self, ref: MessageRef, reaction: str) -> None:
        if reaction not in FAVOURITES:
            raise FaultError(Fault(FaultKind.INVALID, True, f"Mastodon has favourites only, no {reaction[:40]}"))
        status = translate.parse_ref(ref).id
        await self._ask(_Done, lambda client: client.status_favourite(status), workers=self._sending)

    # Receiving.

    async def events(self, cursor: str | None) -> AsyncIterator[Arrival]:
        here = await self._know()
        stream = Stream(self._workers("stream", 1), Instance, self._context.clock)
        self._streams.add(stream)
        try:
            async with aclosing(self._reader.arrivals(cursor, here, stream.bell)) as arrivals:
                async for arrival in arrivals:
                    yield arrival
        finally:
            self._streams.discard(stream)
            await stream.aclose()

    # The account.

    async def check(self) -> Signal:
        try:
            me = await self._ask(
                translate.Account, lambda client: client.account_verify_credentials(), rules=PROBE_FAULTS
            )
            await self._know()
        except FaultError as error:
            return Signal(Source.PROBE, self._context.clock.now(), error.fault.evidence, error.fault)
        return Signal(Source.PROBE, self._context.clock.now(), f"signed in as @{me.acct}"[:200])

    def identity(self) -> Identity | None:
        here = self._here
        return Identity(NAME, here.name, here.name.removesuffix(f"@{here.domain}")) if here else None

    async def _know(self) -> Here:
        """Who we are and what the instance allows; asked once."""
        if self._here is not None:
            return self._here
        async with self._learning:
            if self._here is None:
                self._here = await self._learn()
        return self._here

    async def _learn(self) -> Here:
        try:
            me = await self._ask(
                translate.Account, lambda client: client.account_verify_credentials(), rules=PROBE_FAULTS
            )
            instance = await self._instance()
        except FaultError as error:  # two reads: whatever they met, nothing was sent
            raise FaultError(structs.replace(error.fault, certain=True)) from error
        limits = translate.limits_of(instance, PROFILE.limits)
        self._profile = structs.replace(self._profile, limits=limits)
        domain = translate.domain_of(instance, urlsplit(self._server).netloc)
        name = me.acct if "@" in me.acct else f"{me.acct}@{domain}"
        return Here(me.id, name.casefold(), domain)

    async def _instance(self) -> Instance:
        try:
            found: Instance = await self._ask(Instance, lambda client: client.instance_v2())
        except FaultError as error:
            if error.fault.kind not in (FaultKind.TARGET_GONE, FaultKind.CONFIG):
                raise
            found = await self._ask(Instance, lambda client: client.instance_v1())  # before Mastodon 4.0
        return found

    async def aclose(self) -> None:
        for stream in list(self._streams):
            await stream.aclose()
        await self._sending.aclose()
        await self._reading.aclose()

    # The library.

    def _workers(self, name: str, count: int) -> Workers:
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

    async def _ask(
        self,
        shape: Any,
        call: Callable[[Mastodon], Any],
        *,
        rules: Sequence[Rule] = FAULTS,
        workers: Workers | None = None,
    ) -> Any:
        return (await self._call(workers or self._reading, shape, call, rules, "ask"))[0]

    async def _call(
        self, workers: Workers, shape: Any, call: Callable[[Mastodon], Any], rules: Sequence[Rule], doing: str
    ) -> tuple[Any, dict[str, str]]:
        """Run a library call on a thread; returns what it decoded and the answer's headers."""
        if not self._token_can_be_sent:
            raise FaultError(Fault(FaultKind.SIGNED_OUT, True, "the access token has characters that none has"))
        outcome = await workers.call(shape, call)
        async with crossing(lambda error: self._told(error, outcome), rules, doing=doing):
            return outcome.result(), outcome.headers

    def _told(self, error: Exception, outcome: Outcome) -> Told | None:
        match error:
            case MastodonRatelimitError():  # it carries nothing but its name
                told = window(outcome.headers, self._context.clock.now())
                lanes = self._lanes(outcome.headers)
                return Told("Too many requests", 429, retry_at=told[1] if told else None, lanes=lanes)
            case MastodonNetworkError():
                return _unheard(error.__context__ or error)
            case MastodonAPIError():
                return _refused(error.args, outcome.refusal)
        return None


def _look_at(upload: str) -> Callable[[Mastodon], Any]:
    return lambda client: client.media(upload)


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
