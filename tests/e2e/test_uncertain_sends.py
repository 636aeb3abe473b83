"""Sends whose end nobody hears of, a hundred at once. Counted on the networks, with the real client libraries."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest
from uncertain_rig import SENDS, STEP_S, Doubt, numbered

import adapters.bluesky.transport
import adapters.discord.wire
import adapters.mastodon.calls
import adapters.telegram.adapter
from adapters.sandbox.faults import Trouble
from gateway.model.capabilities import Idempotency
from gateway.model.delivery import RESENT, InConversation, State, ToPerson
from gateway.wiring import platforms

SETTLED = tuple(name for name, one in platforms().items() if one.profile.idempotency is not Idempotency.NONE)
"""Where the platform can say what became of a send."""
SLOTS = {"x": 64, "discord": 64, "bluesky": 16, "mastodon": 16, "telegram": 16}
CASES = (
    (Trouble.DROP_AFTER, "mention"),
    (Trouble.DROP_AFTER, "direct"),
    (Trouble.FAIL_AFTER, "direct"),
    (Trouble.DROP_BEFORE, "mention"),
)
IN_ONE_CHANNEL = 25
"""Where one answer waits for the other's end."""
TIMED_OUT = 16
TIMEOUT_S = 0.5
"""Nothing hangs on it but how long the test takes: what is held back never comes in time."""
SENTENCE = "A sentence of a thread that says enough to fill a part of its own on every platform there is, number {:02}."


async def once_each(d: Doubt, count: int = SENDS) -> None:
    assert await d.until_clear(count) == {State.DELIVERED: count}
    assert d.struck
    assert sorted(m.text.split()[-1] for m in d.answers) == [f"{number:03}" for number in range(count)]
    assert await d.each_has_its_own()


@pytest.mark.parametrize(("trouble", "kind"), CASES)
@pytest.mark.parametrize("network", SETTLED)
async def test_every_unknown_send_is_there_once(doubt: Any, network: str, trouble: Trouble, kind: str) -> None:
    count = IN_ONE_CHANNEL if (network, kind) == ("discord", "mention") else SENDS
    async with doubt(network) as d:
        d.strike(trouble, *numbered(count))
        await d.ask(kind, count)
        await once_each(d, count)


async def crash_every_send(d: Doubt, network: str, kind: str, count: int = SENDS) -> None:
    """Gateways die one after the other, each with as much on the wire as goes there at once, until all was accepted."""
    d.hold()
    await d.ask(kind, count)
    while True:
        accepted = min(count, len(d.answers) + SLOTS[network])
        await d.until(lambda accepted=accepted: len(d.answers) >= accepted)  # type: ignore[misc]
        await d.until_drafted(count)
        await d.die()
        if accepted == count:
            return
        d.hold()
        await d.start()


@pytest.mark.parametrize(("network", "kind"), [*((network, "direct") for network in SETTLED), ("x", "mention")])
async def test_what_a_crash_cut_off_is_there_once(doubt: Any, network: str, kind: str) -> None:
    """The platform has accepted it, the store has no receipt."""
    async with doubt(network) as d:
        await crash_every_send(d, network, kind)
        await d.start()
        await once_each(d)


@pytest.mark.parametrize(("network", "kind"), [("discord", "direct"), ("mastodon", "mention")])
async def test_when_the_keys_are_forgotten_it_is_read_back(doubt: Any, network: str, kind: str) -> None:
    async with doubt(network) as d:
        await crash_every_send(d, network, kind)
        d.forget_keys()
        await d.start()
        await once_each(d)
        assert [a.outcome for a in d.face.network.attempts if "echo" in a.text].count("accepted") == SENDS


@pytest.mark.parametrize("accepted", [1, 2])
@pytest.mark.parametrize("network", SETTLED)
async def test_the_same_words_twice_are_there_twice(doubt: Any, network: str, accepted: int) -> None:
    """Two that differ in nothing, of which both or only one arrived: each gets a message of its own."""
    async with doubt(network) as d:
        event = await d.meet("ana")
        d.strike(Trouble.DROP_AFTER, *["echo the same"] * accepted)
        if accepted == 1:
            d.strike(Trouble.DROP_BEFORE, "echo the same")
        await d.say(
            "echo the same", InConversation(event.conversation, private=True), ToPerson(event.author, private=True)
        )
        await d.until(lambda: d.struck and len(d.answers) == accepted)
        await d.die()
        d.forget_keys()
        await d.start()
        assert await d.until_clear(2) == {State.DELIVERED: 2}
        assert len(d.answers) == 2
        assert await d.each_has_its_own()


@pytest.mark.parametrize("network", SETTLED)
async def test_every_part_of_a_thread_is_there_once(doubt: Any, network: str) -> None:
    sentences = [SENTENCE.format(number) for number in range(40 if network == "discord" else 12)]
    async with doubt(network) as d:
        await d.listening()
        d.strike(Trouble.DROP_AFTER, *sentences)
        await d.gateway.desk.announce(" ".join(sentences))
        assert await d.until_clear(1) == {State.DELIVERED: 1}
        messages = d.messages(network)
    assert len(messages) >= 2
    assert [message.in_reply_to for message in messages] == [None, *(message.id for message in messages[:-1])]
    assert " ".join(message.text for message in messages).split() == " ".join(sentences).split()


@pytest.mark.parametrize("network", [*SETTLED, "telegram"])
async def test_what_timed_out_is_there_once(doubt: Any, network: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapters.discord.wire, "TIMEOUT", aiohttp.ClientTimeout(total=TIMEOUT_S))
    monkeypatch.setattr(adapters.bluesky.transport, "WAIT_S", TIMEOUT_S)
    monkeypatch.setattr(adapters.mastodon.calls, "REQUEST_S", TIMEOUT_S)
    monkeypatch.setattr(adapters.telegram.adapter, "CALL_TIMEOUT_S", TIMEOUT_S)
    async with doubt(network, **({"timeout_s": TIMEOUT_S} if network == "x" else {})) as d:
        d.hold()
        await d.ask("direct", TIMED_OUT)
        await d.until_accepted(TIMED_OUT)
        await d.until_unheard(TIMED_OUT)
        d.let_go()
        if network != "telegram":
            await once_each(d, TIMED_OUT)
        assert len(d.answers) == TIMED_OUT


@pytest.mark.parametrize("kind", ["direct", "mention"])
async def test_what_x_shows_late_is_there_once(doubt: Any, kind: str) -> None:
    async with doubt("x") as d:
        d.face.shown_after_s = 1e6
        d.strike(Trouble.DROP_AFTER, *numbered(3))
        await d.ask(kind, 3)
        await d.until_accepted(3)
        for _ in range(12):  # two minutes
            d.clock.leap(STEP_S)
            await asyncio.sleep(0.1)
        assert len(d.answers) == 3
        d.face.shown_after_s = 0.0
        assert await d.until_clear(3) == {State.DELIVERED: 3}
        assert len(d.answers) == 3


@pytest.mark.parametrize("crash", [False, True])
@pytest.mark.parametrize("choice", ["hold", "resend"])
async def test_where_nobody_can_say_the_operator_has_chosen(doubt: Any, choice: str, crash: bool) -> None:
    count = SLOTS["telegram"] if crash else SENDS  # a second crash would cut off what is being sent again
    async with doubt("telegram", on_uncertain=choice) as d:
        if crash:
            await crash_every_send(d, "telegram", "direct", count)
            await d.start()
        else:
            d.strike(Trouble.DROP_AFTER, *numbered())
            await d.ask("direct")
        ended = await d.until_clear(count)
        said = sorted(m.text.split()[-1] for m in d.answers)
        reasons = [delivery.reason for delivery in await d.deliveries()]
    numbers = [f"{number:03}" for number in range(count)]
    if choice == "hold":
        assert (ended, said) == ({State.UNCERTAIN: count}, numbers)
    else:
        assert (ended, said) == ({State.DELIVERED: count}, sorted(numbers * 2))
        assert all(reason.startswith(RESENT) for reason in reasons)


async def test_the_operators_word_is_heard_once(doubt: Any) -> None:
    async with doubt("telegram") as d:
        d.strike(Trouble.DROP_AFTER, "hello")
        await d.listening()
        await d.gateway.desk.announce("hello everybody")
        await d.until_unheard(1)
        (row,) = await d.gateway.desk.doubts()
        words = [d.gateway.desk.settle(row["id"], "resend") for _ in range(3)]
        answers = await asyncio.gather(*words, return_exceptions=True)
        assert sorted(type(answer).__name__ for answer in answers) == ["DeskError", "DeskError", "dict"]
        assert await d.until_clear(1) == {State.DELIVERED: 1}
        assert d.texts("telegram") == ["hello everybody"] * 2


async def test_a_thread_goes_on_behind_the_part_that_the_operator_saw(doubt: Any) -> None:
    sentences = [SENTENCE.format(number) for number in range(60)]
    async with doubt("telegram") as d:
        d.strike(Trouble.DROP_AFTER, sentences[0])
        await d.listening()
        await d.gateway.desk.announce(" ".join(sentences))
        await d.until_unheard(1)
        (row,) = await d.gateway.desk.doubts()
        assert (row["part"], row["parts"]) == (1, 2)
        (there,) = d.messages("telegram")
        await d.gateway.desk.settle(row["id"], "sent", f"{there.id}")
        assert await d.until_clear(1) == {State.DELIVERED: 1}
        assert " ".join(d.texts("telegram")).split() == " ".join(sentences).split()
