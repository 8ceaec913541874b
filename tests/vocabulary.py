"""The page docs/facts.md, written from the facts that topics declare and from rules/schemas/rule.schema.json.

`python tests/vocabulary.py` writes it anew after a change of either, and a test says when that was forgotten.
"""

from __future__ import annotations

import textwrap
from itertools import groupby
from pathlib import Path

import migrate.topics  # noqa: F401 - which declare the facts
from migrate.reports.vocabulary import HEADS, Word, vocabulary

PAGE = Path(__file__).parents[1] / "docs" / "facts.md"
_HEAD = """\
# Facts, keys and actions of rules

What a rule is written with ([write-a-rule.md](write-a-rule.md)). This page is written by `python tests/vocabulary.py`;
`sifmigrate rules facts [NAME]…` lists the same, with the rules that use it.
"""


def page() -> str:
    """The page as the program has it now."""
    words = vocabulary([])
    return _HEAD + "".join(_part(part, list(group)) for part, group in groupby(words, key=lambda each: each.part))


def _part(part: str, words: list[Word]) -> str:
    title, text = HEADS[part]
    head = f"\n## {title}\n\n{textwrap.fill(text, 118)}\n"
    if part != "facts":
        table = f"| {'key' if part == 'match' else 'action'} | what it is |\n|---|---|\n"
        return f"{head}\n{table}" + "".join(f"| `{w.name}` | {_cell(w.doc)} |\n" for w in words)
    topics = ((topic, list(group)) for topic, group in groupby(words, key=lambda each: each.topic))
    return head + "".join(f"\n### {topic}\n\n{_table(group)}" for topic, group in topics)


def _table(words: list[Word]) -> str:
    rows = (f"| `{w.name}` | {w.about} | {_cell(w.doc)}{_parameters(w)} |\n" for w in words)
    return "| fact | about | what it says |\n|---|---|---|\n" + "".join(rows)


def _parameters(word: Word) -> str:
    each = "; ".join(f"{f'`{name}`' if name else 'alone'}: {_cell(doc)}" for name, doc in word.parameters)
    return f" Parameters: {each}." if each else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page())
