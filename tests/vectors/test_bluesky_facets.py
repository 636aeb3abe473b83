"""The facets that Bluesky's own library finds in a text (packages/api, MIT OR Apache-2.0), and those that we make.

The cases lie beside the checkout (``../shared/vectors``) and are not ours to copy.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from adapters.bluesky.translate import read, render, shown
from gateway.model.content import Document, Link, Mention, Text, plain
from gateway.text.plain import from_text

VECTORS = Path(__file__).parents[3] / "shared" / "vectors" / "bluesky_facets.json"

pytestmark = pytest.mark.skipif(not VECTORS.is_file(), reason="the shared vectors are not here")

BARE = "without http(s) before it a domain is words: an agent says main.rs and README.md, which are domains too"
NAMED = "a handle in the words is words: whom a post calls is said by a Mention, so that nobody is called by chance"
EXCEPTIONS = {
    "@handle.com middle end": NAMED,
    "start @handle.com end": NAMED,
    "start middle @handle.com": NAMED,
    "@handle.com @handle.com @handle.com": NAMED,
    "@full123-chars.test": NAMED,
    "@handle.com!@#$chars": NAMED,
    "@handle.com\n@handle.com": NAMED,
    "parenthetical (@handle.com)": NAMED,
    "👨‍👩‍👧‍👧 @handle.com 👨‍👩‍👧‍👧": NAMED,
    "start middle.com end": BARE,
    "start middle.com/foo/bar end": BARE,
    "start middle.com/foo/bar?baz=bux end": BARE,
    "start middle.com/foo/bar?baz=bux#hash end": BARE,
    "start.com/foo/bar?baz=bux#hash middle end": BARE,
    "start middle end.com/foo/bar?baz=bux#hash": BARE,
    "newline1.com\nnewline2.com": BARE,
    "a example.com/index.php php link": BARE,
    "a trailing bsky.app: colon": BARE,
}
"""What plain words don't become here; as spans, these pass as well."""

CUTTING = {"no match (a\\u20e2b): #a\u20e2b": "the app's tag ends within a character, between a letter and its mark"}


def vectors() -> dict[str, Any]:
    if not VECTORS.is_file():
        return {"cases": [], "tags": []}
    found: dict[str, Any] = json.loads(VECTORS.read_text(encoding="utf-8"))
    return found


CASES: list[dict[str, Any]] = vectors()["cases"]
TAGS = [(*case, table["kind"]) for table in vectors()["tags"] for case in table["cases"]]


def wanted(case: dict[str, Any]) -> tuple[str, list[tuple[int, int, str]]]:
    """The text with its links as the app shows them, and the places of what is more than words."""
    text, found = "", []
    for words, *target in case["segments"]:
        begin = len(text.encode())
        text += shown(target[0]) if target and "://" in target[0] else words
        found += [(begin, len(text.encode()), each) for each in target]
    return text, found


def told(facets: list[dict[str, Any]]) -> list[tuple[int, int, str]]:
    return [
        (facet["index"]["byteStart"], facet["index"]["byteEnd"], feature.get("uri") or feature.get("did"))
        for facet in facets
        for feature in facet["features"]
    ]


def as_spans(case: dict[str, Any]) -> Document:
    spans: list[Any] = []
    for words, *target in case["segments"]:
        if not target:
            spans.append(Text(words))
        elif "://" in target[0]:
            spans.append(Link(target[0]))
        else:
            spans.append(Mention("bluesky", target[0], words.removeprefix("@")))
    return Document((tuple(spans),))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["text"][:40])
def test_words_get_the_facets_of_the_app(case: dict[str, Any]) -> None:
    text, facets = render(from_text(case["text"]))
    right = (text, told(facets)) == (wanted(case)[0].rstrip(), wanted(case)[1])
    assert right is (case["text"] not in EXCEPTIONS), (text, facets)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["text"][:40])
def test_spans_get_the_facets_of_the_app(case: dict[str, Any]) -> None:
    text, facets = render(as_spans(case))
    assert (text, told(facets)) == wanted(case)
    assert plain(read(text, facets)) == plain(as_spans(case))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["text"][:40])
def test_what_the_app_posted_is_read_with_its_whole_addresses(case: dict[str, Any]) -> None:
    """The text as it was typed, and as the app shortens it."""
    begin, facets = 0, []
    for words, *target in case["segments"]:
        end = begin + len(words.encode())
        kind = "link" if target and "://" in target[0] else "mention"
        name = "uri" if kind == "link" else "did"
        features = [{"$type": f"app.bsky.richtext.facet#{kind}", name: each} for each in target]
        facets += [{"index": {"byteStart": begin, "byteEnd": end}, "features": features}] if target else []
        begin = end
    assert plain(read(case["text"], facets)) == plain(as_spans(case))


@pytest.mark.parametrize(("text", "tags", "places", "_"), TAGS, ids=[f"{case[3]}: {case[0]}"[:40] for case in TAGS])
def test_hashtags_are_those_of_the_app(text: str, tags: list[str], places: list[dict[str, int]], _: str) -> None:
    rendered, facets = render(Document(((Text(text),),)))
    assert rendered == text
    right = [facet["features"][0]["tag"] for facet in facets] == tags
    assert right is (text not in CUTTING)
    assert [facet["index"] for facet in facets] == (places if right else [])
    assert plain(read(text, facets)) == text


def test_each_exception_is_a_case() -> None:
    assert EXCEPTIONS.keys() <= {case["text"] for case in CASES}
    assert CUTTING.keys() <= {case[0] for case in TAGS}
