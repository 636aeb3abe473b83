"""What people see: previews, numbered threads, and what a post may carry besides its words."""

from __future__ import annotations

import pytest
from msgspec import structs

from gateway.model.capabilities import Feature, Support
from gateway.model.content import Poll, Quote, plain
from gateway.model.delivery import FaultError, Repliers, Visibility
from gateway.model.manner import Manner
from gateway.outbox.planner import planned as plan_of
from gateway.ports import Previews
from gateway.testing.conformance.rig import Rig, draft, now, picture, send_all, too_long_for_one, unique

ELSEWHERE = "https://example.org/post/1"
CARRIED = {
    "warning": (Feature.WARNING, "spoilers ahead"),
    "poll": (Feature.POLL, "Tuesday"),
    "quote": (Feature.QUOTE, ELSEWHERE),
    "language": (Feature.LANGUAGE, ""),
}
"""What a post may carry, and the words in which it is said where the platform has none."""


class Showing:
    async def test_a_preview_says_what_will_be_seen(self, rig: Rig) -> None:
        adapter = await rig.open()
        if not isinstance(adapter, Previews):
            pytest.skip(f"{rig.platform.name} has no previews")
        text = too_long_for_one(adapter)
        parts = adapter.plan(draft(rig, text), now())
        shown = [adapter.preview(part) for part in parts]
        assert all(0 < one.length <= one.limit for one in shown)
        assert " ".join(one.text for one in shown).split() == text.split()
        await send_all(adapter, parts)
        assert [one.text.split() for one in shown] == [message.text.split() for message in rig.held()]

    async def test_a_numbered_thread_says_which_part_is_which(self, rig: Rig) -> None:
        adapter = await rig.open()
        said = structs.replace(draft(rig, too_long_for_one(adapter)), numbered=True)
        parts = adapter.plan(said, now())
        await send_all(adapter, parts)
        held = [message.text.split() for message in rig.held()]
        assert [words[-1] for words in held] == [f"{n}/{len(parts)}" for n in range(1, len(parts) + 1)]
        assert all(part.rest is not None and "/" not in plain(part.rest) for part in parts)

    @pytest.mark.parametrize("what", sorted(CARRIED))
    async def test_what_a_platform_lacks_is_said_in_words(self, rig: Rig, what: str) -> None:
        adapter = await rig.open()
        feature, worded = CARRIED[what]
        text = unique("Which day suits you?")
        said = draft(rig, text)
        said = structs.replace(said, document=structs.replace(said.document, **_one(what)))
        parts = plan_of(adapter, said, said.account, now(), Manner())
        await send_all(adapter, parts)
        seen = " ".join(message.text for message in rig.held())
        assert all(word in seen for word in text.split())
        if adapter.profile.support(feature) is Support.FALLBACK:
            assert worded in seen
            assert parts[0].notes

    async def test_a_sensitive_picture_is_carried(self, rig: Rig) -> None:
        adapter = await rig.open()
        said = draft(rig, unique("Look away"), media=(picture(rig, "a red square"),))
        said = structs.replace(said, document=structs.replace(said.document, sensitive=True))
        await send_all(adapter, plan_of(adapter, said, said.account, now(), Manner()))
        (message,) = rig.held()
        assert len(message.media) == 1

    async def test_a_post_for_few_is_never_shown_to_all(self, rig: Rig) -> None:
        adapter = await rig.open()
        said = structs.replace(draft(rig, unique("For friends")), visibility=Visibility.FOLLOWERS)
        if adapter.profile.supports(Feature.FOLLOWERS):
            await send_all(adapter, plan_of(adapter, said, said.account, now(), Manner()))
            assert rig.held()[-1].private
        else:
            with pytest.raises(FaultError):
                plan_of(adapter, said, said.account, now(), Manner())

    async def test_a_limit_on_replies_is_carried_or_noted(self, rig: Rig) -> None:
        adapter = await rig.open()
        said = structs.replace(draft(rig, unique("No answers please")), repliers=Repliers.MENTIONED)
        parts = plan_of(adapter, said, said.account, now(), Manner())
        await send_all(adapter, parts)
        assert len(rig.held()) == 1
        assert bool(parts[0].notes) != adapter.profile.supports(Feature.REPLIERS)


def _one(what: str) -> dict[str, object]:
    fields: dict[str, dict[str, object]] = {
        "warning": {"warning": "spoilers ahead"},
        "poll": {"poll": Poll(("Monday", "Tuesday"), 86_400.0)},
        "quote": {"quote": Quote("elsewhere", url=ELSEWHERE)},
        "language": {"language": "en"},
    }
    return fields[what]
