"""The gateway keeps a platform's pace by itself: no request is turned away for having come too fast."""

from __future__ import annotations

from typing import Any


async def test_a_group_of_telegram_hears_one_message_a_second(town: Any) -> None:
    async with town("telegram", telegram={"rate_factor": 1.0}) as t:
        t.sandbox.faces["telegram"].window = (1, 0.7)  # what is claimed a second apart may arrive a little less so
        for number in range(3):
            t.says("telegram", f"hello here{number}")
        await t.until(lambda: len(t.texts("telegram", "echo")) == 3)
        assert [attempt.outcome for attempt in t.attempts("telegram")] == ["accepted"] * 3
