"""A document made to fit an account: what is fetched, kept, drawn, linked and refused; and the cards of links."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from media_rig import JPEG_ONLY, Town, a_town, house, profile
from msgspec import structs
from some_media import exif, moving, mp4, noise, opened, written

from gateway.agent import Conversation
from gateway.media import pictures as media
from gateway.media.errors import MediaError
from gateway.media.memo import AGAIN_AFTER_S
from gateway.model.capabilities import Support
from gateway.model.content import Document, Link, Media, Quote, Text
from gateway.model.events import Kind, MessageReceived
from gateway.model.identity import Identity
from gateway.model.ids import AccountId, ConversationId, MessageRef
from gateway.text.markdown import from_markdown

PNG = written(noise(200, 100), "PNG", exif=exif())
CARDS = profile(cards=Support.PARTIAL)


@pytest.fixture
async def town() -> Any:
    async with a_town() as town:
        yield town


def naming(*urls: str) -> Document:
    return from_markdown("Look:\n\n" + "\n".join(f"![a cat]({url})" for url in urls))


async def misfit(pictures: media.Pictures, document: Document) -> str:
    (found,) = {one.misfit for one in (await pictures.fit(document, profile())).media}
    return found


async def test_a_source_is_fetched_once_for_all_accounts(town: Town, tmp_path: Path) -> None:
    document = naming(town.serves("/a/My%20cat.png", PNG), town.serves("/b.mp4", mp4()))
    async with house(tmp_path) as (pictures, clock):
        first = await pictures.fit(document, profile())
        second = await pictures.fit(document, profile(20_000, JPEG_ONLY))
        assert sorted(town.paths) == ["/a/My cat.png", "/b.mp4"]
        await clock.advance(media.KEEP_S + 1)
        await pictures.fit(document, profile())
        assert len(town.asked) == 4
        large, film = first.media
        small, same = second.media
        assert (large.alt, large.at, large.name, large.mime) == ("a cat", 0, "My cat.png", "image/png")
        assert (small.name, small.mime) == ("My cat.jpg", "image/jpeg")
        assert large.original == small.original == hashlib.sha256(PNG).hexdigest()
        assert film == same
        assert (film.mime, film.width_px, film.height_px, film.duration_s) == ("video/mp4", 640, 360, 5.0)
        for one in (large, small):
            data = await pictures._store.media(one.sha256)
            assert (len(data), opened(data).size) == (one.size_bytes, (one.width_px, one.height_px))
            assert not opened(data).getexif()
        assert small.size_bytes <= 20_000


async def test_a_version_is_made_from_the_first_one_again(tmp_path: Path) -> None:
    """What was made small for one account is not shown small by the next."""
    async with house(tmp_path) as (pictures, _):
        kept = structs.replace(await pictures.keep(PNG, "cat.png"), alt="a cat")
        small = await pictures.fit(Document((), (kept,)), profile(3_000, JPEG_ONLY))
        assert small.media[0].width_px < 200
        large = await pictures.fit(small, profile())
        assert (large.media[0].width_px, large.media[0].mime) == (200, "image/png")
        assert large.media[0].alt == "a cat"
        assert await pictures.fit(large, profile()) == large


async def test_what_is_as_it_should_be_stays_what_it_is(tmp_path: Path) -> None:
    document = Document(((Text("words"),),))
    async with house(tmp_path) as (pictures, _):
        assert await pictures.fit(document, CARDS) is document
        gif, film = await pictures.keep(moving()), await pictures.keep(mp4())
        both = Document((), (gif, film))
        assert await pictures.fit(both, profile()) == both


async def test_what_a_platform_does_not_take_is_left_to_who_decides(tmp_path: Path) -> None:
    async with house(tmp_path) as (pictures, _):
        kept = await pictures.keep(b"%PDF-1.7 and so on", "plan.pdf")
        document = Document((), (kept,))
        assert await pictures.fit(document, profile()) == document
        wide = Document((), (await pictures.keep(mp4(4000, 2000)),))
        assert "4000 x 2000 pixels" in await misfit(pictures, wide)


@pytest.mark.parametrize("what", ["missing", "broken", "page", "private", "huge"])
async def test_what_can_not_be_had_says_why(what: str, town: Town, tmp_path: Path) -> None:
    url = {
        "missing": town.base + "/none.png",
        "broken": town.serves("/b.png", PNG[:500]),
        "page": town.serves("/p.png", b"<html>" * 99, "image/png"),
        "private": town.base.replace("127.0.0.1", "localhost") + "/a.png",
        "huge": town.serves("/h.mp4", mp4() + bytes(200_000)),
    }[what]
    async with house(tmp_path, size_max_bytes=100_000) as (pictures, _):
        found = await pictures.fit(naming(url), profile())
        assert found.paragraphs == naming(url).paragraphs
        assert [(one.misfit != "", one.source, one.alt) for one in found.media] == [(True, url, "a cat")]


async def test_a_failure_is_asked_about_again_soon(town: Town, tmp_path: Path) -> None:
    async with house(tmp_path) as (pictures, clock):
        document = naming(town.base + "/late.png")
        for _ in range(3):
            assert await misfit(pictures, document)
        assert len(town.asked) == 1
        town.serves("/late.png", PNG)
        await clock.advance(AGAIN_AFTER_S + 1)
        (found,) = (await pictures.fit(document, profile())).media
        assert found.sha256
        assert not found.misfit


async def test_a_picture_that_is_gone_says_so(tmp_path: Path) -> None:
    async with house(tmp_path) as (pictures, _):
        lost = Document((), (Media("ab" * 32, "image/png", 9, name="lost.png"),))
        assert "not kept any more" in await misfit(pictures, lost)


async def test_of_too_many_none_is_fetched(town: Town, tmp_path: Path) -> None:
    urls = [f"{town.base}/{n}.png" for n in range(media.MEDIA_MAX + 1)]
    async with house(tmp_path) as (pictures, _):
        assert "are the most" in await misfit(pictures, naming(*urls))
        assert town.asked == []


async def test_what_is_handed_in_is_looked_at(tmp_path: Path) -> None:
    async with house(tmp_path, size_max_bytes=1000) as (pictures, _):
        for data, why in ((b"", "empty"), (b"words", "none of"), (bytes(1001), "1000 are the most")):
            with pytest.raises(MediaError, match=why):
                await pictures.keep(data)


async def test_an_agent_hands_in_bytes(tmp_path: Path) -> None:
    said = MessageReceived(
        AccountId("x/main"), "1", MessageRef("r1"), ConversationId("c1"), Kind.MENTION, Identity("x", "7", "ana"),
        Document(((Text("hello"),),)), datetime(2026, 1, 1, tzinfo=UTC),
    )  # fmt: skip
    async with house(tmp_path) as (pictures, _):
        conversation = Conversation(said, None, pictures._store)
        kept = await conversation.keep(PNG, "plot.jpg")
        assert (kept.name, kept.mime, kept.width_px) == ("plot.png", "image/png", 200)
        shown = await pictures.fit(Document((), (structs.replace(kept, alt="a plot"),)), profile())
        assert shown.media[0].alt == "a plot"
        with pytest.raises(MediaError):
            await conversation.keep(b"words")


# Cards.

HEAD = (
    """<title>A page</title><meta name="description" content="of words"><meta property="og:image" content="/i.png">"""
)


def linking(url: str) -> Document:
    return from_markdown(f"Read {url} and https://e.org/other")


async def test_a_link_has_the_card_of_its_page(town: Town, tmp_path: Path) -> None:
    url = town.moved("/short", "/blog/post")
    town.serves("/blog/post", HEAD.encode(), "text/html")
    town.serves("/i.png", written(noise(1500, 900), "PNG", exif=exif()))
    async with house(tmp_path) as (pictures, clock):
        for _ in range(2):
            card = (await pictures.fit(linking(url), CARDS)).card
            assert card is not None
            assert (card.url, card.title, card.description) == (url, "A page", "of words")
            shown = card.picture
            assert shown is not None
            assert shown.mime == "image/jpeg"
            assert shown.size_bytes <= media.CARD_PICTURE.size_bytes
            assert max(shown.width_px or 0, shown.height_px or 0) <= 1200
            assert opened(await pictures._store.media(shown.sha256)).size == (shown.width_px, shown.height_px)
        assert town.paths == ["/short", "/blog/post", "/i.png"]
        await clock.advance(media.KEEP_S + 1)
        await pictures.fit(linking(url), CARDS)
        assert len(town.asked) == 6


async def test_no_page_stops_a_post(town: Town, tmp_path: Path) -> None:
    async def broken(_: web.Request) -> web.Response:
        return web.Response(status=500)

    urls = [
        town.does("/broken", broken),
        town.serves("/empty", b"", "text/html"),
        town.serves("/film", mp4(), "video/mp4"),
        town.serves("/text", b"<title>no page</title>", "text/plain"),
        town.base.replace("127.0.0.1", "localhost") + "/private",
        "http://nowhere.invalid/",
        "http://[::1",
        "http://127.0.0.1:1/",
    ]
    async with house(tmp_path) as (pictures, _):
        for url in urls:
            document = Document(((Link(url),),))
            assert await pictures.fit(document, CARDS) == document
        assert "/private" not in town.paths


@pytest.mark.parametrize("picture", ["/none.png", "http://localhost:1/i.png", "data:image/png;base64,AA"])
async def test_a_card_goes_without_its_picture(picture: str, town: Town, tmp_path: Path) -> None:
    url = town.serves("/p", HEAD.replace("/i.png", picture).encode(), "text/html")
    async with house(tmp_path) as (pictures, _):
        card = (await pictures.fit(linking(url), CARDS)).card
        assert card is not None
        assert (card.title, card.picture) == ("A page", None)


async def test_a_page_is_read_only_so_far(town: Town, tmp_path: Path) -> None:
    url = town.serves("/p", b"<p>" + bytes(media.PAGE_MAX_BYTES) + HEAD.encode(), "text/html")
    early = town.serves("/q", HEAD.encode() + bytes(media.PAGE_MAX_BYTES * 3), "text/html")
    async with house(tmp_path) as (pictures, _):
        assert (await pictures.fit(linking(url), CARDS)).card is None
        assert (await pictures.fit(linking(early), CARDS)).card is not None


async def test_who_has_no_cards_asks_for_none(town: Town, tmp_path: Path) -> None:
    url = town.serves("/p", HEAD.encode(), "text/html")
    quoting = structs.replace(linking(url), quote=Quote("alpha", url="https://e.org"))
    async with house(tmp_path) as (pictures, _):
        assert (await pictures.fit(linking(url), profile())).card is None
        assert (await pictures.fit(quoting, CARDS)).card is None
        with_film = structs.replace(linking(url), media=(await pictures.keep(mp4()),))
        assert (await pictures.fit(with_film, CARDS)).card is None
    async with house(tmp_path, cards=False) as (pictures, _):
        assert (await pictures.fit(linking(url), CARDS)).card is None
    assert town.asked == []
