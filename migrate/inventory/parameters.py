"""Parameter files: each setting as an item, named as the environment variable that means the same."""

from __future__ import annotations

import re

from migrate.inventory.collector import Collector, decoded
from migrate.inventory.options import take_setting
from migrate.model import Holder, Item, ParameterFile, Place, Tables, Word
from migrate.reader.parameters import GRAMMARS, Entry, entries


def sets_anything(file: ParameterFile, data: bytes, tables: Tables) -> bool:
    """Whether a file of this name is what the name says: it sets a variable of a known family."""
    found = entries(data, GRAMMARS[file.grammar])
    return any(isinstance(e, Entry) and tables.setting(_variable(file, e)) is not None for e in found)


def sets_known(text: bytes, tables: Tables) -> bool:
    """Whether a file of shell assignments, one a line, sets a variable of a known family."""
    return any(tables.setting(name.decode()) is not None for name in _ASSIGNMENT.findall(text))


_ASSIGNMENT = re.compile(rb"^[ \t]*(?:export[ \t]+)?([A-Za-z_]\w*)=", re.MULTILINE)


def take_parameters(c: Collector, file: ParameterFile) -> None:
    """Every line that is no comment: its settings as items, or a gap."""
    for entry in entries(c.text.data, GRAMMARS[file.grammar]):
        if isinstance(entry, Entry):
            _take_entry(c, file, entry)
        else:
            c.gaps.append(entry)


def _variable(file: ParameterFile, entry: Entry) -> str:
    return entry.name if entry.option == "x" else file.prefix + entry.name


def _take_entry(c: Collector, file: ParameterFile, entry: Entry) -> None:
    name = _variable(file, entry)
    value = None
    if entry.value is not None:
        text = c.text.data[slice(*entry.value)].decode("latin-1")
        value = Word(entry.value, text, constant=not {"$", "`"} & {*text}, editable=entry.editable)
    place: Place = "option" if entry.option else "assignment"
    holder = Holder(entry.line, entry.members, entry.line)
    if take_setting(c, name, value, entry.span, file.reader, place, removal=lambda: holder):
        return
    c.add(
        Item(
            "environment",
            decoded(name),
            entry.span,
            value=None if value is None else decoded(value.text),
            value_span=entry.value,
            place=place,
            program=file.reader,
            constant=value is None or value.constant,
            editable=entry.editable,
            holder=holder,
            reason=f"no setting of a network that is known; {file.reader} reads it as before",
        )
    )
