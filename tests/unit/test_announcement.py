"""gateway/announcement.py: what may stand before an announcement's words, and what is told of what may not."""

import pytest
from msgspec import structs

from gateway.announcement import AnnouncementError, Head, Terms, parted
from gateway.model.content import Document, Poll, Quote, Text
from gateway.model.delivery import Repliers, Visibility
from gateway.model.ids import MessageRef

FULL = """+++
accounts = ["alpha/main"]
canonical_url = "https://a.example/1"
language = "pt-BR"
numbered = true
repliers = "mentioned"
sensitive = true
visibility = "unlisted"
warning = "spoilers"

[poll]
options = ["yes", "no"]
open_for = "2h"
multiple = true

[quote]
url = "https://a.example/2"
platform = "alpha"
ref = "77"
+++
The words.
+++
And more.
"""
WORDS = Document(((Text("x"),),))


def test_all_that_may_stand_there():
    head, words = parted(FULL)
    assert words == "The words.\n+++\nAnd more.\n"
    assert head.accounts == ("alpha/main",)
    assert head.terms == Terms(Visibility.UNLISTED, Repliers.MENTIONED, True, "https://a.example/1")
    assert head.on(WORDS) == structs.replace(
        WORDS,
        language="pt-BR",
        warning="spoilers",
        sensitive=True,
        poll=Poll(("yes", "no"), 7200.0, multiple=True),
        quote=Quote("alpha", MessageRef("77"), "https://a.example/2"),
    )


@pytest.mark.parametrize("text", ["", "Hello", "Hello\n+++\nwarning = 'x'\n+++\n", "++++\nx\n+++\n", "--- \nx"])
def test_without_a_head_all_of_it_is_words(text):
    head, words = parted(text)
    assert (head, words) == (Head(), text)
    assert head.on(WORDS) == WORDS


@pytest.mark.parametrize("begun", ["\ufeff+++\r\n", "+++  \n", "+++\u00a0\n"])
@pytest.mark.parametrize("ended", ["+++\r\n", "+++\t\n"])
def test_line_ends_and_spaces_do_not_matter(begun, ended):
    head, words = parted(f"{begun}warning = 'x'\r\n{ended}Hi")
    assert (head.warning, words) == ("x", "Hi")


def test_a_head_may_be_all_there_is():
    assert parted("+++\nwarning = 'x'\n+++") == (Head(warning="x"), "")


@pytest.mark.parametrize(
    ("head", "words"),
    [
        ("warnin = 'x'", "unknown key `warnin`; did you mean `warning`?"),
        ("[poll]\noption = ['a', 'b']", "unknown key `option`; did you mean `options`?"),
        ("zzz = 1", "unknown key `zzz`; there are: accounts, canonical_url,"),
        ("warning = 'x", "not valid TOML: "),
        pytest.param(f"x = {'1' * 5_000}", "not valid TOML: Exceeds the limit", id="digits"),
        pytest.param(f"x = {'[' * 5_000}", "not valid TOML: nested too deep", id="depth"),
        ("warning = 5", "Expected `str`, got `int`: `warning`"),
        ("visibility = 'secret'", "Invalid enum value 'secret': `visibility`"),
        ("[poll]\noptions = ['a']", "length >= 2: `poll.options`"),
        (
            "[poll]\noptions = ['a', 'b']\nopen_for = 'soon'",
            'poll.open_for: a duration is a whole number and a unit: "7d"',
        ),
        ("[quote]\nurl = 'javascript:x'", "`quote.url`"),
        ("canonical_url = 'a.example'", "`canonical_url`"),
        ("language = 'English!'", "`language`"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(head, words):
    with pytest.raises(AnnouncementError) as info:
        parted(f"+++\n{head}\n+++\nHi")
    assert words in str(info.value)
    assert "\n" not in str(info.value)


@pytest.mark.parametrize(
    "begun", ["+++\n", "+++\r\n", "+++\r", "+++  \n", "+++\t\r\n", "+++\u00a0\n", "\ufeff+++\n", "\ufeff+++ \r\n"]
)
def test_a_head_that_never_ends_is_told(begun):
    with pytest.raises(AnnouncementError, match=r"never ends: write \+\+\+ below"):
        parted(f"{begun}warning = 'x'\nHi")
    with pytest.raises(AnnouncementError, match="never ends"):
        parted(begun.strip("\n"))
