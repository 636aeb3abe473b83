"""X's words and ours, without a wire: lengths against twitter's own vectors, reading, planning, recognising."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from adapters.border import Told, judge
from adapters.x import length, parts, recognize, session, translate
from adapters.x.profile import FAULTS, PLATFORM
from gateway.model.capabilities import LaneState
from gateway.model.content import Document, Link, Media, Mention, Poll, Quote, Text, plain
from gateway.model.delivery import (
    Change,
    Draft,
    FaultError,
    FaultKind,
    InConversation,
    Repliers,
    Target,
    Timeline,
    ToPerson,
)
from gateway.model.events import Kind, MessageEdited, MessageReceived, Reposted
from gateway.model.identity import Identity
from gateway.model.ids import DEFAULT_WORKSPACE, AccountId, ConversationId, DraftId, MessageRef
from gateway.text.plain import from_text

VECTORS = Path(__file__).parents[3] / "shared" / "vectors"
AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
ME = "100"


def vectors() -> list[Any]:
    """The two suites that go by config/v3.json."""
    path = VECTORS / "x_validate.yml"
    if not path.is_file():
        return []
    tests = yaml.safe_load(path.read_text(encoding="utf-8"))["tests"]
    return [*tests["WeightedTweetsWithDiscountedEmojiCounterTest"], *tests["UnicodeDirectionalMarkerCounterTest"]]


def test_lengths_agree_with_twitters_own_vectors() -> None:
    cases = vectors()
    if not cases:
        pytest.skip("../shared/vectors is not here")
    assert len(cases) == 24
    for case in cases:
        assert length.weighted_length(case["text"]) == case["expected"]["weightedLength"], case["description"]


def test_the_bounds_agree_with_the_parser() -> None:
    cases = [case["text"] for case in vectors()]
    if not cases:
        pytest.skip("../shared/vectors is not here")
    for text in (whole for one in cases for whole in (one, one * 2, one[: len(one) // 2])):
        assert length.fits_post(text) == (length.weighted_length(text) <= 280), text


def test_the_weights_are_the_published_ones() -> None:
    path = VECTORS / "x_weights_v3.json"
    if not path.is_file():
        pytest.skip("../shared/vectors is not here")
    published = json.loads(path.read_text(encoding="utf-8"))
    for window in published["ranges"]:
        for edge in (window["start"], window["end"]):
            assert not length._HEAVY.search(chr(edge))
        assert length._HEAVY.search(chr(window["end"] + 1)) or window["end"] + 1 in range(8205, 8249)
    assert published["maxWeightedTweetLength"] == length.POST_MAX == PLATFORM.profile.limits.text_max
    assert published["transformedURLLength"] == PLATFORM.profile.limits.url_length


def test_an_address_in_a_domain_younger_than_the_list_has_room() -> None:
    assert length.fits_post("a" * 256 + " https://a.example/b")
    assert not length.fits_post("a" * 257 + " https://a.example/b")


def test_the_stand_in_leaves_nothing_behind() -> None:
    length.weighted_length("x")
    assert "pkg_resources" not in sys.modules


@pytest.mark.timeout(10)
@pytest.mark.parametrize("text", ["のa." * 30_000, "é." * 30_000, "a" * 100_000 + ".", "/" * 50_000, "a.b " * 20_000])
def test_a_nasty_text_takes_no_time(text: str) -> None:
    assert not length.fits_post(text)


# Reading.


def entities(**kinds: Any) -> translate.Entities:
    return msgspec.convert(kinds, translate.Entities)


def test_a_text_is_read_with_its_addresses_and_names() -> None:
    marks = entities(
        urls=[
            {"url": "https://t.co/aaaaaaaaaa", "expanded_url": "https://example.org/a?b=1&c=2"},
            {"url": "https://t.co/pppppppppp", "expanded_url": "https://x.com/a/status/1/photo/1", "media_key": "3_1"},
        ],
        mentions=[{"username": "Ana", "id": "7"}],
    )
    text = "@ana look: https://t.co/aaaaaaaaaa &amp; &lt;b&gt;\n\nsecond @anabel https://t.co/pppppppppp"
    assert translate.read(text, marks) == Document(
        (
            (
                Mention("x", "7", "Ana"),
                Text(" look: "),
                Link("https://example.org/a?b=1&c=2"),
                Text(" & <b>"),
            ),
            (Text("second @anabel"),),
        )
    )


def test_letters_beside_an_address_or_a_name_are_no_part_of_it() -> None:
    marks = entities(
        urls=[{"url": "https://t.co/aaaaaaaaaa", "expanded_url": "https://example.org"}],
        mentions=[{"username": "ana", "id": "7"}],
    )
    said = translate.read("@anaさん、https://t.co/aaaaaaaaaaから @anabel", marks)
    ana, page = Mention("x", "7", "ana"), Link("https://example.org")
    assert said.paragraphs == ((ana, Text("さん、"), page, Text("から @anabel")),)


def test_an_address_that_is_none_stays_short() -> None:
    marks = entities(urls=[{"url": "https://t.co/aaaaaaaaaa", "expanded_url": "javascript:alert(1)"}])
    assert translate.read("https://t.co/aaaaaaaaaa", marks).paragraphs == ((Link("https://t.co/aaaaaaaaaa"),),)


def test_nothing_but_a_picture_is_an_empty_document() -> None:
    marks = entities(urls=[{"url": "https://t.co/pppppppppp", "expanded_url": "https://x.com/1", "media_key": "3_1"}])
    assert translate.read("https://t.co/pppppppppp", marks).paragraphs == ()


def post(**changes: Any) -> translate.Post:
    fields = {"id": "20", "text": "@agent hi", "author_id": "7", "created_at": "2026-11-22T12:00:00.000Z"}
    return msgspec.convert(fields | changes, translate.Post)


AROUND = translate.Around({"7": translate.User("7", "ana", "Ana")})


def event(found: translate.Post, seen: int = 0, around: translate.Around | None = None) -> Any:
    return translate.mention(found, around or AROUND, ME, AccountId("x/main"), seen)


def test_a_reply_to_us_is_one() -> None:
    told = event(
        post(in_reply_to_user_id=ME, referenced_tweets=[{"type": "replied_to", "id": "9"}], conversation_id="8")
    )
    assert isinstance(told, MessageReceived)
    assert (told.kind, told.in_reply_to, told.conversation) == (Kind.REPLY, "9", "8")
    assert told.author == Identity("x", "7", "ana", "Ana")


def test_a_long_post_is_read_whole() -> None:
    told = event(post(note_tweet={"text": "@agent hi and the rest"}))
    assert plain(told.document) == "@agent hi and the rest"


@pytest.mark.parametrize(("seen", "kind"), [(0, MessageReceived), (19, MessageEdited)])
def test_an_edit_is_news_to_who_heard_the_first(seen: int, kind: type) -> None:
    assert isinstance(event(post(edit_history_tweet_ids=["19", "20"]), seen), kind)


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "../1"},
        {"id": 20},
        {"text": None},
        {"created_at": "2026-11-22T12:00:00"},
        {"author_id": ""},
        {"id": "1" * 30},
    ],
)
def test_a_malformed_item_is_none(changes: dict[str, Any]) -> None:
    fields = {"id": "20", "text": "x", "author_id": "7", "created_at": "2026-11-22T12:00:00Z"} | changes
    assert translate.attempt(msgspec.Raw(msgspec.json.encode(fields)), translate.Post) is None


def test_a_deep_item_is_none() -> None:
    assert translate.attempt(msgspec.Raw(b'{"x":' * 100_000), translate.Post) is None


# Recognising.


def seen(text: str, *, reply: bool = False, **kinds: Any) -> Any:
    found = post(text=text, entities=msgspec.to_builtins(entities(**kinds)))
    return lambda sent: recognize.says(found, sent, reply=reply)


@pytest.mark.parametrize("shown", ["thanks @ana and $BBB", "thanks @\u2060ana and $\u2060BBB"])
def test_what_was_sent_is_recognised_whether_or_not_x_keeps_the_joiner(shown: str) -> None:
    assert seen(shown)("thanks @\u2060ana and $\u2060BBB")
    assert not seen(shown)("thanks @\u2060ben and $\u2060BBB")


def test_what_was_sent_is_recognised() -> None:
    urls = [
        {"url": "https://t.co/aaaaaaaaaa", "expanded_url": "http://example.com"},
        {"url": "https://t.co/bbbbbbbbbb", "expanded_url": "https://example.org/x"},
    ]
    says = seen("see https://t.co/aaaaaaaaaa or https://t.co/bbbbbbbbbb &amp; go", urls=urls)
    assert says("see example.com or https://example.org/x & go")
    assert says("see http://example.com/ or  https://example.org/x\n& go")
    assert not says("see example.com or https://example.org/y & go")
    assert not says("see example.com or https://example.org/x & go on")


def test_a_reply_is_recognised_without_its_leading_names() -> None:
    assert seen("@ana @ben thanks", reply=True)("thanks")
    assert seen("@ana thanks", reply=True)("@ana thanks")
    assert not seen("@ana thanks")("thanks")


def test_letters_are_recognised_in_either_form() -> None:
    assert seen("caf\u00e9")("cafe\u0301")


# Writing.


def draft(document: Document | str, target: Target | None = None, reply: str | None = None) -> Draft:
    said = from_text(document) if isinstance(document, str) else document
    ref = MessageRef(reply) if reply else None
    return Draft(
        DraftId("d1"), DEFAULT_WORKSPACE, AccountId("x/main"), target or Timeline(), said, AT, "k", in_reply_to=ref
    )


def thread(conversation: str, *, private: bool = False) -> InConversation:
    return InConversation(ConversationId(conversation), private)


PERSON = Identity("x", "7", "ana", "Ana")


@pytest.mark.parametrize(
    ("target", "reply", "kind", "body"),
    [
        (Timeline(), None, "post", {"text": "hi"}),
        (Timeline(), "5", "reply", {"reply_to": "5", "text": "hi"}),
        (thread("8"), "9", "reply", {"reply_to": "9", "text": "hi"}),
        (thread("8"), None, "reply", {"reply_to": "8", "text": "hi"}),
        (thread("dm/1-2", private=True), None, "direct", {"conversation": "1-2", "text": "hi"}),
        (thread("dm/1-2"), "dm/5", "direct", {"conversation": "1-2", "text": "hi"}),
        (ToPerson(PERSON), None, "post", {"text": "@ana hi"}),
        (ToPerson(PERSON, private=True), None, "direct", {"to": "7", "text": "hi"}),
    ],
)
def test_a_draft_goes_where_it_is_meant_to(target: Target, reply: str | None, kind: str, body: dict[str, str]) -> None:
    (part,) = parts.plan(draft("hi", target, reply))
    assert (part.kind, part.body, part.key, part.rest) == (kind, body, "d1.0", None)


@pytest.mark.parametrize(
    ("target", "reply"),
    [
        (thread("8", private=True), "9"),
        (thread("dm/../users", private=True), None),
        (thread("8"), "dm/9"),
        (thread("somewhere else"), None),
        (ToPerson(Identity("mastodon", "7", "ana")), None),
        (ToPerson(Identity("mastodon", "7", "ana"), private=True), None),
        (ToPerson(Identity("x", "7")), None),
    ],
)
def test_what_can_not_be_reached_is_refused(target: Target, reply: str | None) -> None:
    with pytest.raises(FaultError) as caught:
        parts.plan(draft("hi", target, reply))
    assert (caught.value.fault.kind, caught.value.fault.certain) == (FaultKind.TARGET_REFUSED, True)


@pytest.mark.parametrize(
    ("document", "kind"),
    [
        (Document(), FaultKind.INVALID),
        (Document(((Text("  "),),)), FaultKind.INVALID),
        (Document(((Link("https://example.invalidtld/" + "a" * 400),),)), FaultKind.TOO_LONG),
    ],
)
def test_what_x_does_not_carry_is_refused(document: Document, kind: FaultKind) -> None:
    with pytest.raises(FaultError) as caught:
        parts.plan(draft(document))
    assert (caught.value.fault.kind, caught.value.fault.certain) == (kind, True)


def test_a_long_text_is_a_thread_whose_rests_are_the_whole() -> None:
    text = "One sentence after the other, each of its own. " * 20
    made = parts.plan(draft(text, ToPerson(PERSON)))
    assert len(made) > 2
    assert [part.kind for part in made] == ["post", *["reply"] * (len(made) - 1)]
    assert all(length.weighted_length(part.body["text"]) <= 280 for part in made)
    assert made[0].body["text"].startswith("@ana One")
    rests = " ".join(plain(part.rest) for part in made if part.rest is not None)
    assert rests.split() == text.split()


def test_only_the_first_part_of_a_reply_names_its_target() -> None:
    first, *others = parts.plan(draft("One sentence after the other. " * 20, thread("8"), "9"))
    assert first.body["reply_to"] == "9"
    assert all("reply_to" not in part.body for part in others)


def pictures(count: int, *, at: int | None = None) -> tuple[Media, ...]:
    return tuple(Media(str(n), "image/png", 9, f"alt {n}", at=at) for n in range(count))


GIF = Media("g", "image/gif", 9, animated=True)
FILM = Media("v", "video/mp4", 9, duration_s=10.0)


@pytest.mark.parametrize(
    "media",
    [
        pictures(5),
        (*pictures(1), GIF),
        (GIF, FILM),
        (structs.replace(FILM, duration_s=0.4),),
        (structs.replace(FILM, width_px=30, height_px=60),),
        (structs.replace(FILM, width_px=1000, height_px=300),),
        (structs.replace(GIF, width_px=1281, height_px=9),),
        (structs.replace(GIF, width_px=9, height_px=1081),),
    ],
)
def test_more_than_a_post_takes_is_refused(media: tuple[Media, ...]) -> None:
    with pytest.raises(FaultError) as caught:
        parts.plan(draft(Document(((Text("look"),),), media)))
    assert (caught.value.fault.kind, caught.value.fault.certain) == (FaultKind.MEDIA, True)


def test_a_direct_message_is_as_long_as_it_may_be() -> None:
    first, second = parts.plan(draft("word " * 2_001, thread("dm/1-2", private=True)))
    assert (first.kind, len(first.body["text"]), second.body["text"]) == ("direct", 9_999, "word")


def test_a_film_is_shorter_in_a_direct_message() -> None:
    said = Document(((Text("look"),),), (structs.replace(FILM, duration_s=141.0),))
    assert len(parts.plan(draft(said))) == 1
    with pytest.raises(FaultError, match="direct message") as caught:
        parts.plan(draft(said, thread("dm/1-2", private=True)))
    assert (caught.value.fault.kind, caught.value.fault.certain) == (FaultKind.MEDIA, True)


def test_every_kind_of_part_has_a_window() -> None:
    """What X takes back, shows again and likes is paced as well."""
    paced = {kind for lane in PLATFORM.profile.lanes for kind in lane.kinds}
    assert paced == {"post", "reply", "direct", *Change} - {Change.EDIT}


def test_windows_are_told_by_what_counts_in_them() -> None:
    headers = {"x-rate-limit-remaining": "7", "x-rate-limit-reset": "1700000000"}
    headers |= {"x-user-limit-24hour-remaining": "70", "x-user-limit-24hour-reset": "1700080000"}
    told = {kind: [(lane.lane, lane.remaining) for lane in session.lanes(kind, headers)] for kind in ("reply", "react")}
    assert told == {"reply": [("posts", 7), ("posts_day", 70)], "react": [("likes", 7), ("likes_day", 70)]}
    assert session.lanes("delete", headers) == (LaneState("deletes", 7, 1_700_000_000.0),)
    assert session.lanes(None, headers) == ()


def test_media_are_on_the_part_that_mentions_them() -> None:
    paragraphs = tuple((Text(f"{n} " + "word " * 50),) for n in range(3))
    said = Document(paragraphs, (*pictures(4, at=0), structs.replace(GIF, at=1), structs.replace(FILM, at=2)))
    made = parts.plan(structs.replace(draft(said), numbered=True))
    assert [[item["sha256"] for item in part.body["media"]] for part in made] == [["0", "1", "2", "3"], ["g"], ["v"]]
    assert [part.body["text"].split()[-1] for part in made] == ["1/3", "2/3", "3/3"]
    assert [len(part.rest.media) if part.rest else None for part in made] == [4, 1, 1]


def test_a_poll_is_on_the_first_post() -> None:
    said = Document(((Text("Which? " * 60),),), poll=Poll(("a", "b"), 300.0))
    first, second = parts.plan(draft(said))
    assert first.body["poll"] == {"options": ["a", "b"], "minutes": 5}
    assert "poll" not in second.body


def test_in_private_a_poll_is_a_list() -> None:
    said = Document(((Text("Which?"),),), poll=Poll(("a", "b")))
    (part,) = parts.plan(draft(said, thread("dm/1-2", private=True)))
    assert part.body == {"conversation": "1-2", "text": "Which?\n\n• a\n• b"}


@pytest.mark.parametrize(("media", "body"), [((), "5"), (pictures(1), None)])
def test_a_quote_gives_way_to_media(media: tuple[Media, ...], body: str | None) -> None:
    said = Document(((Text("look"),),), media, quote=Quote("x", MessageRef("5")))
    (part,) = parts.plan(draft(said))
    assert part.body.get("quote") == body
    assert ("https://x.com/i/status/5" in part.body["text"]) is (body is None)


@pytest.mark.parametrize(
    ("text", "target", "usd"),
    [
        ("hi", None, 0.015),
        ("see https://example.org/a", None, 0.2),
        ("see example.com", None, 0.2),
        ("version 1.2 is out", None, 0.015),
        ("thanks", thread("8"), 0.01),
        ("hi https://example.org", thread("dm/1-2", private=True), 0.015),
    ],
)
def test_a_preview_says_what_it_costs(text: str, target: Target | None, usd: float) -> None:
    (part,) = parts.plan(draft(text, target))
    shown = parts.preview(part)
    assert (shown.text, shown.cost_usd) == (text, usd)
    assert 0 < shown.length <= shown.limit


def test_a_preview_tells_all_that_a_post_shows() -> None:
    said = structs.replace(draft(Document(((Text("look"),),), pictures(1), sensitive=True)), repliers=Repliers.NOBODY)
    (part,) = parts.plan(said)
    shown = parts.preview(part)
    assert shown.media == ("image, image/png, 9 bytes, alt: alt 0, hidden until asked for",)
    assert shown.extras == ("who may reply: mentionedUsers",)
    assert shown.cost_usd == 0.02


def test_alt_text_is_cut_to_what_x_takes() -> None:
    (part,) = parts.plan(draft(Document((), (Media("a", "image/png", 9, "x" * 1500),))))
    assert len(part.body["media"][0]["alt"]) == 1000
    assert "text" not in part.body


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (Mention("x", "7", "ana", "Ana"), "@ana"),
        (Mention("mastodon", "7", "ana@example.social", "@Ana of old"), "Ana of old"),
        (Mention("mastodon", "7", "@ana"), "ana"),
        (Mention("discord", "7", "ana", "by @bob"), "by bob"),
        (Mention("discord", "7", "ana", "中@bob é@cy"), "中bob écy"),
        (Link("https://example.org/"), "https://example.org/"),
        (Link("https://example.org/", "here"), "here (https://example.org/)"),
    ],
)
def test_nobody_is_called_who_was_not_meant(span: Any, text: str) -> None:
    assert translate.spell(span) == text


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("$AAA alone", "$AAA alone"),
        ("$AAA, $bb.c and ($DDD)", "$AAA, $\u2060bb.c and ($DDD)"),
        ("US$AAA costs $5, $1.50 or $toolong1 here", "US$AAA costs $5, $1.50 or $toolong1 here"),
        ("$AAA\n$BBB", "$AAA\n$\u2060BBB"),
    ],
)
def test_a_post_has_one_cashtag(text: str, written: str) -> None:
    assert translate.write(from_text(text)) == written
    assert seen(text)(written)


@pytest.mark.parametrize(
    ("url", "written"),
    [
        ("https://例え.jp/パス?次=1", "https://例え.jp/%E3%83%91%E3%82%B9?%E6%AC%A1=1"),
        ("https://e.org/?q=é#1", "https://e.org/?q=%C3%A9#1"),
        ("https://e.org/größe/путь", "https://e.org/größe/путь"),
        ("https://bücher.example/%20x", "https://bücher.example/%20x"),
    ],
)
def test_an_address_is_whole_for_twitters_own_parser(url: str, written: str) -> None:
    assert translate.spell(Link(url)) == translate.spell(Link(url, url)) == written
    assert length._addresses(f"see {written.replace('.example', '.com')}.") == [written.replace(".example", ".com")]


def test_characters_x_refuses_are_left_out() -> None:
    (part,) = parts.plan(draft("a\ufeffb\uffffc"))
    assert part.body["text"] == "abc"


# Judging.


@pytest.mark.parametrize("host", ["https://api.twitter.com/2/problems/", "https://api.x.com/2/problems/"])
def test_a_problem_is_known_on_either_host(host: str) -> None:
    told = session.told(403, "Forbidden", {"type": f"{host}user-suspended", "title": "Forbidden", "detail": "no"})
    assert judge(told, FAULTS).kind is FaultKind.SUSPENDED


def test_a_bare_403_is_never_a_suspension() -> None:
    fault = judge(Told("Forbidden", 403), FAULTS)
    assert (fault.kind, fault.certain) == (FaultKind.FORBIDDEN, True)


def test_every_rule_says_where_it_comes_from() -> None:
    assert [rule for rule in FAULTS if not rule.source] == []


def test_the_profile_is_read_without_the_library() -> None:
    code = "import sys, adapters.x.profile; assert not {'tweepy', 'aiohttp', 'twitter_text'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


# Heard.


def page(**includes: Any) -> translate.Around:
    return msgspec.json.decode(msgspec.json.encode({"includes": includes}), type=translate.Page).around


ANYTHING: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from(
    ["media_key", "type", "url", "variants", "alt_text", "duration_ms", "id", "options", "duration_minutes", "width"]
)


@given(st.lists(st.dictionaries(NAMES, ANYTHING) | ANYTHING, max_size=3))
def test_whatever_is_told_around_harms_nothing(items: list[Any]) -> None:
    around = page(media=items, polls=items, users=items, tweets=items)
    attached = {"media_keys": [*around.media, "?"], "poll_ids": [*around.polls, "?"]}
    told = event(post(attachments=attached), around=around)
    assert isinstance(told, MessageReceived)


def test_a_film_of_no_length_and_size_is_one_all_the_same() -> None:
    film = {
        "media_key": "1",
        "type": "video",
        "url": "https://pbs.twimg.com/a.jpg",
        "duration_ms": 10**400,
        "width": -1,
    }
    (attached,) = event(post(attachments={"media_keys": ["1"]}), around=page(media=[film])).attachments
    assert (attached.duration_s, attached.width_px, attached.mime) == (None, None, "image/jpeg")


def test_a_retweet_is_a_repost() -> None:
    told = event(post(referenced_tweets=[{"type": "retweeted", "id": "9"}]))
    assert isinstance(told, Reposted)
    assert told.ref == "9"


def test_the_address_of_a_quoted_post_is_no_word() -> None:
    marks = {"urls": [{"url": "https://t.co/qqqqqqqqqq", "expanded_url": "https://twitter.com/ben/status/9"}]}
    told = event(
        post(
            text="see https://t.co/qqqqqqqqqq",
            entities=marks,
            referenced_tweets=[{"type": "quoted", "id": "9"}],
            lang="und",
        )
    )
    assert plain(told.document) == "see"
    assert told.document.language is None
    assert told.document.quote == Quote("x", MessageRef("9"), "https://x.com/i/status/9")
