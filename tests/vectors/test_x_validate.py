"""What twitter says of texts (twitter-text, conformance/validate.yml, Apache-2.0), held to what we count.

The cases lie beside the checkout (``../shared/vectors``) and are not ours to copy. Lengths come from a kept library,
twitter-text-parser, which passes every case of the rules in force (config/v3.json).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from adapters.x import length
from adapters.x.translate import write
from gateway.text.plain import from_text

VECTORS = Path(__file__).parents[3] / "shared" / "vectors" / "x_validate.yml"

pytestmark = pytest.mark.skipif(not VECTORS.is_file(), reason="the shared vectors are not here")

COUNTED = (
    "WeightedTweetsCounterTest",
    "WeightedTweetsWithDiscountedEmojiCounterTest",
    "UnicodeDirectionalMarkerCounterTest",
)
OTHERS = {
    "usernames": "no lengths: whom a post calls is a Mention, whose handle X told",
    "lists": "no lengths: lists of people are not named by us",
    "hashtags": "no lengths: a hashtag counts as the words that it is",
}
"""Sections that say nothing of what we do."""
V2 = "config/v2.json: each code point of an emoji was counted; in force is v3, where it is 2 whole"
OLD = "the limit of 140 of before 2017; it is 280"
LINKED = "may stand in a link, but X makes none of it in a text: it counts as words there, and so it does here"
EXCEPTIONS = {
    "Count a mix of single byte single word, and double word unicode characters": V2,
    "Count unicode emoji chars outside the basic multilingual plane with skin tone modifiers": V2,
    "Invalid Tweet: 141 characters": OLD,
    "Invalid Tweet: 141 characters (due to newline)": OLD,
    "Valid url: port and userinfo": LINKED,
    "Valid url: ipv4": LINKED,
    "Valid url: ipv6": LINKED,
    "Valid url: sub delims and question marks": LINKED,
}


def vectors() -> dict[str, list[dict[str, Any]]]:
    if not VECTORS.is_file():
        return {}
    found: dict[str, list[dict[str, Any]]] = yaml.safe_load(VECTORS.read_text(encoding="utf-8"))["tests"]
    return found


ALL = vectors()


def cases(*sections: str) -> pytest.MarkDecorator:
    found = [case for section in sections for case in ALL.get(section, ())]
    return pytest.mark.parametrize("case", found, ids=[case["description"] for case in found])


def test_every_section_is_looked_at() -> None:
    assert set(ALL) == {*COUNTED, *OTHERS, "tweets", "urls", "urls_without_protocol"}
    assert set(EXCEPTIONS) <= {case["description"] for section in ALL.values() for case in section}


@cases(*COUNTED[1:])
def test_weights_are_twitters(case: dict[str, Any]) -> None:
    assert length.weighted_length(case["text"]) == case["expected"]["weightedLength"]


@cases(COUNTED[0])
def test_weights_before_v3_differ_in_emoji_alone(case: dict[str, Any]) -> None:
    wanted = case["expected"]["weightedLength"]
    assert (length.weighted_length(case["text"]) == wanted) is (case["description"] not in EXCEPTIONS)


@cases(*COUNTED, "tweets")
def test_what_twitter_takes_fits(case: dict[str, Any]) -> None:
    """As we would post it: empty texts and characters that X refuses never leave."""
    text = write(from_text(case["text"]))
    valid = case["expected"]["valid"] if isinstance(case["expected"], dict) else case["expected"]
    refused = text != case["text"].strip() or not text
    assert length.fits_post(text) is (valid or refused or EXCEPTIONS.get(case["description"]) == OLD)


@cases("urls", "urls_without_protocol")
def test_an_address_weighs_23_where_twitter_knows_one(case: dict[str, Any]) -> None:
    known = length.weighted_length(case["text"]) == 23
    assert (known is case["expected"]) is (case["description"] not in EXCEPTIONS)
