"""Discord's sending half: discord.py against the face, each failure row as a Fault."""

from __future__ import annotations

import asyncio
import hashlib
import logging

import discord
import pytest

from adapters.discord.adapter import DiscordAccount
from adapters.discord.profile import PROFILE
from adapters.sandbox.faults import Rule, Trouble
from gateway.model.capabilities import Feature
from gateway.model.content import Document, Media, Mention, Text
from gateway.model.delivery import FaultError, FaultKind, ToPerson
from gateway.model.identity import Identity
from gateway.model.ids import ConversationId, MessageRef
from gateway.ports import Deletes, Edits, Reacts, Reconciles, ShowsTyping
from tests.contract.discord.discord_rig import AT, Rig, channel, discord_rig, draft, listening, refused, send_all

PICTURE = b"\x89PNG\r\n\x1a\n" + b"\0" * 60


async def test_the_optional_protocols_are_those_the_profile_claims(account: DiscordAccount) -> None:
    claims = {Feature.EDIT: Edits, Feature.DELETE: Deletes, Feature.REACT: Reacts, Feature.TYPING: ShowsTyping}
    for feature, protocol in claims.items():
        assert isinstance(account, protocol) == PROFILE.supports(feature)
    assert isinstance(account, Reconciles)


async def test_a_post_goes_to_the_announcement_channel(rig: Rig, account: DiscordAccount) -> None:
    [receipt] = await send_all(account, draft("hello"))
    [message] = rig.held()
    assert (message.text, message.kind, message.conversation) == ("hello", "post", rig.face.announcements)
    assert message.key == "d1.0"
    assert receipt.ref == f"{rig.face.announcements}/{message.id}"
    assert receipt.lanes[0].conversation == rig.face.announcements


async def test_a_post_without_a_channel_names_the_cure(rig: Rig) -> None:
    account = await rig.open(announce_to=None)
    with pytest.raises(FaultError, match="announce_to") as caught:
        account.plan(draft("hello"), AT)
    assert caught.value.fault.kind is FaultKind.CONFIG
    assert caught.value.fault.certain


async def test_a_reply_answers_and_pings_nobody(rig: Rig, account: DiscordAccount) -> None:
    asked = rig.face.say("ana", "mention", "are you there?")
    ref = MessageRef(f"{asked.conversation}/{asked.id}")
    await send_all(account, draft("@everyone yes, <@1>", channel(asked.conversation), to=ref))
    [message] = rig.held()
    assert (message.kind, message.in_reply_to, message.extra["pings"]) == ("reply", asked.id, [])


async def test_only_named_people_are_pinged(rig: Rig, account: DiscordAccount) -> None:
    ana, bob = rig.face.person("ana"), rig.face.person("bob")
    words = (
        Mention("discord", ana.id, "ana"),
        Text(" and "),
        Mention("x", bob.id, "bob"),
        Text(f" and <@{bob.id}>"),
    )
    await send_all(account, draft(Document((words,))))
    [message] = rig.held()
    assert message.text == f"<@{ana.id}> and @bob and \\<@{bob.id}>"
    assert message.extra["pings"] == [ana.id]


async def test_a_person_is_reached_by_dm_or_by_a_public_mention(rig: Rig, account: DiscordAccount) -> None:
    ana = rig.face.person("ana")
    identity = Identity("discord", ana.id, "ana")
    [receipt] = await send_all(account, draft("psst", ToPerson(identity, private=True)))
    await send_all(account, draft("psst again", ToPerson(identity, private=True), draft_id="d2"))
    await send_all(account, draft("hey", ToPerson(identity), draft_id="d3"))
    first, second, public = rig.held()
    assert (first.private, first.kind) == (True, "direct")
    assert receipt.url is not None
    assert "/channels/@me/" in receipt.url
    assert first.conversation == second.conversation
    assert (public.private, public.extra["pings"]) == (False, [ana.id])
    assert [a.action for a in rig.face.network.attempts].count("open_direct") == 1


async def test_long_text_becomes_a_thread_of_whole_words(rig: Rig, account: DiscordAccount) -> None:
    said = " ".join(f"word{i}." for i in range(600))
    parts = account.plan(draft(said), AT)
    await send_all(account, draft(said))
    held = rig.held()
    assert len(held) == len(parts) > 1
    assert " ".join(message.text for message in held) == said
    assert [message.in_reply_to for message in held] == [None, *[message.id for message in held[:-1]]]
    assert all(part.rest is not None for part in parts)


async def test_a_long_dm_stays_in_its_channel(rig: Rig, account: DiscordAccount) -> None:
    person = Identity("discord", rig.face.person("ana").id)
    await send_all(account, draft("word " * 700, ToPerson(person, private=True)))
    assert {message.private for message in rig.held()} == {True}
    assert len({message.conversation for message in rig.held()}) == 1


async def test_a_picture_goes_with_its_alt_text(rig: Rig, account: DiscordAccount) -> None:
    sha256 = hashlib.sha256(PICTURE).hexdigest()
    rig.benches["agent"].pictures[sha256] = PICTURE
    media = Media(sha256, "image/png", len(PICTURE), alt="a house")
    document = Document(((Text("look"),),), media=(media,))
    await send_all(account, draft(document))
    [message] = rig.held()
    assert message.media == [{"mime": "image/png", "size_bytes": len(PICTURE), "alt": "a house"}]
    del rig.benches["agent"].pictures[sha256]
    with pytest.raises(FaultError) as caught:
        await send_all(account, draft(document, draft_id="d2"))
    assert (caught.value.fault.kind, caught.value.fault.certain) == (FaultKind.MEDIA, True)


async def test_sending_a_part_again_is_harmless(rig: Rig, account: DiscordAccount) -> None:
    [part] = account.plan(draft("once"), AT)
    first, second = await account.send(part), await account.send(part)
    assert (first.ref, first.at) == (second.ref, second.at)
    assert len(rig.held()) == 1
    assert [a.outcome for a in rig.face.network.attempts] == ["accepted", "repeated"]


async def test_edit_react_type_and_delete(rig: Rig, account: DiscordAccount) -> None:
    [receipt] = await send_all(account, draft("frist"))
    await account.edit(receipt.ref, Document(((Text("first"),),)))
    await account.react(receipt.ref, "👍")
    await account.show_typing(ConversationId(rig.face.announcements))
    [message] = rig.held()
    assert (message.text, message.reactions[0]["reaction"]) == ("first", "👍")
    assert rig.face.network.attempts[-1].action == "typing"
    await account.delete(receipt.ref)
    await account.delete(receipt.ref)
    assert rig.held() == []
    with pytest.raises(FaultError) as caught:
        await account.edit(receipt.ref, Document(((Text("again"),),)))
    assert caught.value.fault.kind is FaultKind.TARGET_GONE
    with pytest.raises(FaultError) as caught:
        await account.edit(receipt.ref, Document(((Text("x" * 2001),),)))
    assert caught.value.fault.kind is FaultKind.TOO_LONG


async def test_accounts_on_different_servers_live_side_by_side(rig: Rig, account: DiscordAccount) -> None:
    async with discord_rig() as elsewhere:
        other = await elsewhere.open()
        async with listening(rig, account) as here, listening(elsewhere, other) as there:
            await asyncio.gather(send_all(account, draft("here")), send_all(other, draft("there")))
            rig.face.say("ana", "direct", "to one")
            elsewhere.face.say("bob", "direct", "to the other")
            assert [e.text for e in await here.heard(1)] == ["to one"]
            assert [e.text for e in await there.heard(1)] == ["to the other"]
        assert [m.text for m in elsewhere.held()] == ["there"]
    assert [m.text for m in rig.held()] == ["here"]
    assert discord.http.Route.BASE == "https://discord.com/api/v10"


async def test_the_token_stays_out_of_sight(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    account = await rig.open()
    token = rig.settings().token.reveal()
    async with listening(rig, account) as listener:
        await send_all(account, draft("hello"))
        rig.face.faults.add(Rule(Trouble.SUSPEND))
        fault = await listener.failed()
    signal = await account.check()
    refusal = await refused(account)
    for shown in (caplog.text, str(fault), repr(signal), str(refusal), repr(rig.settings())):
        assert token not in shown


async def test_an_edit_takes_pictures_away_and_brings_others(rig: Rig, account: DiscordAccount) -> None:
    sha256 = hashlib.sha256(PICTURE).hexdigest()
    rig.benches["agent"].pictures[sha256] = PICTURE
    media = Media(sha256, "image/png", len(PICTURE), alt="a house")
    [receipt] = await send_all(account, draft(Document(((Text("look"),),), media=(media,))))
    await account.edit(receipt.ref, Document(((Text("gone"),),)))
    [message] = rig.held()
    assert (message.text, message.media) == ("gone", [])
    await account.edit(receipt.ref, Document(((Text("again"),),), media=(media,)))
    assert message.media == [{"mime": "image/png", "size_bytes": len(PICTURE), "alt": "a house"}]


async def test_nobody_is_called_but_who_is_meant(rig: Rig, account: DiscordAccount) -> None:
    ana, ben = rig.face.person("ana"), rig.face.person("ben")
    words = Text(f"hi @everyone @here <@&77> <@{ben.id}> and ")
    await send_all(account, draft(Document(((words, Mention("discord", ana.id, "ana"), Mention("x", ben.id, "ben")),))))
    [message] = rig.held()
    assert message.extra["pings"] == [ana.id]
