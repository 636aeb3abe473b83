"""docs/text.md: the table shows what the code writes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from adapters.discord.markup import render as on_discord
from adapters.telegram.entities import render as on_telegram
from gateway.model.content import plain
from gateway.text.markdown import from_markdown

PAGE = Path(__file__).parents[2] / "docs" / "text.md"
BETWEEN = re.compile(r"(?<!\\) \| (?=``)")
CELL = re.compile(r"`` (.*) ``([\w, ]*)")


def rows() -> list[list[tuple[str, str]]]:
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ``")]
    return [[parsed(cell) for cell in BETWEEN.split(line[2:-2])] for line in lines]


def parsed(cell: str) -> tuple[str, str]:
    found = CELL.fullmatch(cell)
    assert found, cell
    return meant(found[1]), found[2].strip()


def meant(cell: str) -> str:
    return cell.replace(" ↵ ", "\n").replace("\\|", "|")


def test_there_are_rows() -> None:
    assert len(rows()) > 10
    assert {len(row) for row in rows()} == {4}


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0][0])
def test_the_table_is_what_is_written(row: list[tuple[str, str]]) -> None:
    (written, _), (in_plain, _), (discord, _), (telegram, entities) = row
    document = from_markdown(written)
    words = on_telegram(document)
    assert plain(document) == in_plain
    assert on_discord(document) == discord
    assert words.text == telegram
    assert ", ".join(entity["type"] for entity in words.entities) == entities


def test_a_picture_is_what_the_page_says_of_it() -> None:
    (written,) = (cell[0] for row in rows() for cell in row[:1] if "![" in cell[0])
    (shown,) = from_markdown(written).media
    assert (shown.source, shown.alt, shown.at) == ("https://e.org/c.png", "asleep", 0)
    assert f"`![{shown.alt}]({shown.source})`" in PAGE.read_text(encoding="utf-8")
