"""What the API of an instance says, as far as it means something here. Apart from translate.py, which reads it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta, Struct, field

Id = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}\Z")]
"""Numbers on Mastodon, other words elsewhere; they go into paths and references, so nothing else may be in them."""


class Account(Struct, frozen=True):
    """An account as the API shows it. ``acct`` has no domain where the account is the instance's own."""

    id: Id
    acct: str
    display_name: str | None = None


class Mentioned(Struct, frozen=True):
    id: Id
    acct: str
    url: str | None = None


class File(Struct, frozen=True):
    """Something attached. ``url`` is null while the instance still processes it."""

    id: Id
    type: str | None = None
    url: str | None = None
    remote_url: str | None = None
    description: str | None = None
    meta: Any = None
    """Sizes and the like; each server and each kind of media has it otherwise."""


class Option(Struct, frozen=True):
    title: str


class Question(Struct, frozen=True):
    """A poll."""

    options: list[Option]
    expires_at: datetime | None = None
    multiple: bool | None = None


class Status(Struct, frozen=True):
    """The fields of a status that mean something here; the API shows some forty more.

    What is not needed may be null: servers besides Mastodon are not of one mind about it.
    """

    id: Id
    created_at: datetime
    account: Account
    visibility: str
    content: str | None = None
    spoiler_text: str | None = None
    url: str | None = None
    language: str | None = None
    edited_at: datetime | None = None
    in_reply_to_id: Id | None = None
    in_reply_to_account_id: Id | None = None
    mentions: list[Mentioned] | None = None
    media_attachments: list[File] | None = None
    sensitive: bool | None = None
    poll: Any = None
    """A :class:`Question`, read apart: one that is broken takes no message with it."""
    quote: Any = None
    """A :class:`Quoting`, read apart."""


class Quoting(Struct, frozen=True):
    """What a status quotes. Forks show the quoted status itself in this place."""

    state: str | None = None
    quoted_status: Status | None = None
    quoted_status_id: Id | None = None


class Notification(Struct, frozen=True):
    id: Id
    type: str
    account: Account
    status: Status
    created_at: datetime


class Numbered(Struct, frozen=True):
    """What every entity has, for going on past one that is otherwise broken."""

    id: Id


class Above(Struct, frozen=True):
    """The thread above a status."""

    ancestors: list[Status] = field(default_factory=list)


class Source(Struct, frozen=True):
    """A status of ours as it was written."""

    text: str
    spoiler_text: str | None = None


class Statuses(Struct, frozen=True):
    max_characters: int | None = None
    max_media_attachments: int | None = None
    characters_reserved_per_url: int | None = None


class Files(Struct, frozen=True):
    supported_mime_types: list[str] = field(default_factory=list)
    description_limit: int | None = None
    image_size_limit: int | None = None
    image_matrix_limit: int | None = None
    video_size_limit: int | None = None
    video_matrix_limit: int | None = None
    video_frame_rate_limit: int | None = None


class Polls(Struct, frozen=True):
    max_options: int | None = None
    max_characters_per_option: int | None = None
    min_expiration: int | None = None
    max_expiration: int | None = None


class Urls(Struct, frozen=True):
    streaming: str | None = None


class Configuration(Struct, frozen=True):
    statuses: Statuses = Statuses()
    media_attachments: Files = Files()
    polls: Polls = Polls()
    urls: Urls = Urls()


class Instance(Struct, frozen=True):
    """An instance as its v2 (``domain``) or v1 (``uri``) description shows it."""

    domain: str = ""
    uri: str = ""
    version: str = ""
    configuration: Configuration = Configuration()
    api_versions: dict[str, Any] = field(default_factory=dict)
