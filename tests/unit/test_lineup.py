"""What the lineup of an account's deliveries takes in, and when it asks for more."""

from __future__ import annotations

import pytest
from msgspec import structs

from gateway.model.delivery import Delivery, State
from gateway.model.ids import DEFAULT_WORKSPACE
from gateway.outbox.lineup import Lineup
from gateway.testing.store_drafts import HOME, NOW, new, receipt

ASKED = new("a")
DOUBTFUL = Delivery(1, ASKED.id, DEFAULT_WORKSPACE, HOME, HOME, "o", State.UNCERTAIN, NOW, ASKED.draft, NOW, attempts=1)
GOES_ON = structs.replace(DOUBTFUL, state=State.QUEUED, sent=(receipt("r0"),))
"""A part's arrival was told late: it counts as the same attempt."""


def test_a_copy_that_knows_of_more_parts_is_newer() -> None:
    lineup = Lineup()
    for copy in (DOUBTFUL, GOES_ON, DOUBTFUL):
        lineup.keep(copy, NOW)
    assert lineup.begin(NOW) is GOES_ON
    assert lineup.begin(NOW) is None


def test_room_that_was_made_is_not_filled_with_the_same_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.outbox.lineup.KEPT", 8)
    lineup = Lineup()
    lineup.more = False
    for seq in range(9):
        lineup.keep(structs.replace(GOES_ON, seq=seq, id=new(f"n{seq}").id), NOW)
    assert lineup.more
    begun = []
    while not lineup.is_short:
        begun.append(lineup.begin(NOW))
    assert len(begun) == 4
    lineup.more = False
    for seq in range(lineup.page):
        lineup.keep(structs.replace(GOES_ON, seq=seq, id=new(f"m{seq}").id), NOW)
    assert not lineup.more
