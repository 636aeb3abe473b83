"""What Discord's messages hold besides words, read so that a reader elsewhere understands it."""

from __future__ import annotations

import pytest

from adapters.discord.markup import document as read
from gateway.model.content import plain


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("at <t:1763812800>", "at 2025-11-22 12:00 UTC"),
        ("ends <t:1763812800:R>.", "ends 2025-11-22 12:00 UTC."),
        ("on <t:1763812800:D>", "on 2025-11-22"),
        ("far <t:99999999999:F>", "far 5138-11-16 09:46 UTC"),
        ("`<t:1763812800>`", "<t:1763812800>"),
        (r"\<t:1763812800>", "<t:1763812800>"),
        ("<t:123456789012>", "<t:123456789012>"),
    ],
)
def test_times_are_legible(said: str, shown: str) -> None:
    assert plain(read(said, {})) == shown
