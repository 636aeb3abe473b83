"""The policy set that the gateway runs with, named by the entry point ``multihome.policies``."""

from __future__ import annotations

from datetime import datetime

from gateway.model.facts import InboundFacts, LinkFacts, NoticeFacts, OutboundFacts, WindowFacts
from gateway.model.ids import AccountId
from gateway.model.verdict import Allow, Refuse, Verdict
from policies import announcing, inbound, linking, outbound, pacing


class Chain:
    """Every decision of the house behind one port (:class:`gateway.ports.Policies`)."""

    def inbound(self, facts: InboundFacts) -> Allow | Refuse:
        return inbound.judge(facts)

    def outbound(self, facts: OutboundFacts, now: datetime) -> Verdict:
        return outbound.judge(facts, now)

    def linking(self, facts: LinkFacts) -> Allow | Refuse:
        return linking.judge(facts)

    def notice(self, facts: NoticeFacts) -> tuple[str, tuple[AccountId, ...]]:
        return announcing.notice(facts)

    def pace(self, facts: WindowFacts, now_unix_s: float) -> float:
        return pacing.wait_s(facts, now_unix_s)


POLICIES = Chain()
