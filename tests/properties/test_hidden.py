"""What is written in a spoiler is hidden where there are spoilers: its links, addresses and people, too."""

import re

from hypothesis import given
from hypothesis import strategies as st

from adapters.discord import markup as discord
from adapters.telegram import entities as telegram
from gateway.text.markdown import from_markdown

said = st.sampled_from(
    [
        "it", "was **her**", "*him*,", "https://e.org/b", "<https://e.org/a*b*>", "https://例え.jp/パス",
        "[Bob](https://e.org/bob-did-it)", "[**e.org**](https://e.org/~a~)", "**[all](https://e.org/(b))**",
        "[page](page.html)", "[Ana](mention:discord:id=42)", "[Ana](mention:telegram:id=42)", "[Ben](mention:x:@ben)",
        "~~[not](https://e.org/n) so~~", "[||really||](https://e.org/r)",
    ]
)  # fmt: skip
spoilers = st.lists(said, min_size=1, max_size=5).map(lambda found: from_markdown(f"||{' '.join(found)}||"))


@given(spoilers)
def test_on_discord_nothing_stands_outside_of_the_bars(document):
    assert re.sub(r"\|\|.+?\|\|", "", discord.render(document)).strip() == ""


@given(spoilers)
def test_on_telegram_a_spoiler_covers_every_word(document):
    text, entities = telegram.render(document)
    units = text.encode("utf-16-le")
    covered = {
        place
        for each in entities
        if each["type"] == "spoiler"
        for place in range(each["offset"], each["offset"] + each["length"])
    }
    open_units = (units[2 * n : 2 * n + 2] for n in range(len(units) // 2) if n not in covered)
    assert b"".join(open_units).decode("utf-16-le").strip() == ""
