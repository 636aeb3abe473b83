"""docs/fidelity.md: its tables are what the profiles say. ``python tests/docs/test_fidelity.py`` writes them anew."""

from __future__ import annotations

import importlib
import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec.structs import fields

from gateway.announcement import Head, parted
from gateway.duration import spoken
from gateway.model.capabilities import UNCLAIMED, Feature, Limits, MediaLimits, Profile, Support
from gateway.model.media import MediaKind
from gateway.wiring import platforms

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "fidelity.md"
PLATFORMS = ("x", "discord", "telegram", "bluesky", "mastodon")
"""In the order of the columns."""
SIGNS = {
    Support.FULL: "yes",
    Support.PARTIAL: "partly",
    Support.FALLBACK: "in words",
    Support.DROPPED: "left out",
    Support.REJECTED: "refused",
}


REACTIONS = (Feature.REACT, Feature.REPOST)


def profile(name: str) -> Profile:
    found: Profile = importlib.import_module(f"adapters.{name}.profile").PROFILE
    return found


def table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def features() -> str:
    profiles = [profile(name) for name in PLATFORMS]
    rows = ((f"`{each}`", *(SIGNS[one.support(each)] for one in profiles)) for each in Feature)
    return table(("Feature", *PLATFORMS), rows)


def sizes() -> str:
    """Of texts and polls."""

    def row(name: str, tell: Callable[[Limits], str]) -> tuple[str, ...]:
        return (name, *(tell(profile(platform).limits) for platform in PLATFORMS))

    def poll(limits: Limits) -> str:
        if limits.poll_options_max is None:
            return "none"
        return f"{limits.poll_options_max} of {limits.poll_option_length}"

    def opened(limits: Limits) -> str:
        if limits.poll_shortest_s is None or limits.poll_longest_s is None:
            return "none"
        return f"{spoken(limits.poll_shortest_s)} to {spoken(limits.poll_longest_s)}"

    rows = (
        row("a post", lambda limits: f"{limits.text_max:,}"),
        row("a direct message", lambda limits: f"{limits.direct_max:,}"),
        row("counted in", lambda limits: limits.unit),
        row("alt text", lambda limits: f"{limits.alt_max:,}" if limits.alt_max else "none"),
        row("answers of a poll, characters of each", poll),
        row("a poll is open for", opened),
        row("media of one post", lambda limits: str(limits.media_max or f"{limits.images_max} pictures or 1 other")),
    )
    return table(("", *PLATFORMS), iter(rows))


def media() -> str:
    def cells() -> Iterator[tuple[str, ...]]:
        for name in PLATFORMS:
            limits = profile(name).limits
            for kind in MediaKind:
                yield name, str(kind), *_media(limits.of(kind))

    return table(("Platform", "Kind", "Most", "Size", "Types", "Other limits"), cells())


def _media(limits: MediaLimits | None) -> tuple[str, ...]:
    if limits is None:
        return "none", "", "", ""
    others = [
        f"{limits.side_max_px:,} px a side" if limits.side_max_px else "",
        f"{limits.sides_sum_max_px:,} px both sides together" if limits.sides_sum_max_px else "",
        f"{limits.pixels_max:,} pixels" if limits.pixels_max else "",
        spoken(limits.duration_max_s) if limits.duration_max_s else "",
    ]
    types = ", ".join(mime.partition("/")[2] for mime in limits.mimes) or "any"
    return str(limits.count_max), f"{limits.size_bytes:,} bytes", types, ", ".join(filter(None, others))


def reactions() -> str:
    rows = ((name, *(_told(profile(name), each) for each in REACTIONS)) for name in PLATFORMS)
    return table(("Platform", "A reaction", "A repost"), rows)


def _told(one: Profile, feature: Feature) -> str:
    return ": ".join(filter(None, (SIGNS[one.support(feature)], one.says.get(feature))))


def remarks() -> str:
    """What the profiles say of their claims, with the sources."""
    return "\n\n".join(f"**{name}**\n\n" + "\n".join(_remarks(profile(name))) for name in PLATFORMS)


def _remarks(one: Profile) -> Iterator[str]:
    for feature in one.features:
        if feature in one.says and feature not in REACTIONS:
            yield f"- `{feature}` {_told(one, feature)}"


TABLES: dict[str, Callable[[], str]] = {
    "features": features, "sizes": sizes, "media": media, "reactions": reactions, "remarks": remarks
}  # fmt: skip


def between(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?<=<!-- {name} -->\n\n).*?(?=\n\n<!-- end -->)", re.DOTALL)


@pytest.mark.parametrize("name", TABLES)
def test_what_is_said_is_what_the_profiles_say(name: str) -> None:
    found = between(name).search(PAGE.read_text(encoding="utf-8"))
    assert found, f"docs/fidelity.md has no {name}"
    assert found[0] == TABLES[name](), "write it anew: python tests/docs/test_fidelity.py"


def test_no_platform_is_left_out() -> None:
    assert set(PLATFORMS) == set(platforms())


def test_what_is_said_is_of_what_is_claimed() -> None:
    assert not [name for name in PLATFORMS if set(profile(name).says) - set(profile(name).features)]


def test_every_fallback_is_explained() -> None:
    """What is said in words, or left out, on any platform has a line that says how."""
    explained = set(re.findall(r"^\| `(\w+)` \| [^|]+ \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    lesser = {each for name in PLATFORMS for each in Feature if profile(name).support(each) is Support.FALLBACK}
    dropped = {each for name in PLATFORMS for each in Feature if profile(name).support(each) is Support.DROPPED}
    assert {str(each) for each in lesser | dropped | set(UNCLAIMED)} <= explained


def test_the_head_that_is_shown_has_every_key() -> None:
    (example,) = re.findall(r"^```toml\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    head, words = parted(f"+++\n{example}+++\nHello")
    assert words == "Hello"
    assert set(tomllib.loads(example)) == {field.name for field in fields(Head)}
    assert head.poll
    assert head.quote
    assert head.quote.ref


def write() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for name, make in TABLES.items():
        text = between(name).sub(lambda _, made=make: made(), text)  # type: ignore[misc]  # a lambda with a default
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write()
