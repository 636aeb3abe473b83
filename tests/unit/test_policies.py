"""Failover, inbound, linking, announcing and pacing decisions, one sentence each."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from msgspec import structs

from gateway.model.capabilities import Lane
from gateway.model.content import Document, Text
from gateway.model.delivery import Draft, InConversation, Target, Timeline, ToPerson
from gateway.model.events import Kind, MessageReceived
from gateway.model.facts import InboundFacts, LinkFacts, NoticeFacts, OutboundFacts, Road, WindowFacts
from gateway.model.identity import Identity
from gateway.model.ids import AccountId, AnnouncementId, ConversationId, DraftId, MessageRef, WorkspaceId
from gateway.model.route import Route
from gateway.model.standing import Record, Standing
from gateway.model.verdict import Allow, Divert, Hold, Refuse
from policies.chain import POLICIES

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOME, NEXT, THIRD = AccountId("x/main"), AccountId("bluesky/main"), AccountId("mastodon/main")
ANA_THERE = Identity("bluesky", "did:plc:ana", "ana.example")


def words(text: str) -> Document:
    return Document(((Text(text),),))


def draft(target: Target | None = None, **changes: object) -> Draft:
    made = Draft(
        DraftId("d1"), WorkspaceId("w"), HOME, target or Timeline(), words("hello"), NOW - timedelta(minutes=1), "key"
    )
    return structs.replace(made, **changes)


def record(standing: Standing, account: AccountId = HOME) -> Record:
    return Record(account, standing, NOW, "evidence")


def route(**changes: object) -> Route:
    made = Route(HOME, frozenset({Standing.SUSPENDED}), (NEXT, THIRD), "person", announce=True)
    return structs.replace(made, **changes)


def facts(*roads: Road, standing: Standing = Standing.SUSPENDED, **changes: object) -> OutboundFacts:
    made = OutboundFacts(draft(), record(standing), route(), roads)
    return structs.replace(made, **changes)


def test_a_healthy_account_sends() -> None:
    assert isinstance(POLICIES.outbound(facts(standing=Standing.HEALTHY), NOW), Allow)


def test_a_connecting_account_is_waited_for() -> None:
    assert isinstance(POLICIES.outbound(facts(standing=Standing.CONNECTING), NOW), Allow)


def test_a_public_post_takes_the_first_healthy_road() -> None:
    verdict = POLICIES.outbound(facts(Road(NEXT, can_send=False), Road(THIRD, can_send=True)), NOW)
    assert isinstance(verdict, Divert)
    assert (verdict.account, verdict.target) == (THIRD, Timeline())


def test_an_announcement_never_comes_twice_to_the_same_readers() -> None:
    roads = (Road(NEXT, can_send=True, has_own_copy=True), Road(THIRD, can_send=True, has_own_copy=True))
    verdict = POLICIES.outbound(facts(*roads, draft=draft(announcement=AnnouncementId("a"))), NOW)
    assert isinstance(verdict, Hold)
    assert "already" in verdict.reason


def test_a_standing_that_no_route_names_only_holds() -> None:
    verdict = POLICIES.outbound(facts(Road(NEXT, can_send=True), standing=Standing.OFFLINE), NOW)
    assert isinstance(verdict, Hold)


def test_a_draft_is_held_no_longer_than_its_route_says() -> None:
    one = facts(route=route(divert_to=(), hold_at_most=timedelta(hours=1)))
    verdict = POLICIES.outbound(one, NOW)
    assert isinstance(verdict, Hold)
    assert verdict.expires_at == one.draft.created_at + timedelta(hours=1)


def test_a_private_conversation_goes_on_in_private_with_the_same_person() -> None:
    there = InConversation(ConversationId("dm"), private=True)
    road = Road(NEXT, True, identity=ANA_THERE, open=there, answering=MessageRef("m"), mentions_anyone=True)
    talk = draft(InConversation(ConversationId("c"), private=True))
    verdict = POLICIES.outbound(facts(road, draft=talk), NOW)
    assert isinstance(verdict, Divert)
    assert (verdict.target, verdict.in_reply_to) == (there, MessageRef("m"))
    assert verdict.preface


@pytest.mark.parametrize("open_public", [True, False])
def test_what_was_private_never_becomes_public(open_public: bool) -> None:
    there = InConversation(ConversationId("thread"), private=False) if open_public else None
    road = Road(NEXT, True, identity=ANA_THERE, open=there, mentions_anyone=True, writes_anyone=False)
    talk = draft(InConversation(ConversationId("c"), private=True))
    assert isinstance(POLICIES.outbound(facts(road, draft=talk), NOW), Hold)


def test_a_public_conversation_may_be_opened_by_a_mention() -> None:
    road = Road(NEXT, True, identity=ANA_THERE, mentions_anyone=True)
    talk = draft(InConversation(ConversationId("c")))
    verdict = POLICIES.outbound(facts(road, draft=talk), NOW)
    assert isinstance(verdict, Divert)
    assert verdict.target == ToPerson(ANA_THERE, private=False)


def test_without_a_proven_link_a_conversation_is_held() -> None:
    talk = draft(InConversation(ConversationId("c")))
    assert isinstance(POLICIES.outbound(facts(Road(NEXT, True, mentions_anyone=True), draft=talk), NOW), Hold)


def test_a_route_may_hold_all_conversations() -> None:
    road = Road(NEXT, True, identity=ANA_THERE, mentions_anyone=True)
    talk = draft(InConversation(ConversationId("c")))
    assert isinstance(POLICIES.outbound(facts(road, draft=talk, route=route(conversations="hold")), NOW), Hold)


@pytest.mark.parametrize(
    "bad",
    [{"record": None}, {"draft": draft(document=Document())}, {"draft": draft(expires_at=NOW - timedelta(seconds=1))}],
)
def test_what_can_never_leave_is_refused_with_a_reason(bad: dict[str, object]) -> None:
    verdict = POLICIES.outbound(facts(**bad), NOW)
    assert isinstance(verdict, Refuse)
    assert verdict.reason


def test_our_own_accounts_do_not_answer_each_other() -> None:
    author = Identity("x", "1", "agent")
    message = MessageReceived(HOME, "e", MessageRef("m"), ConversationId("c"), Kind.MENTION, author, words("hi"), NOW)
    assert isinstance(POLICIES.inbound(InboundFacts(message, frozenset({("x", "1")}))), Refuse)
    assert isinstance(POLICIES.inbound(InboundFacts(message)), Allow)


def test_only_accepted_evidence_links() -> None:
    one, two = Identity("x", "1", "ana"), Identity("bluesky", "2", "ana.example")
    assert isinstance(POLICIES.linking(LinkFacts(one, two, "operator", NOW)), Allow)
    assert isinstance(POLICIES.linking(LinkFacts(one, two, "same handle", NOW)), Refuse)
    assert isinstance(POLICIES.linking(LinkFacts(one, one, "operator", NOW)), Refuse)
    shouted = structs.replace(one, id="", handle=one.handle.upper())
    assert isinstance(POLICIES.linking(LinkFacts(one, shouted, "operator", NOW)), Refuse)


def test_a_loss_is_announced_by_who_can_speak_and_weather_is_not() -> None:
    others = (record(Standing.HEALTHY, NEXT), record(Standing.OFFLINE, THIRD))
    words_, accounts = POLICIES.notice(NoticeFacts(record(Standing.SUSPENDED), route(), others))
    assert accounts == (NEXT,)
    assert HOME in words_
    assert POLICIES.notice(NoticeFacts(record(Standing.OFFLINE), route(), others)) == ("", ())
    assert POLICIES.notice(NoticeFacts(record(Standing.SUSPENDED), route(announce=False), others)) == ("", ())


def test_a_window_fills_and_empties() -> None:
    lane = Lane("post", 2, 10.0, ("post",))
    assert POLICIES.pace(WindowFacts(lane, [100.0]), 101.0) == 0.0
    assert POLICIES.pace(WindowFacts(lane, [100.0, 101.0]), 103.0) == 7.0
    assert POLICIES.pace(WindowFacts(lane, [100.0, 101.0]), 110.0) == 0.0


def test_the_platforms_word_rules_over_our_count() -> None:
    lane = Lane("post", 2, 10.0, ("post",))
    assert POLICIES.pace(WindowFacts(lane, [100.0, 101.0], 5, 200.0), 102.0) == 0.0
    assert POLICIES.pace(WindowFacts(lane, [], 0, 200.0), 102.0) == 98.0
    assert POLICIES.pace(WindowFacts(lane, [], 0, 101.0), 102.0) == 0.0
