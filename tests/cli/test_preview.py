"""`multihome preview`: what would be posted, on every account, and nothing is."""

from __future__ import annotations

import json
from collections.abc import Callable

from cli_rig import NETWORKS, PNG, House

Open = Callable[..., House]
POST = """+++
warning = "numbers"
[poll]
options = ["two", "three"]
+++
How many **are** there? See [the page](https://example.org/a).
"""


def test_every_account_shows_its_post_and_posts_nothing(house: Open) -> None:
    h = house(*NETWORKS)
    (h.folder / "post.md").write_text(POST)
    told = {one["account"].partition("/")[0]: one for one in h.told("preview", "post.md", secrets=False)}
    assert set(told) == set(NETWORKS)
    for one in told.values():
        assert not one["refused"]
        (part,) = one["parts"]
        assert 0 < part["length"] <= part["limit"]
        assert "How many" in part["text"]
    assert any("written as a list" in note for note in told["bluesky"]["notes"])
    assert told["mastodon"]["notes"] == []
    assert all(h.texts(name) == [] for name in NETWORKS)
    assert h.told("deliveries", secrets=False) == []


def test_people_read_it_in_80_columns(house: Open) -> None:
    h = house("bluesky", "mastodon")
    (h.folder / "post.md").write_text(POST + "\n\n" + "A long line of words. " * 40)
    shown = h.multihome("preview", "post.md", secrets=False)
    assert max(map(len, shown.stdout.splitlines())) <= 80
    assert "bluesky/main: 4 posts" in shown.stdout
    assert "| How many are there?" in shown.stdout
    assert "note: the poll is written as a list" in shown.stdout


def test_a_running_gateway_shows_the_same(house: Open) -> None:
    h = house("mastodon")
    (h.folder / "post.md").write_text(POST)
    before = h.told("preview", "post.md", secrets=False)
    with h.gateway() as gateway:
        gateway.until(lambda: h.told("preview", "post.md") == before)
        assert h.texts("mastodon") == []


def test_what_would_be_refused_says_why(house: Open) -> None:
    h = house("bluesky")
    h.more = "\n[posting]\nalt_required = true\nparts_max = 1\n"
    h.write()
    (h.folder / "shot.png").write_bytes(PNG)
    (h.folder / "long.md").write_text("A long line of words. " * 40)
    without_alt = h.multihome("preview", "-", "--image", "shot.png", stdin=b"Look", secrets=False)
    assert without_alt.returncode == 1
    assert "bluesky/main: refused: media: image 1 has no alt text" in without_alt.stdout
    too_long = h.multihome("preview", "long.md", "--json", secrets=False)
    assert too_long.returncode == 1
    (told,) = json.loads(too_long.stdout)
    assert told["refused"] == "too_long: it takes 4 posts, and this account posts 1 at most"


def test_a_bad_head_is_one_line(house: Open) -> None:
    h = house("bluesky")
    for command in ("preview", "announce"):
        told = h.refused(command, "-", stdin=b"+++\nwarnin = 1\n+++\nHi", secrets=False)
        assert told == "multihome: the head: unknown key `warnin`; did you mean `warning`?"
    assert h.told("deliveries", secrets=False) == []


def test_an_announcement_with_a_head_carries_it(house: Open) -> None:
    h = house("mastodon", "bluesky")
    with h.gateway() as gateway:
        h.multihome(
            "announce",
            "-",
            stdin=POST.replace("+++\nwarning", '+++\naccounts = ["mastodon/main"]\nwarning', 1).encode(),
        )
        gateway.until(lambda: len(h.texts("mastodon")) == 1)
    assert h.texts("bluesky") == []
    assert [one["account"] for one in h.told("deliveries")] == ["mastodon/main"]
