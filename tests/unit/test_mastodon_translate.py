"""Mastodon's two pure halves: HTML and JSON become events, drafts become statuses."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from growth import grows_with_the_square
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from adapters.mastodon import translate
from adapters.mastodon.content import document, same_words
from adapters.mastodon.counting import measure
from adapters.mastodon.entities import Instance, Notification, Status
from adapters.mastodon.facts import domain_of, limits_of
from adapters.mastodon.markup import blocks
from adapters.mastodon.places import Here, conversation_of, parse_ref, ref_of
from adapters.mastodon.plan import plan
from adapters.mastodon.profile import FAULTS, PROBE_FAULTS, PROFILE
from adapters.mastodon.session import window
from adapters.mastodon.translate import Thread, edited, message, order
from gateway.model.content import (
    BULLET,
    Block,
    BlockKind,
    Document,
    Link,
    Mark,
    Media,
    Mention,
    Text,
    block,
    marked,
)
from gateway.model.delivery import Draft, FaultError, FaultKind, InConversation, Part, Timeline, ToPerson
from gateway.model.events import Kind
from gateway.model.identity import Identity
from gateway.model.ids import DEFAULT_WORKSPACE, AccountId, ConversationId, DraftId, MessageRef
from gateway.text.plain import from_text

HERE = Here("1", "agent@home.example", "home.example")
ACCOUNT = AccountId("mastodon/main")
AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
ANA_URL = "https://home.example/@ana"
ANA = Mention("mastodon", "ana@home.example", "ana")
CARD = '<span class="h-card" translate="no"><a href="{}" class="u-url mention">@<span>{}</span></a></span>'


def nobody(_: str) -> None:
    return None


def ana(url: str) -> Mention | None:
    return ANA if url == ANA_URL else None


def status(content: str = "<p>hello</p>", **more: Any) -> Status:
    raw = {
        "id": "7",
        "created_at": "2026-11-22T12:00:00.000Z",
        "account": {"id": "2", "acct": "Ana", "display_name": "Ana", "url": ANA_URL},
        "visibility": "public",
        "content": content,
        "mentions": [{"id": "1", "acct": "agent", "url": "https://home.example/@agent"}],
        **more,
    }
    return msgspec.convert(raw, Status, strict=False)


# HTML.


def item(text: str, marker: str = BULLET, *, indent: int = 0) -> Block:
    return Block((Text(text),), BlockKind.ITEM, indent=indent, marker=marker)


SHORTENED = (
    '<p>see <a href="https://example.org/a/long/way?to=go&amp;on" rel="nofollow" target="_blank">'
    '<span class="invisible">https://</span><span class="ellipsis">example.org/a/long</span>'
    '<span class="invisible">/way?to=go&amp;on</span></a> now</p>'
)

HTML = [
    ("<p>one</p><p>two<br>three</p>", ((Text("one"),), (Text("two\nthree"),))),
    ("<p>one<br><br>two<br /><br/><br>three</p>", ((Text("one"),), (Text("two"),), (Text("three"),))),
    (SHORTENED, ((Text("see "), Link("https://example.org/a/long/way?to=go&on"), Text(" now")),)),
    (f"<p>{CARD.format(ANA_URL, 'ana')} hi</p>", ((ANA, Text(" hi")),)),
    (f"<p>{CARD.format('https://far.example/@bo', 'bo')}</p>", ((Link("https://far.example/@bo", "@bo"),),)),
    (
        '<p><a href="https://home.example/tags/x" class="mention hashtag" rel="tag">#<span>x</span></a></p>',
        ((Text("#x"),),),
    ),
    ('<p><a href="https://example.org">read</a></p>', ((Link("https://example.org", "read"),),)),
    ('<p><a href="https://example.org">https://example.org</a></p>', ((Link("https://example.org"),),)),
    ('<p><a href="javascript:alert(1)">x</a></p>', ((Text("x"),),)),
    ("<p>1 &lt; 2 &amp;&nbsp;3</p>", ((Text("1 < 2 &\u00a03"),),)),
    (
        "<script>alert(1)</script><style>p{}</style><p onclick=x>hi<img src=x onerror=y></p><!-- no -->",
        ((Text("hi"),),),
    ),
    ("<ul><li>one</li><li>two</li></ul>", (item("one"), item("two"))),
    (
        '<ol start="3"><li>one<ul><li><p>in</p><p>more</p></li></ul></li><li>two</li></ol>',
        (item("one", "3."), item("in", indent=1), item("more", "", indent=1), item("two", "4.")),
    ),
    (
        "<blockquote><p>said</p><blockquote>before</blockquote></blockquote><pre><code>x = 1\n\n  y\n</code></pre>",
        (
            Block((Text("said"),), quote=1),
            Block((Text("before"),), quote=2),
            Block((Text("x = 1\n\n  y"),), BlockKind.CODE),
        ),
    ),
    (
        "<h2>News</h2><p>:blobcat: it is</p>",
        (Block((Text("News"),), BlockKind.HEADING, level=2), (Text(":blobcat: it is"),)),
    ),
    (
        "<p>a <strong>b <em>c</em></strong> <code>d()</code> <del>e</del> <u>f</u></p>",
        (
            (
                Text("a "),
                marked("b ", Mark.BOLD),
                marked("c", Mark.BOLD, Mark.ITALIC),
                Text(" "),
                marked("d()", Mark.CODE),
                Text(" "),
                marked("e", Mark.STRIKE),
                Text(" f"),
            ),
        ),
    ),
    ("<p><ruby>漢<rp>(</rp><rt>kan</rt><rp>)</rp></ruby></p>", ((Text("漢(kan)"),),)),
    (
        '<p class="quote-inline">RE: <a href="https://a.bc">a.bc</a></p><p>so</p>',
        ((Text("RE: "), Link("https://a.bc", "a.bc")), (Text("so"),)),
    ),
    ("plain words", ((Text("plain words"),),)),
    ("  <p>  spaces </p> \n ", ((Text("spaces"),),)),
    ("", ()),
    ("<p></p><p><br></p>", ()),
    (
        "<p>open <b>bold <a href='https://example.org'>and never closed",
        ((Text("open "), marked("bold ", Mark.BOLD), Link("https://example.org", "and never closed")),),
    ),
]


@pytest.mark.parametrize(("html", "expected"), HTML)
def test_html_becomes_spans(html: str, expected: Any) -> None:
    assert blocks(html, ana) == expected


@given(st.text(alphabet="<>/abp \n&;='\"#@"))
def test_no_html_breaks_it(html: str) -> None:
    for each in map(block, blocks(html, nobody)):
        assert each.spans
        code = each.kind is BlockKind.CODE
        assert code or "\n\n" not in "".join(span.text for span in each.spans if isinstance(span, Text))


# Events.


def test_a_mention_is_a_message() -> None:
    said = status(f"<p>{CARD.format('https://home.example/@agent', 'agent')} hello {CARD.format(ANA_URL, 'ana')}</p>")
    said = structs.replace(
        said,
        mentions=[*said.mentions, msgspec.convert({"id": "2", "acct": "ana", "url": ANA_URL}, type(said.mentions[0]))],
    )
    event = message(said, HERE, ACCOUNT, Thread("7"))
    assert event.kind is Kind.MENTION
    assert event.author == Identity("mastodon", "ana@home.example", "Ana", "Ana")
    assert event.document.paragraphs == ((Text("hello "), ANA),)  # without the address it begins with
    assert (event.ref, event.conversation) == ("7|public|Ana@home.example", "open|7")
    assert not event.private


def test_a_bare_address_is_still_a_message() -> None:
    said = status(f"<p>{CARD.format('https://home.example/@agent', 'agent')}</p>")
    assert document(said, HERE).paragraphs == ((Mention("mastodon", HERE.name, "agent"),),)


@pytest.mark.parametrize(
    ("more", "kind", "private", "conversation"),
    [
        ({"in_reply_to_id": "5", "in_reply_to_account_id": "1"}, Kind.REPLY, False, "open|3"),
        ({"in_reply_to_id": "5", "in_reply_to_account_id": "9"}, Kind.MENTION, False, "open|3"),
        ({"visibility": "unlisted"}, Kind.MENTION, False, "open|3"),
        ({"visibility": "private"}, Kind.MENTION, True, "private|3"),
        ({"visibility": "direct"}, Kind.DIRECT, True, "direct|Ana@home.example"),
        ({"visibility": "direct", "in_reply_to_account_id": "1"}, Kind.DIRECT, True, "direct|Ana@home.example"),
    ],
)
def test_how_wide_a_message_is(more: dict[str, Any], kind: Kind, private: bool, conversation: str) -> None:
    event = message(status(**more), HERE, ACCOUNT, Thread("3"))
    assert (event.kind, event.private, event.conversation) == (kind, private, conversation)


def test_an_unknown_visibility_is_the_narrowest() -> None:
    """Forks have more of them (local, list, limited): none may be answered in public."""
    said = status(visibility="mutuals_only")
    assert parse_ref(ref_of(said, HERE)).visibility == "direct"
    event = message(said, HERE, ACCOUNT, Thread("7"))
    assert (event.private, event.conversation) == (True, "direct|Ana@home.example")
    parts = plan(
        draft("hi", InConversation(event.conversation, event.private), in_reply_to=event.ref), AT, LIMITS, "public"
    )
    assert parts[0].body["visibility"] == "direct"


def test_a_conversation_of_many_is_answered_to_its_author() -> None:
    crowd = [{"id": str(i), "acct": f"p{i}"} for i in range(10, 40)]
    assert conversation_of(status(visibility="direct", mentions=crowd), HERE, "7") == "direct|Ana@home.example"


def test_an_edit_and_a_favourite_have_ids_of_their_own() -> None:
    said = status(edited_at="2026-11-22T12:30:00Z")
    edit = edited(said, HERE, ACCOUNT, ConversationId("open|7"))
    note = Notification("9", "favourite", said.account, status(account={"id": "1", "acct": "agent"}), AT)
    liked = translate.marked(note, HERE, ACCOUNT, "7")
    assert len({said.id, edit.id, liked.id}) == 3
    assert (edit.at.minute, liked.author.handle) == (30, "Ana")
    assert liked.ref == "7|public|"


def test_two_edits_of_one_millisecond_are_two() -> None:
    at = "2026-11-22T12:30:00Z"
    one, two = (edited(status(edited_at=at, content=f"<p>{n}</p>"), HERE, ACCOUNT, ConversationId("c")) for n in (1, 2))
    assert one.id != two.id


@pytest.mark.parametrize("acct", ["", "a b", "a|b", "a,b", "a@b@c", "x" * 400, "ana@" + "y" * 400, "a\nb"])
def test_a_name_that_can_be_none_is_refused(acct: str) -> None:
    with pytest.raises(ValueError, match="name"):
        message(status(account={"id": "2", "acct": acct}), HERE, ACCOUNT, Thread("7"))


def test_what_is_not_needed_may_be_null() -> None:
    bare = dict.fromkeys(("content", "spoiler_text", "url", "language", "mentions", "media_attachments"))
    said = msgspec.convert(
        {
            **bare,
            "id": "01HX9Z",
            "created_at": "2026-11-22T12:00:00",
            "account": {"id": "2", "acct": "ana@far.example", "display_name": None},
            "visibility": "unlisted",
        },
        Status,
        strict=False,
    )
    event = message(said, HERE, ACCOUNT, Thread("01HX9Z"))
    assert (event.text, event.at, event.ref) == ("", AT, "01HX9Z|unlisted|ana@far.example")


def test_what_was_made_elsewhere_is_refused() -> None:
    foreign = MessageRef("at://x/y")
    for conversation, ref in (("did:plc:x", None), ("open", None), ("", None), ("private|", None), ("open|7", foreign)):
        target = InConversation(ConversationId(conversation))
        with pytest.raises(FaultError) as caught:
            bodies("hi", target, in_reply_to=ref)
        assert (caught.value.fault.kind, caught.value.fault.certain) == (FaultKind.TARGET_REFUSED, True)


def test_a_hostile_status_is_cut_to_size() -> None:
    file = {"id": "9", "type": "image", "url": "https://x.example/" + "a" * 9_000, "description": "d"}
    said = status("<p>" + "x" * 900_000, spoiler_text="w" * 9_000, language="l" * 9_000, media_attachments=[file] * 90)
    event = message(
        structs.replace(said, account=structs.replace(said.account, display_name="n" * 9_000)),
        HERE,
        ACCOUNT,
        Thread("7"),
    )
    assert len(msgspec.json.encode(event)) < 80_000
    assert event.document.language is None
    assert len(event.author.name) == 200


def test_a_strange_name_among_others_is_left_out() -> None:
    crowd = [{"id": "8", "acct": "a|b"}, {"id": "9", "acct": "bo"}]
    said = status(visibility="direct", mentions=crowd)
    assert conversation_of(said, HERE, "7") == "direct|Ana@home.example,bo@home.example"
    own = status(account={"id": "1", "acct": "agent"}, mentions=crowd)
    assert ref_of(own, HERE) == "7|public|bo@home.example"


def test_ids_sort_as_they_were_made() -> None:
    assert sorted(["10", "9", "113999", "0"], key=order) == ["0", "9", "10", "113999"]
    assert sorted(["01HX9Z", "01HX8A"], key=order) == ["01HX8A", "01HX9Z"]


# Drafts.

LIMITS = PROFILE.limits


def draft(said: str | Document, target: Any = None, **more: Any) -> Draft:
    document_ = from_text(said) if isinstance(said, str) else said
    return Draft(DraftId("d1"), DEFAULT_WORKSPACE, ACCOUNT, target or Timeline(), document_, AT, "k", **more)


def bodies(said: str | Document, target: Any = None, visibility: str = "public", **more: Any) -> list[dict[str, Any]]:
    return [part.body for part in plan(draft(said, target, **more), AT, LIMITS, visibility)]


def test_a_post_is_its_words() -> None:
    assert bodies("hello https://example.org") == [{"text": "hello https://example.org", "visibility": "public"}]


def test_a_language_goes_along_where_it_is_one() -> None:
    assert bodies(Document(((Text("hallo"),),), language="de"))[0]["language"] == "de"
    for tag, sent in (("de-AT", "de"), ("de-Latn-x", "de"), ("zh-tw", "zh-TW"), ("pt-BR", "pt"), ("yue", "yue")):
        assert bodies(Document(((Text("hallo"),),), language=tag))[0]["language"] == sent
    for tag in ("german", "-de", "d", "de_AT"):
        assert "language" not in bodies(Document(((Text("hallo"),),), language=tag))[0]


WIDTHS = ("public", "unlisted", "private", "direct")


@pytest.mark.parametrize("own", WIDTHS[:3])
@pytest.mark.parametrize("theirs", WIDTHS)
def test_an_answer_is_never_wider_than_what_it_answers(own: str, theirs: str) -> None:
    ref = MessageRef(f"7|{theirs}|ana@home.example")
    level = {"private": "private|7", "direct": "direct|ana@home.example"}.get(theirs, "open|7")
    (body,) = bodies("yes", InConversation(ConversationId(level)), own, in_reply_to=ref)
    assert WIDTHS.index(body["visibility"]) == max(WIDTHS.index(own), WIDTHS.index(theirs))
    assert body["reply_to"] == "7"
    assert body["text"] == "@ana@home.example yes"


@given(
    st.sampled_from(["open|7", "private|7", "direct|ana@home.example"]),
    st.sampled_from([None, *WIDTHS]),
    st.booleans(),
    st.sampled_from(WIDTHS[:3]),
    st.text(min_size=1, max_size=2_000).filter(lambda text: text.strip() != ""),
)
def test_private_words_are_never_planned_in_public(
    level: str, theirs: str | None, private: bool, own: str, text: str
) -> None:
    ref = MessageRef(f"7|{theirs}|ana@home.example") if theirs else None
    said = draft(text, InConversation(ConversationId(level), private), in_reply_to=ref)
    parts: tuple[Part, ...] = ()
    with contextlib.suppress(FaultError):
        parts = plan(said, AT, LIMITS, own)
    secret = private or not level.startswith("open") or theirs in ("private", "direct")
    for part in parts:
        assert not secret or part.body["visibility"] in ("private", "direct")
        assert measure(part.body["text"], 23) <= LIMITS.text_max


def test_a_person_is_mentioned_once() -> None:
    person = Identity("mastodon", "ana@home.example", "Ana")
    said = Document(((Text("hi "), ANA),))
    assert bodies(said, ToPerson(person))[0]["text"] == "hi @ana@home.example"
    target = InConversation(ConversationId("direct|ana@home.example"))
    assert bodies("hi", target, with_person=person)[0]["text"].count("@") == 2


@pytest.mark.parametrize(
    ("text", "local"),
    [
        ("@ana@home.example hi @bo@far.example", "@ana hi @bo@far.example"),
        ("(@Ana@HOME.example)", "(@Ana)"),
        (
            "@ana@home.example.org @ana@home.example-2 x@ana@home.example",
            "@ana@home.example.org @ana@home.example-2 x@ana@home.example",
        ),
        ("https://far.example/@ana@home.example", "https://far.example/@ana@home.example"),
        ("@\u2060ana@home.example", "@\u2060ana@home.example"),
        ("@ana@home.example.", "@ana."),
    ],
)
def test_the_instances_own_people_are_named_as_it_names_them(text: str, local: str) -> None:
    assert HERE.local(text) == local


def test_a_mention_in_private_calls_only_whom_it_is_between() -> None:
    person = Identity("mastodon", "bo@far.example", "bo@far.example")
    said = Document(((ANA, Text(" and "), Mention("mastodon", "bo@far.example", "bo@far.example")),))
    (body,) = bodies(said, ToPerson(person, private=True))
    assert body["text"] == "@\u2060ana and @bo@far.example"
    (body,) = bodies(said, ToPerson(person))
    assert body["text"] == "@ana@home.example and @bo@far.example"


@pytest.mark.parametrize("url", ["https://e.org/@bo@far.example", "https://e.org/?@bo@far.example"])
@pytest.mark.parametrize("private", [False, True])
def test_a_name_in_an_address_is_not_who_it_is_to(url: str, private: bool) -> None:
    target = ToPerson(Identity("mastodon", "bo@far.example", "bo@far.example"), private)
    assert bodies(Document(((Link(url),),)), target)[0]["text"] == f"@bo@far.example {url}"


def test_somebody_an_operator_wrote_down_is_called_as_written() -> None:
    for written, called in (("ana", "@ana"), ("@ana@far.example", "@ana@far.example")):
        person = Identity("mastodon", written, written.lstrip("@"))
        assert bodies("hi", ToPerson(person))[0]["text"] == f"{called} hi"


def test_who_it_is_with_comes_before_who_wrote() -> None:
    bo = Identity("mastodon", "bo@far.example", "bo@far.example")
    target, ref = InConversation(ConversationId("open|7")), MessageRef("7|public|ana@home.example")
    assert bodies("hi", target, in_reply_to=ref, with_person=bo)[0]["text"] == "@bo@far.example hi"
    elsewhere = Identity("x", "1", "ana")
    assert bodies("hi", target, in_reply_to=ref, with_person=elsewhere)[0]["text"] == "@ana@home.example hi"


def test_a_long_answer_names_its_reader_once_in_public_and_always_in_private() -> None:
    words, person = "word " * 300, Identity("mastodon", "ana@home.example", "ana@home.example")
    public = bodies(words, InConversation(ConversationId("open|7")), with_person=person)
    private = bodies(words, ToPerson(person, private=True))
    assert [body["text"].startswith("@ana") for body in public] == [True] + [False] * (len(public) - 1)
    assert all(body["text"].startswith("@ana") for body in private)
    assert len(private) > 2


def test_parts_have_keys_of_their_own_that_last() -> None:
    parts = plan(draft("word " * 500), AT, LIMITS, "public")
    again = plan(draft("word " * 500), AT.replace(microsecond=1), LIMITS, "public")
    keys = [part.key for part in (*parts, *again)]
    assert len(set(keys)) == len(keys)
    assert [part.key for part in plan(draft("word " * 500), AT, LIMITS, "public")] == keys[: len(parts)]
    assert all(key.isascii() and len(key) < 60 for key in keys)


def test_what_can_not_be_carried_says_why() -> None:
    picture = Media("0" * 64, "image/png", 1)
    for said, kind in (
        (Document(), FaultKind.INVALID),
        (Document(((Text(" \n "),),)), FaultKind.INVALID),
        (Document(((Link("https://no-dot/" + "a" * 600),),)), FaultKind.TOO_LONG),
        (Document(media=(picture,) * 5), FaultKind.MEDIA),
    ):
        with pytest.raises(FaultError) as caught:
            bodies(said)
        assert (caught.value.fault.kind, caught.value.fault.certain) == (kind, True)


LENGTHS = [
    ("", 0),
    ("é", 1),
    ("e\u0301", 1),
    ("👩‍👩‍👧🇩🇪", 2),
    ("https://example.org/" + "a" * 500, 23),
    ("https://a.bc", 23),
    ("(https://example.org/a_b?c=1&d=2).", 26),
    ("http://localhost/" + "a" * 100, 117),
    ("xhttps://example.org/" + "a" * 100, 121),
    ("@ana@far.example hi", 7),
    ("@ana hi", 7),
    ("mail@far.example", 16),
]


@pytest.mark.parametrize(("text", "length"), LENGTHS)
def test_length_is_mastodons(text: str, length: int) -> None:
    assert measure(text, 23) == length


@pytest.mark.parametrize("again", ["a.", "a-", "@a-", "https://", "https://a.bc/a-ü"])
@pytest.mark.parametrize("before", ["", "https://", "https://a.bc/"])
def test_measuring_costs_no_more_than_the_length(before: str, again: str) -> None:
    assert not grows_with_the_square(lambda times: measure(before + again * times, 23), 2_000)


# What the instance tells.


def instance(**configuration: Any) -> Instance:
    return msgspec.convert({"domain": "home.example", "configuration": configuration}, Instance)


def test_an_instances_sizes_override_the_usual() -> None:
    told = instance(
        statuses={"max_characters": 5_000, "max_media_attachments": 8, "characters_reserved_per_url": 30},
        media_attachments={
            "supported_mime_types": ["image/png", "video/mp4"],
            "image_size_limit": 1_000_000,
            "description_limit": 9,
        },
    )
    limits = limits_of(told, LIMITS)
    assert (limits.text_max, limits.direct_max, limits.images_max, limits.url_length) == (5_000, 5_000, 8, 30)
    assert (limits.image_mimes, limits.image_size_bytes, limits.alt_max) == (("image/png",), 999_999, 9)


@pytest.mark.parametrize("size", [-1, 0, 10**12])
def test_an_absurd_size_changes_nothing(size: int) -> None:
    told = instance(statuses={"max_characters": size, "characters_reserved_per_url": size})
    assert limits_of(told, LIMITS) == LIMITS
    assert limits_of(Instance(), LIMITS) == LIMITS


def test_the_domain_is_the_instances_own_word() -> None:
    assert domain_of(instance(), "web.home.example") == "home.example"
    assert domain_of(Instance(uri="https://old.example"), "x") == "old.example"
    assert domain_of(Instance(domain="a|b"), "host.example:3000") == "host.example:3000"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"x-ratelimit-reset": "2026-11-22T12:05:00.000000Z", "x-ratelimit-remaining": "7"}, (7, 300)),
        ({"x-ratelimit-reset": str(int(AT.timestamp()) + 60), "x-ratelimit-remaining": "0"}, (0, 60)),
        (
            {
                "x-ratelimit-reset": "2026-11-22T13:05:00Z",
                "x-ratelimit-remaining": "1",
                "date": "Sun, 22 Nov 2026 13:00:00 GMT",
            },
            (1, 300),
        ),
        ({"retry-after": "30"}, (0, 30)),
        ({"x-ratelimit-reset": "2020-01-01T00:00:00Z"}, (0, 0)),
        ({"x-ratelimit-reset": "2999-01-01T00:00:00Z"}, (0, 86_400)),
        ({}, None),
        ({"x-ratelimit-reset": "soon"}, None),
        ({"x-ratelimit-reset": "9" * 300}, None),
        ({"x-ratelimit-reset": "2026-11-22T12:05:00"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "Sun, 22 Nov 2026 13:00:00 GMT"}, None),
    ],
)
def test_rate_headers(headers: dict[str, str], expected: tuple[int, int] | None) -> None:
    found = window(headers, AT)
    assert (found and (found[0], (found[1] - AT).total_seconds())) == expected


@pytest.mark.parametrize(
    ("html", "text", "same"),
    [
        (SHORTENED, "see https://example.org/a/long/way?to=go&on now", True),
        (f"<p>{CARD.format(ANA_URL, 'ana')} hi &amp; bye</p>", "@ana@home.example hi & bye", True),
        ("<p>one</p><p>two</p>", "one\n\ntwo", True),
        ("<p>one</p><p>two</p>", "one\n\nthree", False),
        ("<p>#<span>tag</span></p>", "#tag", True),
    ],
)
def test_our_words_are_known_again(html: str, text: str, same: bool) -> None:
    own = status(html, account={"id": "1", "acct": "agent"}, mentions=[{"id": "2", "acct": "ana", "url": ANA_URL}])
    assert same_words(own, HERE, text) is same


def test_every_rule_has_a_source() -> None:
    assert [rule for rule in (*FAULTS, *PROBE_FAULTS) if not rule.source] == []
