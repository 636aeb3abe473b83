"""What never reaches a log."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import logs
from gateway.logs import Redaction
from gateway.model.secret import Secret

SECRET = 'pa:ss/w"ö\\rd+1'


@pytest.mark.parametrize(
    "written",
    [
        SECRET,
        json.dumps(SECRET),
        json.dumps(SECRET, ensure_ascii=False).replace('\\"', '\\"'),
        repr(SECRET),
        quote(SECRET),
        quote(SECRET, safe=""),
        f"https://host/?access_token={quote(SECRET, safe='')}&x=1",
        base64.b64encode(SECRET.encode()).decode(),
        f"{SECRET}{SECRET}",
    ],
)
def test_a_secret_is_struck_out_however_it_is_written(written: str) -> None:
    clean = Redaction([SECRET]).clean(f"before {written} after")
    assert "***" in clean
    assert not any(piece in clean for piece in (SECRET, "pa:ss", "pa%3Ass"))
    assert clean.startswith("before ")
    assert clean.endswith(" after")


@pytest.mark.parametrize(
    "written",
    [
        "Authorization: Bearer abcdef123456",
        "authorization: basic dXNlcjpwYXNz",
        "https://api.telegram.org/bot7000000001:DCpeRiIw5QtMzqe2mEdQzh7DxoJ5AP1Jw40/getMe",
        "7000000001:DCpeRiIw5QtMzqe2mEdQzh7DxoJ5AP1Jw40",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJkaWQ6cGxjIn0.c2lnbmF0dXJl",
    ],
)
def test_what_looks_like_a_secret_is_struck_out_unasked(written: str) -> None:
    token = written.rsplit(maxsplit=1)[-1].removeprefix("https://api.telegram.org/bot").removesuffix("/getMe")
    assert token not in Redaction().clean(written)


def test_ordinary_words_stay() -> None:
    said = "bluesky/main: connecting -> healthy (probe: did:plc:ewvi7nxzyoun6zhxrhs64oiz at 2026-11-22T18:57:15)"
    assert Redaction(["", "a", "abc"]).clean(said) == said


@given(st.text(min_size=4, max_size=40), st.text(max_size=40), st.text(max_size=40))
def test_no_secret_survives(secret: str, before: str, after: str) -> None:
    if secret not in "***":
        assert secret not in Redaction([secret]).clean(f"{before}{secret}{after}").replace("***", "\0")


def test_no_platform_steers_a_terminal() -> None:
    event: Any = Redaction()(None, "info", {"event": "a\x1b[2Jb\r\nc", "exception": "one\n\x1b two", "n": 5})
    assert event == {"event": "a?[2Jb?\\nc", "exception": "one\n? two", "n": 5}


class Kept:
    """A vault in memory."""

    def __init__(self) -> None:
        self.secrets: dict[str, Secret] = {}

    async def get(self, name: str) -> Secret | None:
        return self.secrets.get(name)

    async def put(self, name: str, secret: Secret) -> None:
        self.secrets[name] = secret


@pytest.mark.parametrize("way", ["put", "get"])
async def test_a_renewed_secret_is_struck_out_from_its_first_moment(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "redaction", Redaction())
    kept = Kept()
    content = Secret('{"access": "fresh-access-1", "refresh": "fresh-refresh-1", "handle": "ana.example", "n": 5}')
    if way == "put":
        await logs.QuietVault(kept).put("session", content)
    else:
        kept.secrets["session"] = content
    assert await logs.QuietVault(kept).get("session") == content
    assert logs.redaction.clean("fresh-access-1 fresh-refresh-1 ana.example") == "*** *** ana.example"
    await logs.QuietVault(kept).put("bare", Secret("no JSON at all"))
    await logs.QuietVault(kept).put("list", Secret('["a-secret-in-a-list"]'))
    assert logs.redaction.clean("x no JSON at all") == "x ***"
    assert await logs.QuietVault(kept).get("nothing") is None
