"""X's face by raw HTTP: the bodies, headers and rules of docs.x.com, seen without any client library."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from x_films import film, gif

from adapters.sandbox import x_bodies, x_wire
from adapters.sandbox.control import serve
from adapters.sandbox.faults import Rule, Trouble
from adapters.sandbox.x import XFace

Answer = tuple[int, Any, Any]


class Wire:
    """An app's HTTP, by hand."""

    def __init__(self, face: XFace, http: aiohttp.ClientSession) -> None:
        self.face = face
        self.http = http
        self.token = face.account()["environment"]["X_AGENT_ACCESS_TOKEN"]
        self.me = face.network.member("agent")

    async def ask(self, method: str, path: str, **options: Any) -> Answer:
        headers = {"Authorization": f"Bearer {self.token}"} | options.pop("headers", {})
        async with self.http.request(method, self.face.url + path, headers=headers, **options) as answer:
            return answer.status, await answer.json(content_type=None), answer.headers

    async def post(self, text: str, **body: Any) -> Answer:
        return await self.ask("POST", "/2/tweets", json={"text": text, **body})


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    sandbox = await serve(names=["x"])
    async with aiohttp.ClientSession() as http:
        yield Wire(sandbox.faces["x"], http)  # type: ignore[arg-type]  # it is the X face
    await sandbox.stop()


async def test_a_post_is_created_shown_and_deleted(wire: Wire) -> None:
    status, body, headers = await wire.post("hello https://example.org/x")
    assert status == 201
    post_id = body["data"]["id"]
    assert re.fullmatch(r"hello https://t\.co/\w{10}", body["data"]["text"])
    assert body["data"]["edit_history_tweet_ids"] == [post_id]
    assert int(headers["x-rate-limit-remaining"]) > 0
    assert int(headers["x-rate-limit-reset"]) > time.time()
    _, shown, _ = await wire.ask("GET", f"/2/tweets/{post_id}?tweet.fields=entities,author_id")
    assert shown["data"]["entities"]["urls"][0]["expanded_url"] == "https://example.org/x"
    assert shown["data"]["author_id"] == wire.me.id  # type: ignore[union-attr]  # it signed up
    _, listed, _ = await wire.ask("GET", f"/2/tweets?ids={post_id},1")
    assert [item["id"] for item in listed["data"]] == [post_id]
    assert (await wire.ask("DELETE", f"/2/tweets/{post_id}"))[1] == {"data": {"deleted": True}}
    status, gone, _ = await wire.ask("GET", f"/2/tweets/{post_id}")
    assert status == 200
    assert gone["errors"][0]["type"].endswith("/resource-not-found")


async def test_fields_come_only_when_asked_for(wire: Wire) -> None:
    _, made, _ = await wire.post("plain")
    _, shown, _ = await wire.ask("GET", f"/2/tweets/{made['data']['id']}")
    assert set(shown["data"]) == {"id", "text", "edit_history_tweet_ids"}


async def test_who_am_i(wire: Wire) -> None:
    _, body, _ = await wire.ask("GET", "/2/users/me")
    assert body["data"]["username"] == "agent"
    _, other, _ = await wire.ask("GET", "/2/users/by/username/agent")
    assert other == body
    assert (await wire.ask("GET", "/2/users/1"))[1]["errors"]


@pytest.mark.parametrize("token", ["", "wrong"])
async def test_a_wrong_token_is_unauthorized(wire: Wire, token: str) -> None:
    wire.token = token
    status, body, _ = await wire.ask("GET", "/2/users/me")
    assert status == 401
    assert body == {"title": "Unauthorized", "type": "about:blank", "status": 401, "detail": "Unauthorized"}


async def test_the_same_words_twice_are_refused(wire: Wire) -> None:
    await wire.post("twice")
    status, body, _ = await wire.post("twice")
    assert status == 403
    assert body == {
        "detail": "You are not allowed to create a Tweet with duplicate content.",
        "type": "about:blank",
        "title": "Forbidden",
        "status": 403,
    }
    assert [attempt.outcome for attempt in wire.face.network.attempts] == ["accepted", "refused"]


@pytest.mark.parametrize(
    ("text", "status"),
    [("x" * 280, 201), ("x" * 281, 400), ("語" * 140, 201), ("語" * 141, 400), ("👩‍👩‍👧" * 140, 201)],
)
async def test_length_is_weighted(wire: Wire, text: str, status: int) -> None:
    assert (await wire.post(text))[0] == status


async def test_an_address_weighs_23(wire: Wire) -> None:
    assert (await wire.post("x" * 256 + " https://example.org/" + "y" * 300))[0] == 201
    assert (await wire.post("x" * 257 + " https://example.org/" + "y" * 300))[0] == 400


async def test_only_who_was_called_may_reply(wire: Wire) -> None:
    stranger = wire.face.say("zoe", "post", "to myself")
    status, body, _ = await wire.post("hello", reply={"in_reply_to_tweet_id": stranger.id})
    assert (status, body["detail"]) == (403, x_bodies.NOT_SUMMONED)
    friend = wire.face.say("ana", "mention", "hello")
    status, body, _ = await wire.post("hello", reply={"in_reply_to_tweet_id": friend.id})
    assert status == 201
    _, shown, _ = await wire.ask(
        "GET", f"/2/tweets/{body['data']['id']}?tweet.fields=referenced_tweets,conversation_id,in_reply_to_user_id"
    )
    assert shown["data"]["text"] == "@ana hello"
    assert shown["data"]["referenced_tweets"] == [{"type": "replied_to", "id": friend.id}]
    assert shown["data"]["conversation_id"] == friend.id
    assert shown["data"]["in_reply_to_user_id"] == friend.author


async def test_mentions_come_newest_first_in_pages(wire: Wire) -> None:
    said = [wire.face.say("ana", "mention", f"number {n} & more").id for n in range(7)]
    wire.face.say("ana", "post", "nobody's business")
    path = f"/2/users/{wire.me.id}/mentions?max_results=5&expansions=author_id&tweet.fields=author_id"  # type: ignore[union-attr]  # it signed up
    _, first, _ = await wire.ask("GET", path)
    assert [item["id"] for item in first["data"]] == said[:1:-1]
    assert first["data"][0]["text"] == "@agent number 6 &amp; more"
    assert first["includes"]["users"][0]["username"] == "ana"
    assert first["meta"]["newest_id"] == said[-1]
    _, second, _ = await wire.ask("GET", f"{path}&pagination_token={first['meta']['next_token']}")
    assert [item["id"] for item in second["data"]] == said[1::-1]
    assert "next_token" not in second["meta"]
    _, since, _ = await wire.ask("GET", f"{path}&since_id={said[4]}")
    assert [item["id"] for item in since["data"]] == [said[6], said[5]]
    _, none, _ = await wire.ask("GET", f"{path}&since_id={said[6]}")
    assert none == {"meta": {"result_count": 0}}
    assert (await wire.ask("GET", path.replace("=5&", "=4&")))[0] == 400


async def test_an_edit_has_a_new_id(wire: Wire) -> None:
    said = wire.face.say("ana", "mention", "frist")
    wire.face.person_edits(said.id, "first")
    path = f"/2/users/{wire.me.id}/mentions?max_results=5&since_id={said.id}"  # type: ignore[union-attr]  # it signed up
    (item,) = (await wire.ask("GET", path))[1]["data"]
    assert item["edit_history_tweet_ids"] == [said.id, item["id"]]
    assert item["text"] == "@agent first"


async def test_the_own_timeline_begins_at_a_time(wire: Wire) -> None:
    await wire.post("mine")
    path = f"/2/users/{wire.me.id}/tweets?max_results=5&start_time="  # type: ignore[union-attr]  # it signed up
    assert len((await wire.ask("GET", path + "2020-01-01T00:00:00Z"))[1]["data"]) == 1
    assert (await wire.ask("GET", path + "2100-01-01T00:00:00Z"))[1]["meta"]["result_count"] == 0


async def test_direct_messages_go_where_somebody_wrote_first(wire: Wire) -> None:
    zoe = wire.face.person("zoe")
    status, body, _ = await wire.ask("POST", f"/2/dm_conversations/with/{zoe.id}/messages", json={"text": "hi"})
    assert (status, body["detail"]) == (403, x_bodies.NO_DIRECT)
    asked = wire.face.say("ana", "direct", "hello")
    low, _, high = asked.conversation.partition("-")
    assert int(low) < int(high)
    path = f"/2/dm_conversations/{asked.conversation}/messages"
    status, body, _ = await wire.ask("POST", path, json={"text": "hi"})
    assert status == 201
    assert set(body["data"]) == {"dm_conversation_id", "dm_event_id"}
    fields = "dm_event.fields=sender_id,dm_conversation_id,created_at"
    _, events, _ = await wire.ask("GET", f"/2/dm_events?{fields}")
    assert [event["text"] for event in events["data"]] == ["hi", "hello"]
    assert events["data"][1]["event_type"] == "MessageCreate"
    assert events["data"][1]["dm_conversation_id"] == asked.conversation
    _, same, _ = await wire.ask("GET", f"/2/dm_conversations/with/{asked.author}/dm_events?{fields}")
    assert same["data"] == events["data"]


async def test_a_group_is_a_conversation_with_a_number(wire: Wire) -> None:
    asked = wire.face.say("ana", "group", "hello all")
    assert asked.private
    assert asked.conversation.isdecimal()
    status, _, _ = await wire.ask("POST", f"/2/dm_conversations/{asked.conversation}/messages", json={"text": "hi"})
    assert status == 201


async def test_media_goes_in_by_pieces(wire: Wire) -> None:
    start = {"media_type": "image/png", "total_bytes": 6, "media_category": "tweet_image"}
    media_id = (await wire.ask("POST", "/2/media/upload/initialize", json=start))[1]["data"]["id"]
    for index, piece in enumerate((b"abc", b"def")):
        body = {"media": base64.b64encode(piece).decode(), "segment_index": index}
        assert (await wire.ask("POST", f"/2/media/upload/{media_id}/append", json=body))[0] == 200
    unready, _, _ = await wire.post("too early", media={"media_ids": [media_id]})
    assert unready == 400
    _, done, _ = await wire.ask("POST", f"/2/media/upload/{media_id}/finalize")
    assert done["data"]["size"] == 6
    alt = {"id": media_id, "metadata": {"alt_text": {"text": "six bytes"}}}
    assert (await wire.ask("POST", "/2/media/metadata", json=alt))[0] == 200
    assert (await wire.post("look", media={"media_ids": [media_id]}))[0] == 201
    (held,) = wire.face.network.held_by("agent")
    assert held.media == [{"mime": "image/png", "size_bytes": 6, "alt": "six bytes"}]


async def test_slow_media_says_when_to_ask(wire: Wire) -> None:
    wire.face.uploads.slow_polls = 1
    start = {"media_type": "image/png", "total_bytes": 3}
    media_id = (await wire.ask("POST", "/2/media/upload/initialize", json=start))[1]["data"]["id"]
    body = {"media": base64.b64encode(b"abc").decode(), "segment_index": 0}
    await wire.ask("POST", f"/2/media/upload/{media_id}/append", json=body)
    _, done, _ = await wire.ask("POST", f"/2/media/upload/{media_id}/finalize")
    assert done["data"]["processing_info"]["state"] == "pending"
    path = f"/2/media/upload?command=STATUS&media_id={media_id}"
    states = [(await wire.ask("GET", path))[1]["data"]["processing_info"]["state"] for _ in range(2)]
    assert states == ["in_progress", "succeeded"]


async def test_a_refresh_token_serves_once(wire: Wire) -> None:
    refresh = wire.face.account()["environment"]["X_AGENT_REFRESH_TOKEN"]
    form = {"grant_type": "refresh_token", "refresh_token": refresh, "client_id": "sandbox-app"}
    status, granted, _ = await wire.ask("POST", "/2/oauth2/token", data=form)
    assert status == 200
    assert granted["token_type"] == "bearer"
    assert (await wire.ask("GET", "/2/users/me"))[0] == 401
    wire.token = granted["access_token"]
    assert (await wire.ask("GET", "/2/users/me"))[0] == 200
    status, refused, _ = await wire.ask("POST", "/2/oauth2/token", data=form)
    assert status == 400
    assert refused == {
        "error": "invalid_request",
        "error_description": "Value passed for the token was invalid.",
    }


async def test_a_lock_closes_writes_only(wire: Wire) -> None:
    wire.face.faults.add(Rule(Trouble.LOCK))
    assert (await wire.ask("GET", "/2/users/me"))[0] == 200
    status, body, _ = await wire.post("locked out")
    assert (status, body["detail"]) == (403, x_bodies.LOCKED)


async def test_a_suspension_closes_everything(wire: Wire) -> None:
    wire.face.faults.add(Rule(Trouble.SUSPEND))
    for status, body, _ in (await wire.post("gone"), await wire.ask("GET", "/2/users/me")):
        assert status == 403
        assert body == {
            "detail": "The user used for authentication is suspended",
            "title": "Forbidden",
            "status": 403,
            "type": "https://api.twitter.com/2/problems/user-suspended",
        }


async def test_a_rate_limit_with_and_without_headers(wire: Wire) -> None:
    for told in (30.0, None):
        wire.face.faults.add(Rule(Trouble.RATE_LIMIT, count=1, retry_after_s=told))
        status, body, headers = await wire.post("fast")
        assert (status, body["title"]) == (429, "Too Many Requests")
        assert ("x-rate-limit-reset" in headers) is (told is not None)


@pytest.mark.parametrize("code", [*x_bodies.REFUSALS, "html_403"])
async def test_every_refusal_can_be_asked_for(wire: Wire, code: str) -> None:
    wire.face.faults.add(Rule(Trouble.REFUSE, code=code, count=1))
    async with wire.http.get(
        f"{wire.face.url}/2/users/me", headers={"Authorization": f"Bearer {wire.token}"}
    ) as answer:
        assert answer.status >= 400
        assert await answer.read()


async def test_what_was_accepted_stays_when_the_answer_is_lost(wire: Wire) -> None:
    wire.face.faults.add(Rule(Trouble.FAIL_AFTER, count=1, status=503))
    assert (await wire.post("accepted"))[0] == 503
    wire.face.faults.add(Rule(Trouble.DROP_AFTER, count=1))
    with pytest.raises(aiohttp.ClientError):
        await wire.post("accepted as well")
    assert [message.text for message in wire.face.network.held_by("agent")] == ["accepted", "accepted as well"]


async def test_a_broken_event_comes_before_the_real_ones(wire: Wire) -> None:
    wire.face.say("ana", "mention", "hello")
    wire.face.faults.add(Rule(Trouble.MALFORMED_EVENT, count=1))
    path = f"/2/users/{wire.me.id}/mentions"  # type: ignore[union-attr]  # it signed up
    assert len((await wire.ask("GET", path))[1]["data"]) == 2
    assert len((await wire.ask("GET", path))[1]["data"]) == 1


async def test_a_body_that_is_no_object_is_a_problem(wire: Wire) -> None:
    status, body, _ = await wire.ask("POST", "/2/tweets", data="[]", headers={"Content-Type": "application/json"})
    assert (status, body["title"]) == (400, "Invalid Request")


def test_ids_grow_and_tell_time() -> None:
    ids = x_wire.Snowflakes()
    made = [int(ids.next()) for _ in range(1000)]
    assert made == sorted(set(made))
    assert abs((made[0] >> 22) + x_wire.EPOCH_MS - time.time() * 1000) < 5000


async def upload(wire: Wire, mime: str, category: str, data: bytes = b"data") -> str:
    begin = {"media_type": mime, "total_bytes": len(data), "media_category": category}
    _, begun, _ = await wire.ask("POST", "/2/media/upload/initialize", json=begin)
    media_id: str = begun["data"]["id"]
    segment = {"media": base64.b64encode(data).decode(), "segment_index": 0}
    await wire.ask("POST", f"/2/media/upload/{media_id}/append", json=segment)
    await wire.ask("POST", f"/2/media/upload/{media_id}/finalize", json={})
    return media_id


@pytest.mark.parametrize(
    "body",
    [
        {"poll": {"options": ["one"], "duration_minutes": 60}},
        {"poll": {"options": list("abcde"), "duration_minutes": 60}},
        {"poll": {"options": ["a", "b" * 26], "duration_minutes": 60}},
        {"poll": {"options": ["a", ""], "duration_minutes": 60}},
        {"poll": {"options": ["a", "b"], "duration_minutes": 4}},
        {"poll": {"options": ["a", "b"], "duration_minutes": 10_081}},
        {"poll": {"options": ["a", "b"]}},
        {"poll": {"options": ["a", "b"], "duration_minutes": 60}, "quote_tweet_id": "1"},
        {"poll": {"options": ["a", "b"], "duration_minutes": 60}, "media": {"media_ids": ["1"]}},
        {"reply_settings": "nobody"},
        {"visibility": "public"},
    ],
)
async def test_what_the_schema_refuses_is_refused(wire: Wire, body: dict[str, Any]) -> None:
    status, problem, _ = await wire.post("which?", **body)
    assert status == 400
    assert problem["title"] == "Invalid Request"
    assert wire.face.network.held_by("agent") == []


@pytest.mark.parametrize(
    ("media", "status"),
    [
        ([("image/png", "tweet_image")] * 4, 201),
        ([("image/png", "tweet_image")] * 5, 400),
        ([("image/gif", "tweet_gif")], 201),
        ([("image/gif", "tweet_gif"), ("image/png", "tweet_image")], 400),
        ([("video/mp4", "tweet_video")] * 2, 400),
    ],
)
async def test_media_keep_the_company_that_x_allows(wire: Wire, media: list[tuple[str, str]], status: int) -> None:
    ids = [await upload(wire, mime, category) for mime, category in media]
    assert (await wire.post("look", media={"media_ids": ids}))[0] == status


@pytest.mark.parametrize(
    ("mime", "category", "total"),
    [
        ("image/png", "tweet_image", 5_000_001),
        ("image/gif", "tweet_gif", 15_000_001),
        ("video/mp4", "tweet_video", 8_000_000_001),
        ("video/mp4", "dm_video", 512_000_001),
        ("video/mp4", "tweet_video", -1),
        ("audio/mpeg", "tweet_video", 9),
        ("image/png", "tweet_gif", 9),
        ("image/png", "amplify", 9),
    ],
)
async def test_no_media_beyond_its_category(wire: Wire, mime: str, category: str, total: int) -> None:
    begin = {"media_type": mime, "total_bytes": total, "media_category": category}
    assert (await wire.ask("POST", "/2/media/upload/initialize", json=begin))[0] == 400


@pytest.mark.parametrize(
    ("data", "category", "words"),
    [
        (film(1200.0), "tweet_video", None),
        (film(1201.0), "tweet_video", "Duration 20.minutes+1.seconds exceeds max duration of 20.minutes"),
        (film(140.0), "dm_video", None),
        (film(149.35), "dm_video", "Duration 2.minutes+29.seconds+350.milliseconds exceeds max duration of"),
        (film(0.4), "tweet_video", "Duration 400.milliseconds"),
        (film(5.0, 1000, 300), "tweet_video", "1000x300"),
        (film(5.0, 90, 30), "tweet_video", "90x30"),
        (film(5.0, frames=300), "tweet_video", None),
        (film(5.0, frames=305), "tweet_video", "Frame rate 61"),
        (b"no film at all", "tweet_video", None),
    ],
)
async def test_a_film_is_worked_through(wire: Wire, data: bytes, category: str, words: str | None) -> None:
    media_id = await upload(wire, "video/mp4", category, data)
    _, told, _ = await wire.ask("GET", f"/2/media/upload?command=STATUS&media_id={media_id}")
    info = told["data"]["processing_info"]
    if words is None:
        assert info["state"] == "succeeded"
    else:
        assert (info["state"], info["error"]["name"]) == ("failed", "UnsupportedMedia")
        assert words in info["error"]["message"]
        assert (await wire.post("look", media={"media_ids": [media_id]}))[0] == 400


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (gif(frames=3), 201),
        (gif(frames=351), 400),
        (gif(1281, 2), 400),
        (gif(2, 1081), 400),
    ],
)
async def test_a_gif_of_more_than_x_takes_apart_fails_with_its_post(wire: Wire, data: bytes, status: int) -> None:
    media_id = await upload(wire, "image/gif", "tweet_gif", data)
    assert (await wire.post("look", media={"media_ids": [media_id]}))[0] == status


async def test_media_are_for_what_they_were_handed_in_for(wire: Wire) -> None:
    media_id = await upload(wire, "image/png", "dm_image")
    status, body, _ = await wire.post("look", media={"media_ids": [media_id]})
    assert (status, body["errors"][0]["message"]) == (400, "Your media IDs are invalid.")


async def test_an_upload_that_is_not_there_is_not_found(wire: Wire) -> None:
    for method, path in (("GET", "?command=STATUS&media_id=1"), ("POST", "/1/finalize"), ("POST", "/1/append")):
        status, body, _ = await wire.ask(method, f"/2/media/upload{path}", json={})
        assert (status, body["errors"][0]["message"]) == (400, "BadRequest: Not found")


@pytest.mark.parametrize(
    ("text", "status"),
    [("$AAA alone", 201), ("$AAA and $BB.C", 403), ("US$100, $5 and a$AAA", 201), ("$aaa $BBB", 403)],
)
async def test_a_post_has_one_cashtag(wire: Wire, text: str, status: int) -> None:
    assert (await wire.post(text))[0] == status
    wire.face.enterprise = True
    assert (await wire.post("all of them: " + text))[0] == 201


async def test_who_quotes_the_account_may_be_answered(wire: Wire) -> None:
    _, made, _ = await wire.post("news")
    quote = wire.face.say("zoe", "post", "so it is", quote_tweet_id=made["data"]["id"])
    assert (await wire.post("indeed", reply={"in_reply_to_tweet_id": quote.id}))[0] == 201


async def test_a_second_retweet_is_refused(wire: Wire) -> None:
    said = wire.face.say("ana", "mention", "news")
    path = f"/2/users/{wire.me.id}/retweets"  # type: ignore[union-attr]  # it signed up
    assert (await wire.ask("POST", path, json={"tweet_id": said.id}))[1] == {"data": {"retweeted": True}}
    status, body, _ = await wire.ask("POST", path, json={"tweet_id": said.id})
    assert (status, body["errors"][0]["code"]) == (403, 327)


async def test_quotes_and_likes_want_the_plan_that_has_them(wire: Wire) -> None:
    said = wire.face.say("ana", "mention", "news")
    liked = ("POST", f"/2/users/{wire.me.id}/likes")  # type: ignore[union-attr]  # it signed up
    assert (await wire.post("so it is", quote_tweet_id=said.id))[0] == 403
    assert (await wire.ask(*liked, json={"tweet_id": said.id}))[0] == 403
    wire.face.enterprise = True
    assert (await wire.post("so it is", quote_tweet_id=said.id))[0] == 201
    assert (await wire.ask(*liked, json={"tweet_id": said.id}))[1] == {"data": {"liked": True}}
