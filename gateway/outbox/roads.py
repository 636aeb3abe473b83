"""What a decision about a draft has to know: the account's standing, the route, and what the other roads could do."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gateway.books import Store
from gateway.model.capabilities import Feature, Profile
from gateway.model.delivery import Draft, InConversation, Timeline, ToPerson
from gateway.model.facts import OutboundFacts, Road
from gateway.model.identity import Identity
from gateway.model.ids import AccountId, platform_of
from gateway.model.route import Route
from gateway.model.standing import Record


class Roads:
    """Gathers :class:`OutboundFacts`. Reads the store only for an account that can't send."""

    def __init__(
        self,
        store: Store,
        routes: Mapping[AccountId, Route],
        profiles: Mapping[AccountId, Profile],
        record: Callable[[AccountId], Record | None],
    ) -> None:
        self._store = store
        self._routes = routes
        self._profiles = profiles
        self._record = record

    def route(self, account: AccountId) -> Route | None:
        return self._routes.get(account)

    async def facts(self, draft: Draft, account: AccountId) -> OutboundFacts:
        """The facts for a draft that is about to leave by ``account``."""
        record = self._record(account)
        route = self._routes.get(account)
        if record is None or record.can_send or route is None or record.standing not in route.when:
            return OutboundFacts(draft, record, route)
        if isinstance(draft.target, Timeline):
            return OutboundFacts(draft, record, route, await self._public(draft, route))
        return OutboundFacts(draft, record, route, await self._to_person(draft, draft.target, route))

    async def _public(self, draft: Draft, route: Route) -> tuple[Road, ...]:
        copies = frozenset(draft.copies)
        if draft.announcement is not None:
            copies |= await self._store.announced_on(draft.announcement)
        return tuple(Road(one, self._can_send(one), has_own_copy=one in copies) for one in _open(draft, route))

    async def _to_person(self, draft: Draft, target: InConversation | ToPerson, route: Route) -> tuple[Road, ...]:
        them = draft.with_person or (target.identity if isinstance(target, ToPerson) else None)
        if them is None:
            return ()
        person = await self._store.person(them)
        identities = person.identities if person is not None else ()
        private = target.private or draft.closed
        return tuple([await self._road(one, identities, private=private) for one in _open(draft, route)])

    async def _road(self, account: AccountId, identities: tuple[Identity, ...], *, private: bool) -> Road:
        there = next((i for i in identities if i.platform == platform_of(account)), None)
        profile = self._profiles.get(account)
        if there is None or profile is None:
            return Road(account, self._can_send(account))
        reach = await self._store.reach(account, there, private=private)
        return Road(
            account,
            self._can_send(account),
            identity=there,
            open=InConversation(reach.conversation, reach.private) if reach is not None else None,
            answering=reach.ref if reach is not None else None,
            mentions_anyone=profile.supports(Feature.MENTION_ANYONE),
            writes_anyone=profile.supports(Feature.DIRECT_ANYONE),
        )

    def _can_send(self, account: AccountId) -> bool:
        record = self._record(account)
        return record is not None and record.can_send


def _open(draft: Draft, route: Route) -> list[AccountId]:
    """Roads of the route that have not refused this draft."""
    return [account for account in route.divert_to if account not in draft.refused_by]
