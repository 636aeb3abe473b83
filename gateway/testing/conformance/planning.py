"""Plans: what the profile claims, and native parts that can be made twice."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec import json, structs

from gateway.model.capabilities import Feature, Idempotency, Scope
from gateway.model.content import Document, Text
from gateway.model.delivery import CHANGES, Fault, FaultKind, InConversation, Part, ToPerson
from gateway.model.events import Kind
from gateway.model.ids import DraftId, MessageRef
from gateway.ports import Adapter, Deletes, Edits, Fetches, Reacts, Reconciles, Reposts, ShowsTyping
from gateway.testing.conformance.rig import (
    Rig,
    answer_to,
    draft,
    hear,
    needs,
    needs_kind,
    now,
    planned,
    send_all,
    too_long_for_one,
    unique,
)

_CLAIMS: tuple[tuple[Feature, type], ...] = (
    (Feature.EDIT, Edits),
    (Feature.DELETE, Deletes),
    (Feature.REACT, Reacts),
    (Feature.REPOST, Reposts),
    (Feature.ATTACHMENTS, Fetches),
    (Feature.TYPING, ShowsTyping),
)

_KINDS = frozenset({"post", "reply", "direct"})


class Planning:
    async def test_the_adapter_is_what_its_profile_claims(self, rig: Rig) -> None:
        adapter = await rig.open()
        claimed = {feature for feature, _ in _CLAIMS if adapter.profile.supports(feature)}
        assert {feature for feature, protocol in _CLAIMS if isinstance(adapter, protocol)} == claimed

    async def test_an_unknown_send_can_be_settled_as_claimed(self, rig: Rig) -> None:
        adapter = await rig.open()
        reads_back = adapter.profile.idempotency is Idempotency.READ_BACK
        assert isinstance(adapter, Reconciles) >= reads_back
        if adapter.profile.idempotency is Idempotency.NONE:
            assert not isinstance(adapter, Reconciles)

    async def test_a_key_that_ends_can_be_read_back_after(self, rig: Rig) -> None:
        adapter = await rig.open()
        assert adapter.profile.key_lifetime_s is None or isinstance(adapter, Reconciles)

    async def test_lanes_count_kinds_that_plans_have(self, rig: Rig) -> None:
        adapter = await rig.open()
        assert {kind for lane in adapter.profile.lanes for kind in lane.kinds} <= _KINDS | CHANGES

    async def test_parts_say_whose_rate_window_they_count_in(self, rig: Rig) -> None:
        adapter = await rig.open()
        counted = {kind for one in adapter.profile.lanes if one.scope is Scope.CONVERSATION for kind in one.kinds}
        event = await hear(rig, adapter, "ana", min(rig.kinds), unique("A question"))
        for said in (draft(rig, unique("News")), answer_to(rig, event, unique("An answer"))):
            assert all(part.conversation for part in adapter.plan(said, now()) if part.kind in counted)

    async def test_the_same_draft_and_time_give_the_same_parts(self, rig: Rig) -> None:
        adapter = await rig.open()
        same, at = draft(rig, too_long_for_one(adapter)), now()
        assert adapter.plan(same, at) == adapter.plan(same, at)

    async def test_a_plan_outlives_the_process(self, rig: Rig) -> None:
        """The outbox stores it: it must come back from JSON as it went in, and mean the same to a new adapter."""
        adapter = await rig.open()
        same, at = draft(rig, too_long_for_one(adapter)), now()
        parts = adapter.plan(same, at)
        assert json.decode(json.encode(parts), type=tuple[Part, ...]) == parts
        await adapter.aclose()
        assert (await rig.open()).plan(same, at) == parts

    async def test_keys_differ_between_parts_drafts_and_times(self, rig: Rig) -> None:
        adapter = await rig.open()
        if adapter.profile.idempotency is not Idempotency.KEYED:
            pytest.skip(f"{rig.platform.name} has no keys")
        first, at = draft(rig, too_long_for_one(adapter)), now()
        plans = (
            adapter.plan(first, at),
            adapter.plan(structs.replace(first, id=DraftId("another1")), at + timedelta(microseconds=1)),
        )
        keys = [part.key for parts in plans for part in parts]
        assert all(keys)
        assert len(set(keys)) == len(keys)

    async def test_the_longest_draft_id_fits_into_a_key(self, rig: Rig) -> None:
        adapter = await rig.open()
        longest = structs.replace(draft(rig, too_long_for_one(adapter)), id=DraftId("abcdefghij0123456789"))
        await send_all(adapter, adapter.plan(longest, now()))

    async def test_parts_are_numbered_and_carry_their_slice(self, rig: Rig) -> None:
        adapter = await rig.open()
        parts = adapter.plan(draft(rig, too_long_for_one(adapter)), now())
        assert len(parts) > 1
        assert [part.index for part in parts] == list(range(len(parts)))
        assert all(part.rest is not None for part in parts)
        (alone,) = adapter.plan(draft(rig, unique("Short")), now())
        assert alone.rest is None
        assert {part.kind for part in (*parts, alone)} <= _KINDS

    async def test_a_private_conversation_never_plans_a_public_part(self, rig: Rig) -> None:
        needs(rig, Feature.DIRECT)
        needs_kind(rig, Kind.DIRECT)
        adapter = await rig.open()
        event = await hear(rig, adapter, "ana", Kind.DIRECT, unique("Between us"))
        assert event.private
        for target in (InConversation(event.conversation, private=True), ToPerson(event.author, private=True)):
            for ref in (event.ref, None):
                assert _kinds(adapter, rig, target, ref) <= {"direct"}

    async def test_a_word_too_long_to_break_is_carried_or_refused(self, rig: Rig) -> None:
        adapter = await rig.open()
        result = planned(adapter, draft(rig, "a" * 30_000))
        if isinstance(result, Fault):
            assert result.kind is FaultKind.TOO_LONG
            assert result.certain
        else:
            assert len(result) > 1

    async def test_an_empty_draft_is_refused_with_a_reason(self, rig: Rig) -> None:
        adapter = await rig.open()
        empty = structs.replace(draft(rig, "x"), document=Document(((Text("  \n "),),)))
        result = planned(adapter, empty)
        assert isinstance(result, Fault)
        assert result.kind is FaultKind.INVALID
        assert result.certain

    async def test_a_reply_is_planned_from_the_draft_alone(self, rig: Rig) -> None:
        """Another adapter object, which never saw the message, plans the same reply."""
        adapter = await rig.open()
        kind = next(iter(sorted(rig.kinds)))
        event = await hear(rig, adapter, "ana", kind, unique("A question"))
        answer, at = answer_to(rig, event, unique("An answer")), now()
        parts = adapter.plan(answer, at)
        await adapter.aclose()
        assert (await rig.open()).plan(answer, at) == parts


def _kinds(adapter: Adapter, rig: Rig, target: InConversation | ToPerson, ref: MessageRef | None) -> set[str]:
    """Kinds of the parts; empty when the adapter refuses to plan at all."""
    result = planned(adapter, draft(rig, too_long_for_one(adapter, private=True), target, in_reply_to=ref))
    if isinstance(result, Fault):
        assert result.kind is FaultKind.TARGET_REFUSED
        return set()
    return {part.kind for part in result}
