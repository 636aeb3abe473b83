"""A draft as one account says it: people are called by their names there, and media are made to fit."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import structs

from gateway.books import Store
from gateway.media.pictures import Pictures
from gateway.model.capabilities import Profile
from gateway.model.content import Document, Mention, Span, respanned, spans
from gateway.model.delivery import Draft
from gateway.model.identity import Identity
from gateway.model.ids import AccountId, platform_of
from gateway.ports import Adapter


class Fitting:
    """Used when a draft enters for its account, and whenever it goes to another one."""

    def __init__(
        self,
        store: Store,
        profiles: Mapping[AccountId, Profile],
        pictures: Pictures,
        adapters: Mapping[AccountId, Adapter],
    ) -> None:
        self._store = store
        self._profiles = profiles
        self._pictures = pictures
        self._adapters = adapters

    async def fit(self, draft: Draft, account: AccountId) -> Draft:
        """The draft for this account. Media that can't be had, or made to fit, say why."""
        adapter = self._adapters.get(account)
        profile = adapter.profile if adapter is not None else self._profiles.get(account)
        document = await called(draft.document, platform_of(account), self._store)
        if profile is not None:
            document = await self._pictures.fit(document, profile)
        return draft if document is draft.document else structs.replace(draft, document=document)


async def called(document: Document, platform: str, store: Store) -> Document:
    """The document with people of other platforms called by their identity on this one, where a link proves it. Who
    has none there stays a stranger, whom adapters name without a ping.
    """
    strangers = {span for span in spans(document) if isinstance(span, Mention) and span.platform != platform}
    if not strangers:
        return document
    found: dict[Span, Span] = {}
    for stranger in strangers:
        person = await store.person(Identity(stranger.platform, stranger.id, stranger.handle))
        for identity in person.identities if person is not None else ():
            if identity.platform == platform:
                found[stranger] = Mention(platform, identity.id, identity.handle, identity.name, stranger.marks)
                break
    return respanned(document, lambda span: found.get(span, span)) if found else document
