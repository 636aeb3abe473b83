"""One account on an instance: posts, what may be done to them, and what is heard."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress
from datetime import datetime, timedelta
from typing import Any, NoReturn
from urllib.parse import urlsplit

import msgspec
from mastodon import Mastodon
from msgspec import structs

from adapters.mastodon import content, facts, preview, translate
from adapters.mastodon import plan as writing
from adapters.mastodon.calls import Calls
from adapters.mastodon.entities import Account, Instance, Source, Status
from adapters.mastodon.files import fetched
from adapters.mastodon.places import Here, is_private, parse_ref, ref_of
from adapters.mastodon.profile import NAME, PROBE_FAULTS, PROFILE, Settings
from adapters.mastodon.receive import Memory, Reader, Stream
from adapters.mastodon.uploads import Uploads
from gateway.model import standing
from gateway.model.capabilities import Feature, LaneState, Profile
from gateway.model.content import Document, Quote
from gateway.model.delivery import Draft, Fault, FaultError, FaultKind, Part, Receipt, Shown
from gateway.model.identity import Identity
from gateway.model.ids import MessageRef
from gateway.model.media import Attachment
from gateway.model.standing import Signal
from gateway.ports import Arrival, Context, Taken, Unsure, nobodys

STATUS_PAGE = 40
READ_BACK_PAGES = 25
SKEW = timedelta(seconds=60)
"""How far the instance's clock may be behind ours."""
FAVOURITES = frozenset({"favourite", "like", "⭐", "🌟", "❤", "❤️", "♥", "♥️", "👍"})
"""What may stand for the one reaction there is; anything else would say something that wasn't meant."""


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
        self._profile = PROFILE
        self._here: Here | None = None
        self._learning = asyncio.Lock()
        self._memory = Memory()
        self._calls = Calls(server, settings, context)
        self._ask = self._calls.ask
        self._uploads = Uploads(self._calls, context)
        self._reader = Reader(self._ask, self._memory, context, settings.poll_s)
        self._streams: set[Stream] = set()

    @property
    def profile(self) -> Profile:
        return self._profile

    # Sending.

    def plan(self, draft: Draft, at: datetime) -> tuple[Part, ...]:
        return writing.plan(draft, at, self._profile.limits, self._settings.visibility, self._home)

    @property
    def _home(self) -> str:
        return self._here.domain if self._here else ""

    def preview(self, part: Part) -> Shown:
        text = self._here.local(part.body["text"]) if self._here else part.body["text"]
        return preview.shown(part, text, self._profile.limits)

    async def send(self, part: Part) -> Receipt:
        here = await self._know()
        body = part.body
        media = await self._uploads.ready(body.get("media", ()), part.key)
        text, reply_to = here.local(body["text"]), _answered(part)

        def post(client: Mastodon) -> Any:
            return client.status_post(
                text,
                in_reply_to_id=reply_to,
                media_ids=media or None,
                sensitive=body.get("sensitive", False),
                visibility=body["visibility"],
                spoiler_text=body.get("warning"),
                language=body.get("language"),
                idempotency_key=part.key,
                poll=body.get("poll"),
                quoted_status_id=body.get("quote"),
            )

        try:
            status, lanes = await self._calls.write(Status, post, "post")
        except FaultError as error:
            raise FaultError(self._uploads.judged(part.key, error.fault)) from error
        self._uploads.forget(part.key)
        if _calls_nobody(status, here):
            await self._take_back(status, lanes)
        return self._receipt(status, here, lanes)

    async def _take_back(self, status: Status, lanes: tuple[LaneState, ...]) -> NoReturn:
        """Nobody but us can see it, nor ever will: nothing was sent. What may be left is no more than untidy."""
        with suppress(FaultError):
            await self._calls.write(_Done, lambda client: client.status_delete(status.id), "delete")
        words = "the instance knows nobody of that name: a direct message that calls nobody reaches nobody"
        raise FaultError(Fault(FaultKind.TARGET_GONE, True, words, lanes=lanes))

    def _receipt(self, status: Status, here: Here, lanes: tuple[LaneState, ...] = ()) -> Receipt:
        try:
            ref = ref_of(status, here)
            self._memory.keep(status, here, self._memory.root_of(status))
        except ValueError as error:
            raise FaultError(Fault(FaultKind.SERVER, False, f"the answer names {error}")) from error
        url = content.web_address(status.url) or None
        return Receipt(ref, content.aware(status.created_at), url, lanes)

    async def reconcile(self, part: Part, since: datetime, taken: Taken = nobodys) -> Receipt | Unsure:
        """Looks through our own statuses since then for the same words in the same place."""
        here = await self._know()
        max_id = None
        for _ in range(READ_BACK_PAGES):
            page = await self._own_page(here, max_id)
            for status in page:
                if content.aware(status.created_at) < since - SKEW:
                    return Unsure.NOT_SENT
                if await self._is(status, here, part):
                    receipt = self._receipt(status, here)
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
        if not _looks_like(status, part) or not content.same_words(status, here, part.body["text"]):
            return False
        if _calls_nobody(status, here):
            return False
        try:
            source = await self._ask(Source, lambda client: client.status_source(status.id), optional=True)
        except FaultError as error:
            if error.fault.kind in (FaultKind.TARGET_GONE, FaultKind.CONFIG):  # servers without sources
                return True
            raise
        return bool(source.text.split() == here.local(part.body["text"]).split())

    # What may be done to a message.

    def stays(self, before: Document, after: Document) -> str:
        return writing.QUOTES_STAY if before.quote and before.quote != after.quote else ""

    async def edit(self, ref: MessageRef, document: Document, *, words_only: bool = False) -> Receipt:
        """One correction: the document takes the place of all there was, its files, poll and warning too. Mentions that
        the place needs stay.
        """
        here = await self._know()
        status, visibility, people = parse_ref(ref)
        if document.quote and not await self._shows(status, document.quote):
            document = writing.linking(document)
        if people and not is_private(visibility):  # in private the words call nobody else
            people = content.addressed(await self._ask(Status, lambda client: client.status(status)), here)
        place = writing.Place("reply", visibility, people=people, home=here.domain)
        body = writing.reworded(document, place, self._profile.limits)
        text = here.local(body["text"])
        files = body.get("media", ())
        media = await (self._shown_by(status) if files and words_only else self._uploads.ready(files))

        def change(client: Mastodon) -> Any:
            return client.status_update(
                status,
                text,
                spoiler_text=body.get("warning", ""),  # not every server takes none for an empty one
                sensitive=body.get("sensitive", False),
                media_ids=media or None,
                poll=body.get("poll"),
            )

        changed, lanes = await self._calls.write(Status, change, "edit")
        return self._receipt(changed, here, lanes)

    async def _shows(self, status: str, quote: Quote) -> bool:
        """Whether a status of ours quotes this one: an edit gives it no other (masto statuses_controller.rb)."""
        if quote.ref is None or not self._profile.supports(Feature.QUOTE):
            return False
        shown = await self._ask(Status, lambda client: client.status(status))
        return content.quotes(shown, parse_ref(quote.ref).id)

    async def _shown_by(self, status: str) -> list[str]:
        """The ids of the files that a status has: those that an edit doesn't name are taken away."""
        found = await self._ask(Status, lambda client: client.status(status))
        return [file.id for file in found.media_attachments or ()]

    async def delete(self, ref: MessageRef) -> None:
        status = parse_ref(ref).id
        try:
            await self._calls.write(_Done, lambda client: client.status_delete(status), "delete")
        except FaultError as error:
            if error.fault.kind is not FaultKind.TARGET_GONE:
                raise

    async def react(self, ref: MessageRef, reaction: str) -> None:
        if reaction not in FAVOURITES:
            raise FaultError(Fault(FaultKind.INVALID, True, f"Mastodon has favourites only, no {reaction[:40]}"))
        status = parse_ref(ref).id
        await self._calls.write(_Done, lambda client: client.status_favourite(status), "react")

    async def repost(self, ref: MessageRef) -> None:
        """The server answers a second time with the first one: masto reblog_service.rb."""
        status = parse_ref(ref).id
        await self._calls.write(_Done, lambda client: client.status_reblog(status), "repost")

    # Receiving.

    def fetch(self, attachment: Attachment) -> AsyncIterator[bytes]:
        return fetched(attachment, self._server)

    async def events(self, cursor: str | None) -> AsyncIterator[Arrival]:
        here = await self._know()
        stream = Stream(self._calls.workers("stream", 1), Instance, self._context.clock)
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
            me = await self._ask(Account, lambda client: client.account_verify_credentials(), rules=PROBE_FAULTS)
            await self._know()
        except FaultError as error:
            return Signal(standing.Source.PROBE, self._context.clock.now(), error.fault.evidence, error.fault)
        return Signal(standing.Source.PROBE, self._context.clock.now(), f"signed in as @{me.acct}"[:200])

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
            me = await self._ask(Account, lambda client: client.account_verify_credentials(), rules=PROBE_FAULTS)
            instance = await self._instance()
        except FaultError as error:  # two reads: whatever they met, nothing was sent
            raise FaultError(structs.replace(error.fault, certain=True)) from error
        self._calls.seen = True
        self._profile = facts.profile_of(instance, PROFILE)
        domain = facts.domain_of(instance, urlsplit(self._server).netloc)
        name = me.acct if "@" in me.acct else f"{me.acct}@{domain}"
        return Here(me.id, name.casefold(), domain, facts.can_quote(instance))

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
        await self._calls.aclose()


def _answered(part: Part) -> str | None:
    """The id of the status that a part answers: the one before it, or what the draft named."""
    named: str | None = part.body.get("reply_to")
    return parse_ref(part.previous).id if part.previous else named


def _calls_nobody(status: Status, here: Here) -> bool:
    """Whether it is a direct message to nobody: a name that the instance doesn't know stays a word, and the status is
    made all the same (masto process_mentions_service.rb).
    """
    called = status.mentions
    return status.visibility == "direct" and called is not None and all(one.id == here.id for one in called)


def _looks_like(status: Status, part: Part) -> bool:
    """Whether all but the words may be this part's."""
    body = part.body
    return (
        len(status.media_attachments or ()) == len(body.get("media", ()))
        and (status.poll is not None) == ("poll" in body)
        and (status.spoiler_text or "").split() == body.get("warning", "").split()
        # What it answers may be gone, and then it says nothing of it.
        and status.in_reply_to_id in (_answered(part), None)
        # A silenced account's public posts become unlisted.
        and is_private(status.visibility) == is_private(body["visibility"])
    )
