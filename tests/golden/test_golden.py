"""Posts as people write them, and how each platform shows them: read ``shown/`` as a reader of the platform would.

``python tests/golden/test_golden.py`` writes what is shown anew; look at the difference before you commit it.
"""

from __future__ import annotations

import asyncio
import difflib
import hashlib
import importlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from gateway.announcement import parted
from gateway.clock import SystemClock
from gateway.fitting import called
from gateway.model.content import Document, Media
from gateway.model.delivery import Draft, FaultError, Part, Timeline
from gateway.model.identity import Identity, Person
from gateway.model.ids import DEFAULT_WORKSPACE, AccountId, DraftId, PersonId
from gateway.model.manner import Manner, Misfit
from gateway.model.secret import Secret
from gateway.outbox.planner import planned
from gateway.ports import Adapter, Platform, Previews
from gateway.testing.kit import Bench
from gateway.text.markdown import from_markdown

HERE = Path(__file__).parent
POSTS = sorted(path.stem for path in (HERE / "posts").glob("*.md"))
AT = datetime(2026, 11, 26, 12, tzinfo=UTC)
MANNER = Manner(misfit=Misfit.LINK)
NOWHERE = "http://127.0.0.1:9"
"""Accounts open although nobody answers."""
SECRET = Secret("4242:of-nobody-of-nobody-of-nobody-of-nobody")
SETTINGS: dict[str, dict[str, Any]] = {
    "x": {"access_token": SECRET},
    "discord": {"token": SECRET, "announce_to": "1000"},
    "telegram": {"token": SECRET, "announce_to": "-1000"},
    "bluesky": {"identifier": "agent.test", "password": SECRET, "public_server": NOWHERE},
    "mastodon": {"access_token": SECRET},
}
ALL = tuple(AccountId(f"{name}/main") for name in SETTINGS)
PEOPLE = (
    Person(
        PersonId("ana"),
        (
            Identity("bluesky", "did:plc:ana", "ana.example", "Ana"),
            Identity("mastodon", "71", "ana@social.example", "Ana"),
            Identity("discord", "1001", "ana", "Ana"),
        ),
    ),
    Person(
        PersonId("ben"),
        (Identity("mastodon", "72", "ben@social.example", "Ben"), Identity("x", "73", "ben_makes", "Ben")),
    ),
)


class Book:
    """A store that knows two people."""

    async def person(self, identity: Identity) -> Person | None:
        for person in PEOPLE:
            if any((one.platform, one.handle) == (identity.platform, identity.handle) for one in person.identities):
                return person
        return None


async def adapter(name: str) -> Adapter:
    platform: Platform = importlib.import_module(f"adapters.{name}.profile").PLATFORM
    module, _, function = platform.factory.partition(":")
    settings = platform.settings(**SETTINGS[name], server=NOWHERE)
    made: Adapter = await getattr(importlib.import_module(module), function)(
        settings, Bench(f"{name}/main", SystemClock()).context
    )
    return made


def fetched(media: Media) -> Media:
    """As it is when it was fetched and made to fit."""
    sha256 = hashlib.sha256(media.source.encode()).hexdigest()
    if media.source.endswith(".mp4"):
        return structs.replace(media, sha256=sha256, mime="video/mp4", size_bytes=3_000_000, duration_s=12.0)
    return structs.replace(
        media, sha256=sha256, mime="image/jpeg", size_bytes=150_000, width_px=1600, height_px=1200
    )  # fmt: skip


async def draft(post: str, name: str) -> Draft:
    head, words = parted((HERE / "posts" / f"{post}.md").read_text(encoding="utf-8"))
    document: Document = head.on(from_markdown(words))
    document = structs.replace(document, media=tuple(map(fetched, document.media)))
    book: Any = Book()
    document = await called(document, name, book)
    account, terms = AccountId(f"{name}/main"), structs.asdict(head.terms)
    return Draft(DraftId(post), DEFAULT_WORKSPACE, account, Timeline(), document, AT, post, copies=ALL, **terms)


async def shown(post: str) -> str:
    """The post on each platform, for people to read."""
    lines: list[str] = []
    for name in SETTINGS:
        made = await adapter(name)
        try:
            lines += [f"=== {name}", *_posts(made, await draft(post, name)), ""]
        finally:
            await made.aclose()
    return "\n".join(lines)


def _posts(made: Adapter, said: Draft) -> Iterator[str]:
    try:
        parts = planned(made, said, said.account, AT, MANNER)
    except FaultError as error:
        yield f"refused: {error.fault.kind}: {error.fault.evidence}"
        return
    for number, part in enumerate(parts, 1):
        yield from _post(made, part, f"--- {number} of {len(parts)}")
    for note in parts[0].notes:
        yield f"note: {note}"


def _post(made: Adapter, part: Part, head: str) -> Iterator[str]:
    assert isinstance(made, Previews)
    seen = made.preview(part)
    assert seen.length <= seen.limit
    cost = "" if seen.cost_usd is None else f", {seen.cost_usd:.3f} USD"
    yield f"{head}: {seen.length}/{seen.limit} {seen.unit}{cost}"
    yield seen.text
    for line in (*seen.media, *seen.extras):
        yield f"+ {line}"


def golden(post: str) -> Path:
    return HERE / "shown" / f"{post}.txt"


@pytest.mark.parametrize("post", POSTS)
async def test_it_is_shown_as_it_was_reviewed(post: str) -> None:
    reviewed, now = golden(post).read_text(encoding="utf-8"), await shown(post)
    told = difflib.unified_diff(reviewed.splitlines(), now.splitlines(), "reviewed", "now", lineterm="", n=1)
    assert now == reviewed, "\n".join(told)


def test_nothing_is_shown_of_no_post() -> None:
    assert len(POSTS) >= 30
    assert sorted(path.stem for path in (HERE / "shown").iterdir()) == POSTS


async def write() -> None:
    for post in POSTS:
        golden(post).write_text(await shown(post), encoding="utf-8")


if __name__ == "__main__":
    golden("").parent.mkdir(exist_ok=True)
    asyncio.run(write())
