"""A document's media as one account takes them: had, known by their bytes, made to fit; and the card of its link."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import unquote, urlsplit

from msgspec import structs

from gateway.books import Store
from gateway.media.errors import MediaError
from gateway.media.kinds import named
from gateway.media.memo import Memo
from gateway.media.page import page
from gateway.media.probe import PICTURE_MAX_BYTES, probed
from gateway.media.web import Web
from gateway.model.capabilities import Feature, MediaLimits, Profile
from gateway.model.content import Card, Document, Link, Media, spans
from gateway.model.fetching import Fetching
from gateway.model.media import MediaKind
from gateway.ports import Clock

if TYPE_CHECKING:
    from gateway.media.drawing import Drawn

log = logging.getLogger("multihome.media")

MEDIA_MAX = 40
"""In one document."""
AT_ONCE = 2
KEEP_S = 600.0
"""For so long a source or a page is not asked again."""
BENCH_TIMEOUT_S = 600.0
"""From when a picture is given to be made anew. The largest takes seconds, minutes on a slow machine."""
PAGE_MAX_BYTES = 512 * 1024
PAGE_TIMEOUT_S = 6.0
CARD_PICTURE = MediaLimits(900_000, ("image/jpeg", "image/png"), side_max_px=1200)
"""Below what platforms take for a card."""

T = TypeVar("T")


class Pictures:
    """Used by whoever makes a draft ready for an account."""

    def __init__(self, store: Store, clock: Clock, fetching: Fetching) -> None:
        self._store = store
        self._fetching = fetching
        self.size_max_bytes = fetching.size_max_bytes
        self._web = Web(fetching)
        self._sources: Memo[str, Media] = Memo(clock, KEEP_S)
        self._cards: Memo[str, Card | None] = Memo(clock, KEEP_S)
        self._fetches, self._drawings = asyncio.Semaphore(AT_ONCE), asyncio.Semaphore(AT_ONCE)
        """Each holds what it works on in memory, until the store has it."""
        self._bench = ThreadPoolExecutor(1, thread_name_prefix="pictures")
        """One picture at a time is decoded: that bounds the memory."""

    async def fit(self, document: Document, profile: Profile) -> Document:
        """The document with media that are kept by the store, and pictures as this account takes them. What can't be
        had or made to fit says why: :mod:`gateway.text.carried` decides what becomes of it, and of what a profile
        doesn't take at all.
        """
        if document.media:
            document = structs.replace(document, media=await self._illustrations(document.media, profile))
        if self._fetching.cards and profile.supports(Feature.LINK_CARD):
            document = await self._carded(document)
        return document

    async def keep(self, data: bytes, name: str = "") -> Media:
        """Bytes that somebody handed in, known by what they are. Raises MediaError."""
        if len(data) > self.size_max_bytes:
            raise MediaError(f"it has {len(data)} bytes; {self.size_max_bytes} are the most")
        return await kept(self._store, data, name)

    # Media.

    async def _illustrations(self, media: Sequence[Media], profile: Profile) -> tuple[Media, ...]:
        if len(media) > MEDIA_MAX:
            why = f"{len(media)} media in one post; {MEDIA_MAX} are the most"
            return tuple(structs.replace(one, misfit=why) for one in media)
        return tuple(await asyncio.gather(*(self._fitted(one, profile) for one in media)))

    async def _fitted(self, one: Media, profile: Profile) -> Media:
        one = structs.replace(one, misfit="")
        try:
            one = one if one.sha256 else await self._had(one)
            limits = profile.limits.of(one.kind)
            if limits is not None and one.kind is MediaKind.IMAGE:
                return await self._drawn(one, limits)
            if limits is not None:
                _within(one, limits)
        except MediaError as error:
            return structs.replace(one, misfit=str(error))
        return one

    async def _had(self, one: Media) -> Media:
        """Its bytes are fetched, or were a moment ago."""
        found = await self._sources.get(one.source, lambda: self._fetched(one.source))
        return structs.replace(
            found,
            alt=one.alt,
            at=one.at,
            source=one.source,
            name=named(one.name, found.mime) if one.name else found.name,
        )

    async def _fetched(self, source: str) -> Media:
        async with self._fetches:
            found = await self._web.media(source)
            return await self.keep(found.data, unquote(urlsplit(found.url).path))

    async def _drawn(self, one: Media, limits: MediaLimits) -> Media:
        """A version of a picture for these limits, always from what it was first."""
        async with self._drawings:
            first, data = await self._first_of(one)
            picture = await self._at_the_bench(_draw, data, limits)
            sha256 = await self._store.put_media(picture.data, picture.mime)
        return structs.replace(
            one,
            sha256=sha256,
            mime=picture.mime,
            size_bytes=len(picture.data),
            width_px=picture.width_px,
            height_px=picture.height_px,
            name=named(one.name, picture.mime),
            original=first if first != sha256 else "",
        )

    async def _first_of(self, one: Media) -> tuple[str, bytes]:
        for sha256 in filter(None, (one.original, one.sha256)):
            try:
                return sha256, await self._store.media(sha256)
            except KeyError:
                continue
        raise MediaError("its bytes are not kept any more")

    async def _at_the_bench(self, work: Callable[..., T], *arguments: object) -> T:
        """What lasts longer goes on, as a thread can't be stopped, but nobody waits for it. Raises MediaError."""
        try:
            async with asyncio.timeout(BENCH_TIMEOUT_S):
                return await asyncio.get_running_loop().run_in_executor(self._bench, work, *arguments)
        except TimeoutError as error:
            raise MediaError(f"it took more than {BENCH_TIMEOUT_S:.0f} s to be made anew") from error

    # Cards.

    async def _carded(self, document: Document) -> Document:
        if document.media or document.quote or document.card:
            return document
        url = next((span.url for span in spans(document) if isinstance(span, Link)), None)
        if url is None:
            return document
        return structs.replace(document, card=await self._cards.get(url, lambda: self._card(url)))

    async def _card(self, url: str) -> Card | None:
        """What the page says of itself. A page that says nothing, or can't be had, never stops a post."""
        try:
            found = await self._web.beginning(url, PAGE_MAX_BYTES, PAGE_TIMEOUT_S)
            said = page(found.data, found.url, found.content_type)
            if not said.title or "html" not in found.content_type.lower():
                return None
            return Card(url, said.title, said.description, await self._thumb(said.picture) if said.picture else None)
        except MediaError as error:
            log.info("no card for a link: %s", error)
        except Exception:
            log.exception("no card for a link")
        return None

    async def _thumb(self, url: str) -> Media | None:
        try:
            async with self._fetches:
                found = await self._web.beginning(url, PICTURE_MAX_BYTES, PAGE_TIMEOUT_S)
                picture = await self._at_the_bench(_draw, found.data, CARD_PICTURE)
                sha256 = await self._store.put_media(picture.data, picture.mime)
        except MediaError as error:
            log.info("a card without its picture: %s", error)
            return None
        return Media(
            sha256, picture.mime, len(picture.data), width_px=picture.width_px, height_px=picture.height_px, source=url
        )


async def kept(store: Store, data: bytes, name: str = "") -> Media:
    """Bytes in the store, known by what they are. Raises MediaError."""
    found = await asyncio.to_thread(probed, data)
    sha256 = await store.put_media(found.data, found.mime)
    measures = found.measures
    return Media(
        sha256,
        found.mime,
        len(found.data),
        width_px=measures.width_px,
        height_px=measures.height_px,
        duration_s=measures.duration_s,
        animated=measures.animated,
        frames=measures.frames,
        name=named(name, found.mime),
    )


def _draw(data: bytes, limits: MediaLimits) -> Drawn:
    from gateway.media.drawing import drawn

    return drawn(data, limits)


def _within(one: Media, limits: MediaLimits) -> None:
    """What a film or a picture that moves can't be made smaller by. Its bytes and length are looked at later."""
    width, height = one.width_px or 0, one.height_px or 0
    too_wide = limits.side_max_px is not None and max(width, height) > limits.side_max_px
    if too_wide or (limits.pixels_max is not None and width * height > limits.pixels_max):
        raise MediaError(f"it has {width} x {height} pixels, and is not made smaller here")
