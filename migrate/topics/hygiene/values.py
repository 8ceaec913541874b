"""Values that Slurm refuses, and placeholders in a header that another program fills in."""

from __future__ import annotations

import re

from migrate.model import SLURM, Item, ValueForm
from migrate.rulebook.context import Context, once
from migrate.rulebook.facts import fact
from migrate.schedulers import DIALECTS

# A variable, or what programs that write scripts put for one: `{{x}}`, `{x}`, `<x>`, `%(x)s`, `@X@`, `__X__`, `[[x]]`.
_OPEN = re.compile(r"[$`{}<>]|@\w+@|%[({A-Za-z]|__\w+__|\[\[|\]\]")
_TEMPLATE = re.compile(r"(?<![\w.$@-])@[A-Z][A-Z0-9_]{2,}@(?![\w@])")


@fact(
    "value_taken",
    "What Slurm takes for the option, where it refuses the item's value; none where it takes it, or it is open.",
    about=("directive",),
)
def _value_taken(c: Context) -> str | None:
    item = c.item
    form = _refusing(c, item) if item is not None and item.constant else None
    return form.words if form and item is not None and not _OPEN.search(item.value or "") else None


@fact(
    "placeholder",
    "The first option in its lines that Slurm refuses until a program has filled it in; none without.",
    about="job",
)
def _placeholder(c: Context) -> str | None:
    return None if c.job.text.expands else _first_placeholder(c)


@once
def _first_placeholder(c: Context) -> str | None:
    for item in c.job.by_kind.get("directive", ()):
        if item.place in {"header", "dead"} and item.value and _OPEN.search(item.value):
            at = f"line {c.source.position(item.span.start)[0]}"
            if _TEMPLATE.search(item.value) or (item.dialect == SLURM and _refusing(c, item)):
                return f"`{item.name} {item.value}` ({at})"
    return None


def _refusing(c: Context, item: Item) -> ValueForm | None:
    """What Slurm takes for the option of the item, where it refuses its value; None where it takes it."""
    value = item.value
    if value is None or item.verb == "refused" or item.place not in {"header", "dead", "command"}:
        return None
    form = c.schedulers[SLURM].forms.get(item.name) if item.dialect == SLURM else None
    if form is None or (not value and item.program == DIALECTS[SLURM].submit_command):
        return None
    falls = form.rising and any(int(one) > int(other) > 0 for one, other in _RANGE.findall(value))
    return form if falls or not form.takes.fullmatch(value) else None


_RANGE = re.compile(r"(?<![:\d])(\d{1,9})-(\d{1,9})(?!\d)")
