"""One announcement becomes one draft per account. Notices of a lost account go the same way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from msgspec import structs

from gateway.announcement import Terms
from gateway.model.content import Document
from gateway.model.delivery import Delivery, Draft, Timeline
from gateway.model.facts import NoticeFacts
from gateway.model.ids import AccountId, AnnouncementId, DraftId
from gateway.model.route import Route
from gateway.model.standing import Record
from gateway.monitor import Monitor
from gateway.outbox.intake import Intake
from gateway.services import Services
from gateway.text.plain import from_text

NOTICE_LIVES = timedelta(days=1)
_USUAL = Terms()


class Announcer:
    """Says one thing on many accounts."""

    def __init__(
        self,
        services: Services,
        monitor: Monitor,
        intake: Intake,
        routes: Mapping[AccountId, Route],
        default: Sequence[AccountId],
        *,
        keep: timedelta,
    ) -> None:
        self._workspace = services.workspace
        self._clock = services.clock
        self._policies = services.policies
        self._new_id = services.new_id
        self._monitor = monitor
        self._intake = intake
        self._routes = routes
        self.default = tuple(default)
        self._keep = keep
        """What was said of a loss is remembered for so long; after that it would be said again."""

    async def announce(
        self, document: Document, *, accounts: Sequence[AccountId] = (), key: str = "", terms: Terms = _USUAL
    ) -> tuple[AnnouncementId, tuple[Delivery, ...]]:
        """Post on the accounts' own public places (all that announce, when none is named).

        The same ``key`` again gives the deliveries of the first time and posts nothing.
        """
        announcement = AnnouncementId(key or self._new_id())
        targets = tuple(accounts) or self.default
        drafts = [self._draft(account, document, announcement, targets, terms=terms) for account in targets]
        return announcement, await self._intake.submit(drafts)

    async def notice(self, record: Record) -> None:
        """Have the other accounts say that this one is lost, where its route wants it and while it is news. Each says
        it once per loss, however often this is called and whatever the loss is called.
        """
        now = self._clock.now()
        if now - record.since >= NOTICE_LIVES or now - record.lost_since >= self._keep:
            return
        others = tuple(r for r in self._monitor.records() if r.account != record.account and r.account in self.default)
        facts = NoticeFacts(record, self._routes.get(record.account), others)
        words, accounts = self._policies.notice(facts)
        loss = AnnouncementId(f"notice:{record.account}@{record.lost_since.isoformat()}")
        drafts = [self._draft(account, from_text(words), loss, accounts, NOTICE_LIVES) for account in accounts]
        if drafts:
            await self._intake.submit(drafts)

    def _draft(
        self,
        account: AccountId,
        document: Document,
        announcement: AnnouncementId,
        copies: tuple[AccountId, ...],
        lives: timedelta | None = None,
        terms: Terms = _USUAL,
    ) -> Draft:
        now = self._clock.now()
        return Draft(
            DraftId(self._new_id()),
            self._workspace,
            account,
            Timeline(),
            document,
            now,
            f"announce:{announcement}:{account}",
            announcement=announcement,
            copies=copies,
            expires_at=now + lives if lives is not None else None,
            **structs.asdict(terms),
        )
