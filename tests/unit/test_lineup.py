"""What of two copies of a delivery the lineup takes for the newer one."""

from __future__ import annotations

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
