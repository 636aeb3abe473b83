"""`multihome edit` and `multihome delete`: every copy says something else, or goes; each one's outcome is told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from cli_rig import PNG, House, Process, Sandbox

NETWORKS = ("discord", "mastodon", "bluesky")


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory, sandbox: Sandbox) -> Iterator[tuple[House, Process]]:
    house = House(tmp_path_factory.mktemp("changing"), sandbox, NETWORKS)
    (house.folder / "dot.png").write_bytes(PNG)
    (house.folder / "spot.png").write_bytes(PNG)
    with house.gateway() as process:
        yield house, process


def announced(up: tuple[House, Process], text: str, *more: str) -> str:
    """The name that an announcement without a key is given, when it stands everywhere it should."""
    house, process = up
    said = house.multihome("announce", "-", *more, stdin=text.encode()).stdout
    (line,) = [line for line in said.splitlines() if line.startswith("Its name: ")]
    name = line.split()[2]
    process.until(lambda: {one["state"] for one in copies(house, name)} == {"delivered"})
    return name


def copies(house: House, name: str) -> list[dict[str, Any]]:
    return [row for row in house.ask("deliveries", limit=1000) if row["announcement"] == name]


def media(house: House, network: str, text: str) -> list[tuple[str, str]]:
    found = house.sandbox.control("GET", f"{network}/messages?by={house.handle}")
    (told,) = [one["media"] for one in found if one["text"] == text]
    return [(one["mime"], one["alt"]) for one in told]


def test_the_name_that_is_told_is_the_one_to_change_it_by(up: tuple[House, Process]) -> None:
    house, _ = up
    name = announced(up, "First words", "-a", "mastodon/main")
    told = house.told("edit", name, "-", stdin=b"Second words")
    assert [(one["account"], one["outcome"]) for one in told["copies"]] == [("mastodon/main", "done")]
    assert "Second words" in house.texts("mastodon")
    assert name in house.multihome("deliveries").stdout
    shown = house.multihome("deliveries", "--limit", "1").stdout
    assert f"edit of {copies(house, name)[0]['id']}" in shown


def test_new_media_take_the_place_of_those_that_are_there(up: tuple[House, Process]) -> None:
    house, _ = up
    where = ("-a", "mastodon/main", "-a", "discord/main")
    name = announced(up, "One picture", *where, "--image", "dot.png", "--alt", "a dot")
    new = ("--image", "spot.png", "--alt", "a spot", "--image", "dot.png", "--alt", "the dot")
    assert {one["outcome"] for one in house.told("edit", name, "-", *new, stdin=b"Two now")["copies"]} == {"done"}
    for network in ("mastodon", "discord"):
        assert media(house, network, "Two now") == [("image/png", "a spot"), ("image/png", "the dot")]
    house.told("edit", name, "-", stdin=b"They stay")
    assert len(media(house, "mastodon", "They stay")) == 2
    house.told("edit", name, "-", "--without-media", stdin=b"They go")
    for network in ("mastodon", "discord"):
        assert media(house, network, "They go") == []


def test_media_that_can_not_be_used_change_nothing(up: tuple[House, Process]) -> None:
    house, _ = up
    edit = ("edit", announced(up, "Left alone", "-a", "mastodon/main", "--image", "dot.png", "--alt", "a dot"), "-")
    assert "one --alt for each --image" in house.refused(*edit, "--alt", "a dot", stdin=b"Hi")
    assert "No such file" in house.refused(*edit, "--image", "nothing.png", stdin=b"Hi")
    assert media(house, "mastodon", "Left alone") == [("image/png", "a dot")]


def test_who_can_not_edit_says_so_and_where_the_old_text_stands(up: tuple[House, Process]) -> None:
    house, _ = up
    name = announced(up, "Everywhere")
    done = house.multihome("edit", name, "-", stdin=b"Somewhere")
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["ACCOUNT", "OUTCOME", "REASON"]
    (bluesky,) = [line for line in lines if line.startswith("bluesky/main")]
    assert bluesky.split(maxsplit=2)[1:] == ["refused", "the old text stays: it can't be edited here"]
    addresses = [line.strip() for line in lines if "://" in line]
    assert addresses == [url for one in reversed(copies(house, name)) for url in one["urls"]]


def test_what_is_deleted_is_named_and_is_no_link_any_more(up: tuple[House, Process]) -> None:
    house, _ = up
    name = announced(up, "Said and " + "taken back " * 20)
    there = [url for one in copies(house, name) for url in one["urls"]]
    done = house.multihome("delete", name)
    assert done.returncode == 0
    said, heads, *_ = done.stdout.splitlines()
    assert said.startswith("It said: Said and taken back ")
    assert len(said) <= 80
    assert heads.split() == ["ACCOUNT", "OUTCOME", "REASON"]
    assert "://" not in done.stdout
    joined = "".join(line.strip() for line in done.stdout.splitlines())
    assert all(f"was at {url.partition('://')[2]}" in joined for url in there)
    assert not any("taken back" in text for network in NETWORKS for text in house.texts(network))


def test_accounts_in_the_head_are_those_whose_copies_change(up: tuple[House, Process]) -> None:
    house, _ = up
    name = announced(up, "Said twice", "-a", "mastodon/main", "-a", "discord/main")

    def edit(account: str) -> tuple[str, ...]:
        (house.folder / "head.md").write_text(f'+++\naccounts = ["{account}"]\n+++\nSaid once')
        return "edit", name, "head.md"

    assert "there are: " in house.refused(*edit("mastodon/mian"))
    assert "there is no copy of it on bluesky/main" in house.refused(*edit("bluesky/main"))
    told = house.told(*edit("mastodon/main"))
    assert [(one["account"], one["outcome"]) for one in told["copies"]] == [("mastodon/main", "done")]
    assert "Said once" in house.texts("mastodon")
    assert "Said once" not in house.texts("discord")


def test_an_unknown_name_is_one_line(up: tuple[House, Process]) -> None:
    house, _ = up
    assert "there is no announcement or delivery 'nobody'" in house.refused("delete", "nobody")
    assert "there is no announcement or delivery 'nobody'" in house.refused("edit", "nobody", "-", stdin=b"Hi")
