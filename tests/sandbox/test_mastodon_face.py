"""The Mastodon face by raw HTTP, against mastodon/documentation (2026-07) and the server's own source."""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import aiohttp
import pytest
from some_media import mp4

from adapters.sandbox.control import serve
from adapters.sandbox.faults import Rule, Trouble
from adapters.sandbox.mastodon import MastodonFace
from adapters.sandbox.mastodon_bodies import REFUSALS
from adapters.sandbox.mastodon_entities import length
from adapters.sandbox.mastodon_media import IMAGE_BYTES, PIXEL


class Client:
    """Speaks to the face as nobody's library."""

    def __init__(self, face: MastodonFace, session: aiohttp.ClientSession) -> None:
        self.face = face
        self.session = session
        self.headers: dict[str, str] = {}
        self.status = 0

    async def ask(self, method: str, path: str, *, token: str = "", key: str = "", **options: Any) -> Any:
        headers = {"Authorization": f"Bearer {token or self.token()}"}
        if key:
            headers["Idempotency-Key"] = key
        async with self.session.request(method, self.face.url + path, headers=headers, **options) as response:
            self.headers, self.status = dict(response.headers), response.status
            return await response.json(content_type=None) if response.content_type == "application/json" else None

    def token(self, handle: str = "agent") -> str:
        (token,) = self.face.account(handle)["environment"].values()
        return token

    async def post(self, text: str, key: str = "", **form: Any) -> Any:
        return await self.ask("POST", "/api/v1/statuses", data={"status": text, **form}, key=key)

    def strike(self, trouble: Trouble, **options: Any) -> None:
        self.face.faults.add(Rule(trouble, **options))


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    sandbox = await serve(names=["mastodon"])
    face = sandbox.faces["mastodon"]
    assert isinstance(face, MastodonFace)
    async with aiohttp.ClientSession() as session:
        yield Client(face, session)
    await sandbox.stop()


async def test_an_account_is_ready_for_a_configuration(client: Client) -> None:
    made = client.face.account()
    assert made["settings"]["id"] == "mastodon/main"
    assert made["settings"]["server"] == client.face.url
    assert set(made["environment"]) == {made["settings"]["access_token"]["env"]}
    assert client.face.account("second")["settings"]["id"] == "mastodon/second"
    me = await client.ask("GET", "/api/v1/accounts/verify_credentials")
    assert (me["acct"], me["bot"], me["source"]["privacy"]) == ("agent", True, "public")


async def test_a_status_is_html_and_its_text_is_kept(client: Client) -> None:
    client.face.say("ana", "post", "I am here")
    link = "https://example.org/a/quite/long/path/that/is/shortened"
    status = await client.post(f"@ana 1 < 2 {link}\nline\n\n#tag", visibility="unlisted")
    assert status["content"] == (
        f'<p><span class="h-card" translate="no"><a href="{client.face.url}/@ana" class="u-url mention">@<span>ana'
        f'</span></a></span> 1 &lt; 2 <a href="{link}" target="_blank" rel="nofollow noopener" translate="no">'
        '<span class="invisible">https://</span><span class="ellipsis">example.org/a/quite/long/path/</span>'
        '<span class="invisible">that/is/shortened</span></a><br />line</p>'
        f'<p><a href="{client.face.url}/tags/tag" class="mention hashtag" rel="tag">#<span>tag</span></a></p>'
    )
    assert [m["acct"] for m in status["mentions"]] == ["ana"]
    assert status["visibility"] == "unlisted"
    source = await client.ask("GET", f"/api/v1/statuses/{status['id']}/source")
    assert source["text"].startswith("@ana 1 < 2")


async def test_a_key_gives_the_same_status_again(client: Client) -> None:
    first = await client.post("once", "key")
    assert (await client.post("twice", "key"))["id"] == first["id"]
    assert (await client.ask("POST", "/api/v1/statuses", json={"status": "x"}, key="other"))["id"] != first["id"]
    second = await client.ask("POST", "/api/v1/statuses", data={"status": "mine"}, key="key", token=client.token("b"))
    assert second["id"] != first["id"]
    assert [a.outcome for a in client.face.network.attempts] == ["accepted", "repeated", "accepted", "accepted"]


async def test_what_is_answered_is_looked_for_before_the_key_is(client: Client) -> None:
    theirs = client.face.say("ana", "post", "hello")
    first = await client.post("once", "key", in_reply_to_id=theirs.id)
    client.face.person_deletes(theirs.id)
    answer = await client.post("once", "key", in_reply_to_id=theirs.id)
    assert (client.status, answer["error"]) == REFUSALS["in_reply_not_found"]
    await client.ask("DELETE", f"/api/v1/statuses/{first['id']}")
    await client.post("once", "key")
    assert client.status == 404


async def test_an_edit_that_changes_nothing_is_none(client: Client) -> None:
    status = await client.post("the same", language="pt-BR", spoiler_text="w")
    assert status["language"] == "pt"
    path = f"/api/v1/statuses/{status['id']}"
    same = await client.ask("PUT", path, data={"status": "the same", "spoiler_text": "w"})
    assert (same["edited_at"], client.face.network.messages[status["id"]].edits) == (None, [])
    other = await client.ask("PUT", path, data={"status": "the same", "spoiler_text": "w", "language": "zh-TW"})
    assert (other["edited_at"] is None, other["language"]) == (False, "zh-TW")


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"visibility": "secret"}, "Visibility is not included in the list"),
        ({"poll[options][]": ["a", "b"]}, "Deadline can't be blank"),
        ({"poll[options][]": ["a", "b"], "poll[expires_in]": "soon"}, "Deadline is too soon"),
    ],
)
async def test_a_form_that_makes_no_sense_is_no_crash(client: Client, form: dict[str, Any], words: str) -> None:
    answer = await client.post("Well?", **form)
    assert (client.status, answer["error"]) == (422, f"Validation failed: {words}")


async def test_nobody_posts_the_files_of_others(client: Client) -> None:
    client.face.media_turns = 0
    media = await _upload(client)
    form = {"status": "x", "media_ids[]": media["id"]}
    answer = await client.ask("POST", "/api/v1/statuses", data=form, token=client.token("second"))
    assert answer["error"] == f"Media {media['id']} not found or already attached to another post"
    await client.ask("GET", f"/api/v1/media/{media['id']}", token=client.token("second"))
    assert client.status == 404


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({"status": " "}, "blank"),
        ({"status": "x" * 501}, "too_long"),
        ({"status": "x", "in_reply_to_id": "9"}, "in_reply_not_found"),
    ],
)
async def test_a_bad_status_is_refused_with_the_real_words(client: Client, form: dict[str, str], code: str) -> None:
    answer = await client.ask("POST", "/api/v1/statuses", data=form)
    assert (client.status, answer["error"]) == REFUSALS[code]
    assert [a.outcome for a in client.face.network.attempts] == ["refused"]
    assert client.face.network.held_by("agent") == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("é👩‍👩‍👧🇩🇪e\u0301", 4),
        ("https://example.org/" + "a" * 300 + ".", 24),
        ("@ana@far.example.org hi", 7),
        ("👍🏽", 1),
    ],
)
def test_length(text: str, expected: int) -> None:
    assert length(text) == expected


async def test_a_direct_status_is_there_for_those_it_names(client: Client) -> None:
    said = client.face.say("ana", "direct", "psst")
    assert (await client.ask("GET", f"/api/v1/statuses/{said.id}"))["visibility"] == "direct"
    answer = await client.ask("GET", f"/api/v1/statuses/{said.id}", token=client.token("second"))
    assert (client.status, answer) == (404, {"error": "Record not found"})
    (conversation,) = await client.ask("GET", "/api/v1/conversations")
    assert [a["acct"] for a in conversation["accounts"]] == ["ana"]
    assert conversation["last_status"]["id"] == said.id


async def test_edit_delete_favourite(client: Client) -> None:
    client.face.media_turns = 0
    upload = await _upload(client)
    status = await client.post("frist", **{"media_ids[]": upload["id"]})
    path = f"/api/v1/statuses/{status['id']}"
    kept = await client.ask("PUT", path, data={"status": "first", "media_ids[]": upload["id"]})
    assert (len(kept["media_attachments"]), kept["edited_at"] is not None) == (1, True)
    assert (await client.ask("PUT", path, data={"status": "second"}))["media_attachments"] == []
    assert client.face.network.messages[status["id"]].edits == ["frist", "first"]
    for _ in range(2):
        liked = await client.ask("POST", f"{path}/favourite")
        assert liked["favourites_count"] == 1
    assert (await client.ask("DELETE", path))["text"] == "second"
    await client.ask("DELETE", path)
    assert client.status == 404
    other = client.face.say("ana", "mention", "not yours")
    await client.ask("DELETE", f"/api/v1/statuses/{other.id}")
    assert client.status == 404


async def _upload(client: Client, mime: str = "image/png") -> Any:
    form = aiohttp.FormData()
    form.add_field("file", PIXEL, filename="a.png", content_type=mime)
    form.add_field("description", "a pixel")
    return await client.ask("POST", "/api/v2/media", data=form)


async def test_a_file_is_processed_first(client: Client) -> None:
    client.face.media_turns = 2
    media = await _upload(client)
    assert (client.status, media["url"], media["description"]) == (202, None, "a pixel")
    refused = await client.post("too early", **{"media_ids[]": media["id"]})
    assert (client.status, refused["error"]) == REFUSALS["media_pending"]
    seen = []
    for _ in range(3):
        shown = await client.ask("GET", f"/api/v1/media/{media['id']}")
        seen.append((client.status, shown["url"] is None))
    assert seen == [(206, True), (206, True), (200, False)]
    status = await client.post("", **{"media_ids[]": media["id"]})
    assert status["media_attachments"][0]["id"] == media["id"]
    await _upload(client, "text/plain")
    assert client.status == 422


async def test_notifications_page_up_from_min_id_and_down_from_since_id(client: Client) -> None:
    client.face.account()
    for number in range(10):
        client.face.say("ana", "mention", f"number {number}")

    async def page(**query: Any) -> list[int]:
        notes = await client.ask("GET", "/api/v1/notifications", params=query)
        return [int(note["status"]["content"].rstrip("</p>").rsplit(" ", 1)[1]) for note in notes]

    assert await page(limit=3) == [9, 8, 7]
    assert await page(limit=3, min_id="0") == [2, 1, 0]
    first = (await client.ask("GET", "/api/v1/notifications", params={"min_id": "0", "limit": 1}))[0]["id"]
    assert await page(limit=3, min_id=first) == [3, 2, 1]
    assert await page(limit=3, since_id=first) == [9, 8, 7]
    last = (await client.ask("GET", "/api/v1/notifications", params={"limit": 1}))[0]["id"]
    assert await page(min_id=last) == []


async def test_notifications_have_types(client: Client) -> None:
    client.face.say("ana", "mention", "hello")
    status = await client.post("mine")
    client.face.person_reacts("ana", status["id"])
    for types, kinds in ((["mention"], ["mention"]), (["favourite"], ["favourite"]), (["poll"], [])):
        notes = await client.ask("GET", "/api/v1/notifications", params=[("types[]", t) for t in types])
        assert [note["type"] for note in notes] == kinds
    notes = await client.ask("GET", "/api/v1/notifications", params={"exclude_types[]": "mention"})
    assert [note["type"] for note in notes] == ["favourite"]


async def test_own_statuses_and_threads_can_be_read_back(client: Client) -> None:
    root = client.face.say("ana", "mention", "root")
    middle = await client.post("@ana middle", in_reply_to_id=root.id)
    leaf = client.face.say("ana", "reply", "leaf", to=middle["id"])
    me = await client.ask("GET", "/api/v1/accounts/verify_credentials")
    (own,) = await client.ask("GET", f"/api/v1/accounts/{me['id']}/statuses")
    assert (own["id"], own["in_reply_to_id"]) == (middle["id"], root.id)
    context = await client.ask("GET", f"/api/v1/statuses/{middle['id']}/context")
    assert [s["id"] for s in context["ancestors"]] == [root.id]
    assert [s["id"] for s in context["descendants"]] == [leaf.id]
    assert leaf.conversation == root.id


async def test_people_can_be_looked_up(client: Client) -> None:
    client.face.say("bo@far.example", "post", "hello")
    found = await client.ask("GET", "/api/v1/accounts/lookup", params={"acct": "@bo@far.example"})
    assert (found["username"], found["acct"]) == ("bo", "bo@far.example")
    assert (await client.ask("GET", f"/api/v1/accounts/{found['id']}"))["id"] == found["id"]
    (again,) = await client.ask("GET", "/api/v1/accounts/search", params={"q": "far.ex"})
    assert again["id"] == found["id"]
    await client.ask("GET", "/api/v1/accounts/lookup", params={"acct": "nobody"})
    assert client.status == 404


async def test_nobody_says_group(client: Client) -> None:
    with pytest.raises(ValueError, match="group"):
        client.face.say("ana", "group", "hello")


@pytest.mark.parametrize("path", ["/api/v1/instance", "/api/v1/instance/", "/api/v2/instance", "/api/v2/instance/"])
async def test_the_instance_states_its_sizes(client: Client, path: str) -> None:
    told = await client.ask("GET", path, token="nobody")
    assert told["configuration"]["statuses"] == {
        "max_characters": 500,
        "max_media_attachments": 4,
        "characters_reserved_per_url": 23,
    }
    assert told.get("domain", told.get("uri")) == "mastodon.sandbox"


async def test_every_answer_tells_its_window(client: Client) -> None:
    for ask, seconds in ((client.post("hello"), 10_800), (client.ask("GET", "/api/v1/notifications"), 300)):
        await ask
        assert (client.headers["X-RateLimit-Limit"], client.headers["X-RateLimit-Remaining"]) == ("300", "299")
        reset = datetime.fromisoformat(client.headers["X-RateLimit-Reset"])
        assert abs((reset - datetime.now(UTC)).total_seconds() - seconds) < 5


TROUBLES = [
    (Trouble.SUSPEND, {}, 403, "Your login is currently disabled"),
    (Trouble.LOCK, {}, 403, "Your login is currently pending approval"),
    (Trouble.LOCK, {"code": "unconfirmed"}, 403, "Your login is missing a confirmed e-mail address"),
    (Trouble.LOCK, {"code": "two_factor"}, 403, "Your account requires two-factor authentication"),
    (Trouble.REVOKE, {}, 401, "The access token was revoked"),
    (Trouble.RATE_LIMIT, {}, 429, "Too many requests"),
    (Trouble.FAIL_BEFORE, {}, 503, "There was a temporary problem serving your request, please try again"),
]


@pytest.mark.parametrize(("trouble", "options", "status", "words"), TROUBLES)
async def test_trouble_has_the_real_body(
    client: Client, trouble: Trouble, options: dict[str, Any], status: int, words: str
) -> None:
    client.strike(trouble, **options)
    for ask in (client.post("hello"), client.ask("GET", "/api/v1/accounts/verify_credentials")):
        assert (await ask, client.status) == ({"error": words}, status)
    assert client.face.network.held_by("agent") == []


@pytest.mark.parametrize("code", REFUSALS)
async def test_refusals_have_the_real_body(client: Client, code: str) -> None:
    client.strike(Trouble.REFUSE, code=code, on="write")
    answer = await client.post("hello")
    assert (client.status, answer["error"]) == REFUSALS[code]


async def test_a_limit_tells_when_it_ends_unless_it_does_not(client: Client) -> None:
    client.strike(Trouble.RATE_LIMIT, retry_after_s=90.0, count=1)
    await client.post("hello")
    reset = datetime.fromisoformat(client.headers["X-RateLimit-Reset"])
    assert abs((reset - datetime.now(UTC)).total_seconds() - 90) < 5
    assert client.headers["X-RateLimit-Remaining"] == "0"
    client.strike(Trouble.RATE_LIMIT, retry_after_s=None, count=1)
    await client.post("hello")
    assert "X-RateLimit-Reset" not in client.headers


async def test_a_wrong_token_is_nobody(client: Client) -> None:
    answer = await client.ask("GET", "/api/v1/notifications", token="wrong")
    assert (client.status, answer) == (401, {"error": "The access token is invalid"})


@pytest.mark.parametrize("status", [500, 502, 504])
async def test_what_fails_after_acceptance_is_held(client: Client, status: int) -> None:
    client.strike(Trouble.FAIL_AFTER, status=status, count=1)
    assert await client.post("hello", "key") is None
    assert client.status == status
    assert len(client.face.network.held_by("agent")) == 1
    await client.post("hello", "key")
    assert len(client.face.network.held_by("agent")) == 1


# Server-sent events.


async def _open(client: Client, path: str = "/api/v1/streaming/user") -> aiohttp.ClientResponse:
    headers = {"Authorization": f"Bearer {client.token()}"}
    return await client.session.get(client.face.url + path, headers=headers)


async def _next(response: aiohttp.ClientResponse) -> tuple[str, str]:
    """The next event, past the thumps."""
    name = ""
    async with asyncio.timeout(30):
        while True:
            line = (await response.content.readline()).decode("utf-8", "replace").rstrip("\n")
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            if line.startswith("data: "):
                return name, line.removeprefix("data: ")


async def test_a_stream_tells_what_happens(client: Client) -> None:
    response = await _open(client)
    assert response.content_type == "text/event-stream"
    assert (await response.content.readline()) == b":)\n"
    said = client.face.say("ana", "mention", "hello")
    name, data = await _next(response)
    assert (name, json.loads(data)["type"], json.loads(data)["status"]["id"]) == ("notification", "mention", said.id)
    own = await client.post("mine")
    name, data = await _next(response)
    assert (name, json.loads(data)["id"]) == ("update", own["id"])
    client.face.person_edits(said.id, "@agent hullo")
    name, data = await _next(response)
    assert (name, json.loads(data)["id"]) == ("status.update", said.id)
    client.face.person_deletes(said.id)
    assert await _next(response) == ("delete", said.id)
    response.close()


async def test_a_strangers_direct_message_waits_among_the_requests(client: Client) -> None:
    client.face.say("ana", "post", "I am here")
    response = await _open(client, "/api/v1/streaming/user/notification")
    client.face.say("ana", "direct", "psst")
    public = await client.post("@ana yes?")
    client.face.say("ana", "direct", "not here", to=public["id"])
    private = await client.post("@ana here, then", visibility="direct")
    answer = client.face.say("ana", "direct", "well", to=private["id"])
    assert json.loads((await _next(response))[1])["status"]["id"] == answer.id
    response.close()
    assert len(await client.ask("GET", "/api/v1/notifications")) == 1
    notes = await client.ask("GET", "/api/v1/notifications?include_filtered=true")
    assert [note.get("filtered") for note in notes] == [None, True, True]


async def test_a_stream_of_notifications_tells_no_more(client: Client) -> None:
    response = await _open(client, "/api/v1/streaming/user/notification")
    await client.post("mine")
    client.face.say("ana", "mention", "hello")
    assert (await _next(response))[0] == "notification"
    response.close()


async def test_a_stream_thumps(client: Client) -> None:
    response = await _open(client)
    async with asyncio.timeout(30):
        lines = [await response.content.readline() for _ in range(3)]
    assert lines == [b":)\n", b":thump\n", b":thump\n"]
    response.close()


@pytest.mark.parametrize("trouble", [Trouble.SUSPEND, Trouble.REVOKE, Trouble.LOCK, None])
async def test_a_stream_ends_with_its_account_or_when_cut(client: Client, trouble: Trouble | None) -> None:
    response = await _open(client)
    if trouble:
        client.strike(trouble)
    else:
        client.face.cut_streams("agent")
    with pytest.raises(aiohttp.ClientError):
        async with asyncio.timeout(30):
            await response.read()
    assert len(client.face.streams) == 0


async def test_a_malformed_event_comes_before_the_real_one(client: Client) -> None:
    response = await _open(client)
    client.strike(Trouble.MALFORMED_EVENT, on="stream", count=1)
    client.face.say("ana", "mention", "hello")
    assert await _next(response) == ("notification", "{broken")
    assert (await _next(response))[1] == "1"
    assert json.loads((await _next(response))[1])["type"] == "mention"
    response.close()
    client.strike(Trouble.MALFORMED_EVENT, on="read", count=1)
    broken, good = await client.ask("GET", "/api/v1/notifications")
    assert (broken["id"], good["type"]) == (None, "mention")


# What a status may carry.


async def test_a_warning_counts_and_stands_for_missing_words(client: Client) -> None:
    await client.post("x" * 450, spoiler_text="w" * 51)
    assert client.status == 422
    status = await client.post("x" * 450, spoiler_text="w" * 50)
    assert (status["spoiler_text"], status["sensitive"]) == ("w" * 50, True)
    link = "https://example.org/" + "a" * 100
    await client.post("x" * 450, spoiler_text=link)
    assert client.status == 422, "an address in a warning counts in full"
    only = await client.post(" ", spoiler_text="only a warning")
    assert (only["content"], only["spoiler_text"], only["sensitive"]) == ("<p>only a warning</p>", "", True)


POLLS = [
    (["a"], 600, "Choices must have more than one item"),
    (["a", " "], 600, "Choices must have more than one item"),
    (["a", "b", "c", "d", "e"], 600, "Choices can't contain more than 4 items"),
    (["a" * 51, "b"], 600, "Choices cannot be longer than 50 characters each"),
    (["a", "a "], 600, "Choices contain duplicate items"),
    (["a", "b"], 299, "Deadline is too soon"),
    (["a", "b"], 2_629_747, "Deadline is too far into the future"),
]


@pytest.mark.parametrize(("options", "expires_in", "words"), POLLS)
async def test_a_poll_is_refused_with_the_real_words(
    client: Client, options: list[str], expires_in: int, words: str
) -> None:
    form = {"status": "Well?", "poll": {"options": options, "expires_in": expires_in}}
    answer = await client.ask("POST", "/api/v1/statuses", json=form)
    assert (client.status, answer["error"]) == (422, f"Validation failed: {words}")
    assert client.face.network.held_by("agent") == []


async def test_a_poll_is_taken_as_json_and_as_a_form(client: Client) -> None:
    options = ["👩‍👩‍👧" * 50, "b"]
    form = {"poll[options][]": options, "poll[expires_in]": "600", "poll[multiple]": "1"}
    for asked in (
        client.ask("POST", "/api/v1/statuses", json={"status": "?", "poll": {"options": options, "expires_in": 600}}),
        client.post("?", **form),
    ):
        poll = (await asked)["poll"]
        assert [option["title"] for option in poll["options"]] == options
    assert poll["multiple"] is True
    await client.post("", **form)
    assert client.status == 422, "a poll needs words"


async def test_files_are_refused_with_the_real_words(client: Client) -> None:
    client.face.media_turns = 0
    files = [(await _upload(client))["id"] for _ in range(5)]
    film, sound = [(await _upload(client, mime))["id"] for mime in ("video/mp4", "audio/mpeg")]
    many = REFUSALS["too_many_files"][1]
    mixed = "Cannot attach a video to a post that already contains images"
    poll = {"poll[options][]": ["a", "b"], "poll[expires_in]": "600"}
    for ids, more, words in (
        (files, {}, many),
        (files[:1], poll, many),
        ([files[0], film], {}, mixed),
        ([film, sound], {}, mixed),
        (["7"], {}, "Media 7 not found or already attached to another post"),
    ):
        answer = await client.post("x", **{"media_ids[]": ids, **more})
        assert (client.status, answer["error"]) == (422, words)
    taken = await client.post("x", **{"media_ids[]": files[:4]})
    assert len(taken["media_attachments"]) == 4
    answer = await client.post("x", **{"media_ids[]": files[0]})
    assert answer["error"] == f"Media {files[0]} not found or already attached to another post"
    assert (await client.post("x", **{"media_ids[]": film}))["media_attachments"][0]["type"] == "video"


async def test_uploads_have_limits(client: Client) -> None:
    def form(data: bytes, mime: str, alt: str = "") -> aiohttp.FormData:
        made = aiohttp.FormData()
        made.add_field("file", BytesIO(data), filename="a", content_type=mime)
        made.add_field("description", alt)
        return made

    big, slow, size = mp4(8_000, 4_000), mp4(640, 360), "must be less than 16 MB"
    second = b"mdhd" + bytes(12) + struct.pack(">II", 600, 600)
    quick = slow.replace(b"hdlr", second + b"stts" + bytes(4) + struct.pack(">5I", 2, 100, 3, 41, 3) + b"hdlr")
    gif = b"GIF89a" + (1_281).to_bytes(2, "little") + (720).to_bytes(2, "little")
    wide = PIXEL[:16] + (9_000).to_bytes(4, "big") * 2 + PIXEL[24:]
    for data, mime, alt, words in (
        (gif, "image/gif", "", "1281x720 GIF files are not supported"),
        (big, "video/mp4", "", "8000x4000 videos are not supported"),
        (quick, "video/mp4", "", "141fps videos are not supported"),
        (b"hello", "image/png", "", "Validation failed: File Paperclip::Errors::NotIdentifiedByImageMagickError"),
        (wide, "image/png", "", "9000x9000 images are not supported"),
        (b"x" * IMAGE_BYTES, "image/jpeg", "", f"Validation failed: File file size {size}, File {size}"),
        (PIXEL, "image/png", "a" * 1_501, "Validation failed: Description is too long (maximum is 1500 characters)"),
        (b"%PDF", "application/pdf", "", REFUSALS["file_type"][1]),
    ):
        answer = await client.ask("POST", "/api/v2/media", data=form(data, mime, alt))
        assert (client.status, answer["error"]) == (422, words)
    answer = await client.ask("POST", "/api/v2/media", data={"description": "of nothing"})
    assert (client.status, answer["error"]) == (422, "Validation failed: File can't be blank")
    await client.ask("POST", "/api/v2/media", data=form(slow, "video/mp4"))
    assert client.status == 202


async def test_a_quote_is_shown_once_deep(client: Client) -> None:
    theirs = client.face.say("ana", "post", "first")
    first = await client.post("see", quoted_status_id=theirs.id)
    assert first["quote"]["quoted_status"]["id"] == theirs.id
    assert first["content"].startswith('<p class="quote-inline">RE: ')
    second = await client.post("", quoted_status_id=first["id"], spoiler_text="a warning stays one")
    assert second["quote"]["quoted_status"]["quote"] == {"state": "accepted", "quoted_status_id": theirs.id}
    assert second["spoiler_text"] == "a warning stays one"
    own = await client.post("only for some", visibility="direct")
    followers = client.face.say("ana", "post", "for mine", visibility="private")
    for gone in ("7", client.face.say("ana", "direct", "psst").id, own["id"], followers.id):
        answer = await client.post("see", quoted_status_id=gone)
        assert (client.status, answer["error"]) == REFUSALS["quoted_status_not_found"]
    answer = await client.post("psst", quoted_status_id=theirs.id, visibility="direct")
    assert (client.status, answer["error"]) == REFUSALS["quoted_not_mentioned"]
    assert (await client.post("@ana psst", quoted_status_id=theirs.id, visibility="direct"))["quote"]
    mine = await client.post("for mine", visibility="private")
    assert (await client.post("again", quoted_status_id=mine["id"]))["visibility"] == "private"
    client.face.quotes = False
    assert (await client.post("see", quoted_status_id=theirs.id))["quote"] is None
    told = await client.ask("GET", "/api/v2/instance")
    assert (told["api_versions"], told["version"]) == ({"mastodon": 6}, "4.4.0")


async def test_a_reblog_is_one_and_not_of_private_words(client: Client) -> None:
    theirs = client.face.say("ana", "post", "hello")
    for _ in range(2):
        answer = await client.ask("POST", f"/api/v1/statuses/{theirs.id}/reblog")
        assert (answer["reblog"]["id"], answer["reblog"]["reblogs_count"]) == (theirs.id, 1)
    for private in (
        client.face.say("ana", "direct", "psst"),
        client.face.say("ana", "post", "x", visibility="private"),
    ):
        answer = await client.ask("POST", f"/api/v1/statuses/{private.id}/reblog")
        assert (client.status, answer["error"]) == REFUSALS["not_allowed"]
    mine = await client.post("for mine", visibility="private")
    await client.ask("POST", f"/api/v1/statuses/{mine['id']}/reblog")
    assert client.status == 200


async def test_a_file_is_served_as_it_was_sent(client: Client) -> None:
    client.face.media_turns = 0
    media = await _upload(client)
    assert (media["meta"]["original"]["width"], media["url"].rpartition(".")[2]) == (1, "png")
    async with client.session.get(media["url"]) as response:
        assert (await response.read(), response.content_type) == (PIXEL, "image/png")
