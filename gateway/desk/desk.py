"""The operator's desk: what a person (or the CLI for them) can ask of the gateway, in plain JSON values.

The local endpoint offers these operations over HTTP; the CLI uses them directly when no gateway runs.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from msgspec import structs

from gateway.announcement import AnnouncementError, Head, parted
from gateway.announcer import Announcer
from gateway.books import StoreError, Superseded, Topic
from gateway.desk.corrections import Corrections
from gateway.desk.previewer import Previewer
from gateway.desk.rows import account_row, check_row, delivery_row, doubt_row, parked_row, person_row
from gateway.directory import Directory, DirectoryError, parse_identity
from gateway.media.errors import MediaError
from gateway.media.kinds import named
from gateway.media.pictures import Pictures
from gateway.model.content import Document, Media
from gateway.model.delivery import Delivery, Draft, Fault, FaultError, FaultKind, Receipt, State, Timeline
from gateway.model.events import DeliveryChanged
from gateway.model.ids import AccountId, AnnouncementId, DeliveryId, DraftId, MessageRef, platform_of
from gateway.model.standing import Record, Standing
from gateway.monitor import Monitor
from gateway.outbox.outbox import Outbox
from gateway.outbox.settle import Choice, by_operator
from gateway.pipeline import Pipeline
from gateway.ports import Adapter
from gateway.revisions import ALL_BUT_WORDS, EXTRAS, RevisionError
from gateway.services import Services
from gateway.text.markdown import from_markdown
from gateway.text.plain import from_text

STARTING = "starting"
"""Instead of a fault: the account is not open yet."""
NO_PLACE = frozenset({FaultKind.TARGET_REFUSED, FaultKind.CONFIG, FaultKind.INVALID})
TEXT_MAX = 100_000
ALT_MAX = 5_000
KEY_MAX = 200
REF_MAX = 2_000
LISTED_MAX = 1_000


class DeskError(Exception):
    """One line for people: what is wrong with the request, and the cure."""


class Papers(NamedTuple):
    """For announcements: their media, how they will look, and how they are changed when they are out."""

    pictures: Pictures
    previewer: Previewer
    corrections: Corrections


class Desk:
    """Each operation takes and gives JSON values; what is wrong is told in one line (:class:`DeskError`)."""

    OPERATIONS: ClassVar[tuple[str, ...]] = (
        "status", "deliveries", "doubts", "settle", "accounts", "resume", "unanswered", "unpark",
        "announce", "link", "unlink", "links",
        "check", "backup", "preview", "edit", "delete",
    )  # fmt: skip

    def __init__(
        self,
        services: Services,
        monitor: Monitor,
        announcer: Announcer,
        directory: Directory,
        outbox: Outbox,
        pipeline: Pipeline,
        adapters: Mapping[AccountId, Adapter],
        papers: Papers,
    ) -> None:
        self._services = services
        self._monitor = monitor
        self._announcer = announcer
        self._directory = directory
        self._outbox = outbox
        self._pipeline = pipeline
        self._adapters = adapters
        self._pictures, self._previewer, self._corrections = papers
        self.unopened: Mapping[AccountId, Fault] = {}
        """Why accounts can't be opened, where that was tried only to ask."""

    async def status(self) -> dict[str, Any]:
        """Every account's standing, and how many deliveries are in which state."""
        counts = await self._services.store.counts()
        totals: dict[str, int] = {}
        for states in counts.values():
            for state, number in states.items():
                totals[state] = totals.get(state, 0) + number
        parked = len(await self._services.store.parked_seqs(LISTED_MAX))
        accounts = await self.accounts()
        return {
            "workspace": self._services.workspace, "accounts": accounts, "deliveries": totals, "unanswered": parked,
        }  # fmt: skip

    async def accounts(self) -> list[dict[str, Any]]:
        """Each account's standing; ``listening`` once its position on the platform is stored. ``gateway`` is who has it
        where several share the database.
        """
        store = self._services.store
        counts, holders = await store.counts(), await store.holders()
        rows = [account_row(record, counts.get(record.account, {})) for record in self._monitor.records()]
        return [
            {
                **row,
                "listening": await store.cursor(row["account"]) is not None,
                "gateway": holders.get(row["account"], ""),
            }
            for row in rows
        ]

    async def deliveries(
        self, account: str | None = None, state: str | None = None, limit: int = 20
    ) -> list[dict[str, Any]]:
        """The newest deliveries first."""
        try:
            states = frozenset({State(state)}) if state else frozenset()
        except ValueError as error:
            raise DeskError(f"there is no state {state!r}; there are: {', '.join(State)}") from error
        wanted = self._account(account) if account else None
        limit = max(1, min(int(limit), LISTED_MAX))
        found = await self._services.store.deliveries(account=wanted, states=states, limit=limit)
        return [delivery_row(delivery) for delivery in found]

    async def doubts(self, account: str | None = None, limit: int = 20) -> list[dict[str, Any]]:
        """What maybe was sent, and nobody but the operator can say; the oldest first."""
        wanted = self._account(account) if account else None
        found = await self._services.store.doubts(LISTED_MAX)
        mine = [doubt for doubt in found if wanted is None or doubt.delivery.account == wanted]
        return [doubt_row(doubt) for doubt in mine[: max(1, int(limit))]]

    async def settle(self, delivery: str, choice: Choice, ref: str = "") -> dict[str, Any]:
        """The operator's word on an uncertain delivery; ``ref`` is the message's, or an address, where it was sent."""
        if len(ref) > REF_MAX:
            raise DeskError("that is no message: it is too long")
        found = await self._services.store.delivery(DeliveryId(delivery))
        if found is None:
            raise DeskError(f"there is no delivery {delivery[:100]!r}: see `multihome deliveries --uncertain`")
        if found.state is not State.UNCERTAIN:
            raise DeskError(f"{found.id} is {found.state}, not uncertain: there is nothing to settle")
        return delivery_row(await self._decided(found, choice, ref))

    async def _decided(self, delivery: Delivery, choice: Choice, ref: str) -> Delivery:
        now = self._services.clock.now()
        is_address = ref.startswith(("https://", "http://"))
        receipt = Receipt(MessageRef("" if is_address else ref), now, ref if is_address else None)
        settlement = by_operator(delivery, choice, receipt, now)
        try:
            changed = await self._services.store.decide(delivery, settlement, now)
        except Superseded as error:
            raise DeskError(f"{delivery.id} has gone on by itself meanwhile: look at it again") from error
        settled = next(one for one in changed if one.id == delivery.id)
        told = settlement.receipt.ref if settlement.receipt else None
        self._services.bus.publish(
            DeliveryChanged(delivery.id, delivery.account, settled.state, now, settled.reason, told)
        )
        self._outbox.offer(changed)
        return settled

    async def resume(self, account: str) -> dict[str, Any]:
        """The operator says that an account works again: what it holds goes home."""
        known = self._account(account)
        self._monitor.resume(known)
        await self._services.store.tell(Topic.RESUME, known)
        record = self._monitor.record(known)
        return {"account": known, "standing": record.standing if record else ""}

    async def unanswered(self, limit: int = 20) -> list[dict[str, Any]]:
        """What the agent failed on too often, the oldest first."""
        return [parked_row(one) for one in await self._services.store.parked(min(limit, LISTED_MAX))]

    async def unpark(self, messages: list[int], again: bool) -> dict[str, Any]:
        """The operator's word on such messages, all of them where none is named: they are tried again, or dropped."""
        seqs = messages or await self._services.store.parked_seqs(LISTED_MAX)
        accounts = await self._services.store.unpark(seqs[:LISTED_MAX], self._services.clock.now(), again=again)
        if messages and not accounts:
            raise DeskError("none of these is there: see `multihome unanswered`")
        for account in dict.fromkeys(accounts) if again else ():
            self._pipeline.again(account)
        return {"changed": len(accounts), "again": again}

    async def announce(
        self,
        text: str,
        accounts: list[str] | None = None,
        key: str = "",
        image: str | None = None,
        alt: str = "",
        plain: bool = False,
        media: list[Media] | None = None,
        files: dict[str, Media] | None = None,
    ) -> dict[str, Any]:
        """Post on the accounts' public places. The same key again posts nothing twice: what was announced under it
        before is ``known``, and stays as it is. The text is Markdown, which may have a head
        (:mod:`gateway.announcement`), or ``plain`` words. ``media`` were kept (:meth:`keep`) and come with it; so were
        ``files``, by the names that the Markdown has for them. ``image`` is one picture in base64.
        """
        if len(key) > KEY_MAX:
            raise DeskError(f"the key has {len(key)} characters; {KEY_MAX} are the most")
        shown = [*(media or ())]
        if image:
            shown.append(structs.replace(await self._image(image), alt=alt))
        head, document = _written(text, shown, files or {}, plain=plain)
        targets = [self._account(account) for account in dict.fromkeys(accounts or head.accounts)]
        before = {copy.id for copy in await self._services.store.copies(AnnouncementId(key))} if key else set()
        announcement, deliveries = await self._announcer.announce(document, accounts=targets, key=key, terms=head.terms)
        rows = [{**delivery_row(delivery), "known": delivery.id in before} for delivery in deliveries]
        return {"announcement": announcement, "deliveries": rows}

    async def preview(
        self,
        text: str,
        accounts: list[str] | None = None,
        plain: bool = False,
        media: list[Media] | None = None,
        files: dict[str, Media] | None = None,
    ) -> list[dict[str, Any]]:
        """How :meth:`announce` would come out on each account. Posts nothing."""
        head, document = _written(text, media or [], files or {}, plain=plain)
        targets = [self._account(account) for account in dict.fromkeys(accounts or head.accounts)]
        asked = targets or self._announcer.default
        return [await self._previewer.shown(document, account, head.terms, asked) for account in asked]

    async def edit(
        self,
        name: str,
        text: str,
        plain: bool = False,
        without_media: bool = False,
        media: list[Media] | None = None,
        files: dict[str, Media] | None = None,
    ) -> dict[str, Any]:
        """Have every copy of an announcement, or one delivery, say this instead; what became of each. Where the head
        names accounts, only their copies. New media take the place of those that are there; ``without_media`` they go.
        """
        head, document = _written(text, media or [], files or {}, plain=plain)
        only = [self._account(account) for account in dict.fromkeys(head.accounts)]
        keep = EXTRAS if without_media else ALL_BUT_WORDS
        try:
            return {"copies": await self._corrections.edit(name, document, keep, head.terms, only)}
        except RevisionError as error:
            raise DeskError(str(error)) from error

    async def delete(self, name: str) -> dict[str, Any]:
        """Take every copy of an announcement, or one delivery, away; what became of each."""
        try:
            return {"copies": await self._corrections.delete(name)}
        except RevisionError as error:
            raise DeskError(str(error)) from error

    @property
    def kept_max_bytes(self) -> int:
        """The most that :meth:`keep` takes."""
        return self._pictures.size_max_bytes

    async def keep(self, data: bytes, name: str) -> Media:
        """Bytes for an announcement that follows."""
        try:
            return await self._pictures.keep(data, name)
        except MediaError as error:
            raise DeskError(f"{named(name, '') or 'the file'}: {error}") from error

    async def link(self, first: str, second: str) -> dict[str, Any]:
        """Two identities are one person: the operator's word."""
        try:
            self._platforms(first, second)
            return person_row(await self._directory.link(first, second))
        except DirectoryError as error:
            raise DeskError(str(error)) from error

    async def unlink(self, first: str, second: str) -> dict[str, Any]:
        try:
            await self._directory.unlink(first, second)
        except DirectoryError as error:
            raise DeskError(str(error)) from error
        return {"unlinked": [first, second]}

    async def links(self) -> list[dict[str, Any]]:
        return [
            {"first": str(one.first), "second": str(one.second), "evidence": one.evidence, "at": one.at.isoformat()}
            for one in await self._directory.links()
        ]

    async def backup(self, file: str) -> dict[str, Any]:
        """Copy the database to a new file on the gateway's own machine."""
        try:
            return {"file": file, "size_bytes": await self._services.store.backup(Path(file))}
        except StoreError as error:
            raise DeskError(str(error)) from error

    async def has_neighbours(self) -> bool:
        """Whether another gateway has accounts on this database now."""
        holders = await self._services.store.holders()
        return any(not self._outbox.holds(AccountId(name)) for name in holders)

    async def check(self) -> list[dict[str, Any]]:
        """Ask every account's platform, read-only, whether its credential works; and whether posts have a place."""
        holders = await self._services.store.holders()
        records = self._monitor.records()
        return await asyncio.gather(*(self._checked(one, holders.get(one.account, "")) for one in records))

    async def _checked(self, record: Record, holder: str) -> dict[str, Any]:
        adapter = self._adapters.get(record.account)
        if adapter is None:
            return self._unasked(record, holder)
        signal = await self._monitor.probe(record.account, adapter)
        fault = signal.fault or self._unannounced(record.account, adapter)
        told = fault.evidence if fault else ""
        evidence = (signal.evidence or told) if signal.fault else told or signal.evidence
        return check_row(record.account, fault.kind if fault else None, evidence)

    def _unasked(self, record: Record, holder: str) -> dict[str, Any]:
        """It isn't open here: it can't be, or not yet, or another gateway has it, whose word counts."""
        account = record.account
        if (fault := self.unopened.get(account)) is not None:
            return check_row(account, fault.kind, fault.evidence)
        ours = self._outbox.holds(account)
        if holder and not ours:
            fault_there = None if record.can_send else record.standing
            return check_row(account, fault_there, f"{record.standing} at {holder}, which has it: {record.evidence}")
        wrong = ours and record.standing is not Standing.CONNECTING
        return check_row(account, FaultKind.CONFIG if wrong else STARTING, record.evidence)

    def _unannounced(self, account: AccountId, adapter: Adapter) -> Fault | None:
        """Why nothing can be posted in the account's own public place, where it is meant to announce."""
        if account not in self._announcer.default:
            return None
        now = self._services.clock.now()
        draft = Draft(
            DraftId(""), self._services.workspace, account, Timeline(), from_text("Hello"), now, "check"
        )  # fmt: skip
        try:
            adapter.plan(draft, now)
        except FaultError as error:
            return error.fault if error.fault.kind in NO_PLACE else None
        return None

    def _platforms(self, *spelled: str) -> None:
        """A person on a platform without an account of ours can't be met: most likely it is misspelled."""
        known = sorted({platform_of(record.account) for record in self._monitor.records()})
        for one in spelled:
            platform = parse_identity(one).platform
            if platform not in known:
                raise DeskError(f"there is no account on {platform!r}; there are: {', '.join(known)}")

    def _account(self, account: str) -> AccountId:
        if self._monitor.record(AccountId(account)) is None:
            known = ", ".join(record.account for record in self._monitor.records())
            raise DeskError(f"there is no account {account!r}; there are: {known}")
        return AccountId(account)

    async def _image(self, encoded: str) -> Media:
        try:
            data = base64.b64decode(encoded, validate=True)
        except ValueError as error:  # binascii.Error is one; text outside ASCII is another
            raise DeskError("the image is not base64") from error
        return await self.keep(data, "")


def _written(text: str, media: Sequence[Media], files: Mapping[str, Media], *, plain: bool) -> tuple[Head, Document]:
    """What an announcement says. Raises DeskError."""
    if len(text) > TEXT_MAX:
        raise DeskError(f"the text has {len(text)} characters; {TEXT_MAX} are the most")
    try:
        head, words = (Head(), text) if plain else parted(text)
    except AnnouncementError as error:
        raise DeskError(str(error)) from error
    document = from_text(words) if plain else from_markdown(words, files=dict(files))
    document = head.on(structs.replace(document, media=(*document.media, *media)))
    longest = max((len(one.alt) for one in document.media), default=0)
    if longest > ALT_MAX:
        raise DeskError(f"the alt text has {longest} characters; {ALT_MAX} are the most")
    if document.is_empty:
        raise DeskError("there is nothing to announce: the text is empty")
    return head, document
