"""Sends that nobody can say of whether they arrived: the operator sees them, and settles them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from cli_rig import House, Process, Sandbox

WORDS = "A sentence of a release note that is too long for one line, and tells more than fits. "


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory, sandbox: Sandbox) -> Iterator[tuple[House, Process]]:
    house = House(tmp_path_factory.mktemp("uncertain"), sandbox, ("telegram",))
    with house.gateway() as process:
        yield house, process


def uncertain(house: House, process: Process, text: str) -> str:
    """An announcement whose answer never came; its id."""
    with house.trouble("telegram", "drop_after", on="write", match=text[:20], count=1):
        (made,) = house.ask("announce", text=text)["deliveries"]
        process.until(lambda: one(house, made["id"])["state"] == "uncertain")
    return str(made["id"])


def one(house: House, delivery: str) -> dict[str, Any]:
    return next(row for row in house.ask("deliveries", limit=1000) if row["id"] == delivery)


def test_it_is_listed_with_its_first_words_and_the_whole_reason(up: tuple[House, Process]) -> None:
    house, process = up
    assert house.multihome("deliveries", "--uncertain").stdout == "No uncertain deliveries.\n"
    delivery = uncertain(house, process, WORDS * 3)
    shown = house.multihome("deliveries", "--uncertain").stdout.splitlines()
    assert max(map(len, shown)) <= 80
    assert shown[0].split() == ["ID", "ACCOUNT", "SINCE"]
    assert shown[1].split()[:2] == [delivery, "telegram/main"]
    assert shown[2] == f"  says: {WORDS}"[:79] + "…"
    assert shown[3].startswith("  why: network: ")
    (told,) = house.told("deliveries", "--uncertain")
    assert (told["id"], told["says"], told["part"], told["parts"]) == (delivery, (WORDS * 3).strip(), 1, 1)
    assert told["why"].startswith("network: ")
    assert told["since"] > told["created_at"]
    assert house.told("deliveries", "--uncertain", "-a", "telegram/main") == [told]
    house.told("deliveries", "settle", delivery, "--drop")
    assert house.told("deliveries", "--uncertain") == []


@pytest.mark.parametrize("ref", ["-100/17", "https://t.me/c/17"])
def test_what_is_there_counts_as_delivered(up: tuple[House, Process], ref: str) -> None:
    house, process = up
    delivery = uncertain(house, process, f"It is there: {ref}")
    said = house.multihome("deliveries", "settle", delivery, "--sent", "--", ref).stdout
    assert said == f"{delivery} is delivered: the operator saw it.\n"
    now = one(house, delivery)
    assert (now["refs"], now["urls"]) == (([], [ref]) if "://" in ref else ([ref], []))
    assert sum("It is there: " + ref in text for text in house.texts("telegram")) == 1


def test_what_is_to_be_sent_again_is_and_says_so(up: tuple[House, Process]) -> None:
    house, process = up
    delivery = uncertain(house, process, "Once more, please")
    answer = house.told("deliveries", "--json", "settle", delivery, "--resend")
    assert (answer["running"], answer["state"]) == (True, "queued")
    process.until(lambda: one(house, delivery)["state"] == "delivered")
    assert one(house, delivery)["reason"] == "resent although maybe sent: the operator chose so"
    assert house.texts("telegram").count("Once more, please") == 2


def test_what_is_dropped_ends(up: tuple[House, Process]) -> None:
    house, process = up
    delivery = uncertain(house, process, "Never mind")
    said = house.multihome("deliveries", "settle", delivery, "--drop").stdout
    assert said == f"{delivery} is refused: maybe sent; dropped by the operator.\n"


def test_each_mistake_is_one_line(up: tuple[House, Process]) -> None:
    house, process = up
    delivery = uncertain(house, process, "Mistaken")
    settle = ("deliveries", "settle")
    assert "say one of --sent, --resend and --drop" in house.refused(*settle, delivery, code=2)
    assert "say one of" in house.refused(*settle, delivery, "--sent", "--drop", code=2)
    assert "with --sent only" in house.refused(*settle, delivery, "17", "--drop", code=2)
    assert "not both" in house.refused("deliveries", "--uncertain", "--state", "held", code=2)
    assert "there is no delivery 'nobody'" in house.refused(*settle, "nobody", "--sent")
    house.told(*settle, delivery, "--sent")
    assert f"{delivery} is delivered, not uncertain" in house.refused(*settle, delivery, "--resend")


def test_without_a_gateway_it_is_settled_in_the_database(house: Any) -> None:
    there = house("telegram")
    with there.gateway() as process:
        ids = [uncertain(there, process, f"Post {number}") for number in range(2)]
    listed = there.multihome("deliveries", "--uncertain", secrets=False)
    assert [line.split()[0] for line in listed.stdout.splitlines()[1:] if not line.startswith(" ")] == ids
    assert listed.stderr == "No gateway runs: this is what the database knows.\n"
    answer = json.loads(there.multihome("deliveries", "settle", ids[0], "--sent", "--json", secrets=False).stdout)
    assert (answer["running"], answer["state"]) == (False, "delivered")
    said = there.multihome("deliveries", "settle", ids[1], "--resend", secrets=False).stdout
    assert "No gateway runs: it goes out when one is started" in said
    with there.gateway() as process:
        process.until(lambda: one(there, ids[1])["state"] == "delivered")
    assert there.texts("telegram") == ["Post 0", "Post 1", "Post 1"]


def test_without_a_gateway_what_is_to_be_sent_again_waits_for_its_account(house: Any) -> None:
    there = house("telegram")
    with there.gateway() as process:
        delivery = uncertain(there, process, "Once more, later")
        with there.trouble("telegram", "revoke"):
            process.until(lambda: there.ask("accounts")[0]["standing"] == "signed_out")
            assert process.end() == 0
            assert there.told("deliveries", "settle", delivery, "--resend", secrets=False)["state"] == "queued"
            assert there.texts("telegram") == ["Once more, later"]
    with there.gateway() as process:
        process.until(lambda: one(there, delivery)["state"] == "delivered")
    assert there.texts("telegram") == ["Once more, later"] * 2
