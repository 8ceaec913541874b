"""Relations: what rules ask of the commands around an item's own, or of the script as a whole.

`has` looks into a command (at its options, operands and items, and at what it starts), `inside` at what starts it,
`follows` at what stands before it. Each looks for a thing: a command, an option, an operand or an item (see `relation`
in rule.schema.json), and gives it as a text; None where there is no such thing.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from operator import attrgetter
from pathlib import Path
from typing import Any

from migrate.frozen import dataclass
from migrate.inventory.collector import decoded
from migrate.model import CommandTable, Invocation, Item, Job, ShellCommand, SifmigrateError, Span, Word
from migrate.reader.layout import NOWHERE
from migrate.rulebook.conditions import Test, condition, exact, with_dialects
from migrate.rulebook.context import Context
from migrate.tables.load import place

RELATIONS = ("has", "lacks", "inside", "follows")
_OF_SCRIPT = frozenset({"has", "lacks"})  # those that may be asked of a script as a whole
_Keys = Sequence["str | int"]


@dataclass(frozen=True, slots=True)
class _Subject:
    """What is asked about: a command, or an item that belongs to none."""

    readings: tuple[Invocation, ...]  # the command, once for each set of values that its variables may have
    at: int  # where its program stands
    line: int  # where the line begins that runs it


_Query = Callable[[Context, _Subject], "str | None"]


@dataclass(frozen=True)
class Relation:
    """A relation of a rule, asked of an item as facts are."""

    name: str
    query: _Query

    def __call__(self, c: Context) -> str | None:
        """What is found, worked out once for each command; nothing in what belongs to no command."""
        item, known = c.item, c.known
        if item is None:
            return None
        at = item.span.start if item.group is None else item.group
        if (self, at) not in known:
            known[self, at] = self._found(c, item, at)
        found: str | None = known[self, at]
        return found

    def _found(self, c: Context, item: Item, at: int) -> str | None:
        readings = c.job.started.get(at, ()) if item.group is not None else ()
        if self.name in _OF_SCRIPT and not readings:
            return None
        line = min([r.command.span.start for r in readings], default=at)
        return self.query(c, _Subject(readings, at, line))


@dataclass(frozen=True)
class OfScript:
    """A relation of a rule, asked of a script as a whole as facts are."""

    query: _Query

    def __call__(self, c: Context) -> str | None:
        """What is found, worked out once for each job."""
        known = c.known
        if self not in known:
            known[self] = self.query(c, _SCRIPT)
        found: str | None = known[self]
        return found


_SCRIPT = _Subject((), 0, 0)


# ---------------------------------------------------------------------------------------------- things


@dataclass(frozen=True)
class _Thing:
    """What a relation looks for."""

    sort: str  # command, option, operand, item
    tests: tuple[Callable[[Context, Any], bool], ...]
    queries: tuple[_Query, ...] = ()  # a command's own relations
    kind: str = ""  # of an item
    dead_too: bool = False  # whether it asks where an item stands: else directives that never counted are passed over
    programs: frozenset[str] = frozenset()  # where exact ones are wanted

    def first(self, c: Context, candidates: Iterable[Any]) -> str | None:
        """The first of the candidates that fits, as a text."""
        text = _TEXTS[self.sort]
        return next((text(each) for each in candidates if self.fits(c, each)), None)

    def fits(self, c: Context, candidate: Any) -> bool:
        for test in self.tests:
            if not test(c, candidate):
                return False
        return not self.queries or self._is_related(c, candidate)

    def _is_related(self, c: Context, command: Invocation) -> bool:
        known, key = c.known, (id(self), id(command))
        if key not in known:
            subject = _Subject((command,), command.program_word.span.start, command.command.span.start)
            known[key] = all(query(c, subject) is not None for query in self.queries)
        found: bool = known[key]
        return found


def _word_text(word: Word) -> str:
    return decoded(word.text)


_TEXTS: Mapping[str, Callable[[Any], str]] = {
    "command": attrgetter("program"),
    "option": attrgetter("name"),
    "operand": _word_text,
    "item": attrgetter("name"),
}
_FIELDS: Mapping[str, Mapping[str, Callable[[Any], Any]]] = {
    "command": {"program": attrgetter("program"), "verb": lambda i: i.verb or None},
    "option": {"option": attrgetter("name"), "value": lambda o: None if o.value is None else _word_text(o.value)},
    "operand": {"operand": _word_text, "constant": attrgetter("constant")},
    "item": {key: attrgetter(key) for key in ("name", "value", "verb", "place", "program", "fate", "family", "dialect")}
    | {"constant": attrgetter("constant")},
}


def _field(read: Callable[[Any], Any], test: Test, c: Context, candidate: Any) -> bool:
    return test(c, read(candidate))


def _is_of_kind(wanted: frozenset[str], _: Context, command: Invocation) -> bool:
    """Whether a command is of one of these kinds by its table, or by what srun does with its options."""
    if command.kind in wanted or ("container" in wanted and command.contains):
        return True
    return "launcher" in wanted and command.program == "srun"


# ---------------------------------------------------------------------------------------------- where to look


def _has(thing: _Thing, c: Context, subject: _Subject) -> str | None:
    held = _HELD[thing.sort]
    return thing.first(c, (each for reading in subject.readings for each in held(thing, c, reading)))


def _commands_in(_: _Thing, c: Context, command: Invocation) -> Iterator[Invocation]:
    """All that a command starts, by its words and in scripts among them."""
    yield from command.chain()[1:]
    for part in _scripts_in(c).get(id(command), ()):
        for reading in part.commands:
            yield from reading.chain()


def _scripts_in(c: Context) -> Mapping[int, list[Job]]:
    """The scripts inside each command, by its identity."""
    known = c.known
    if _scripts_in not in known:
        found: dict[int, list[Job]] = {}
        for part in c.job.parts()[1:]:
            for outer in c.job.around(part.text.at(0)):
                found.setdefault(id(outer), []).append(part)
        known[_scripts_in] = found
    scripts: Mapping[int, list[Job]] = known[_scripts_in]
    return scripts


def _items_of(thing: _Thing, c: Context, command: Invocation) -> Iterator[Item]:
    return _those(thing, c.job.by_group.get(command.program_word.span.start, ()))


def _those(thing: _Thing, items: Iterable[Item]) -> Iterator[Item]:
    return (i for i in items if i.kind == thing.kind and (thing.dead_too or i.place != "dead"))


_HELD: Mapping[str, Callable[[_Thing, Context, Invocation], Iterable[Any]]] = {
    "command": _commands_in,
    "option": lambda _, __, command: command.options,
    "operand": lambda _, __, command: command.operands,
    "item": _items_of,
}


def _in_script(thing: _Thing, c: Context, _: _Subject) -> str | None:
    if thing.sort == "item":
        return thing.first(c, _those(thing, c.job.by_kind.get(thing.kind, ())))
    by_program = c.job.by_program
    named = (by_program.get(p, ()) for p in sorted(thing.programs)) if thing.programs else by_program.values()
    return thing.first(c, chain.from_iterable(named))


def _inside(thing: _Thing, c: Context, subject: _Subject) -> str | None:
    return thing.first(c, _around(c.job, subject.at))


def _around(job: Job, at: int) -> Iterator[Invocation]:
    """What starts the program at a place, on each line that runs it, and what stands around the scripts there."""
    lines = job.starting.get(at)
    contained = False
    for outer in chain.from_iterable(lines) if lines else job.around(at):
        contained = contained or outer.contains
        yield outer
    if not contained and (job.contained or job.in_contained_part(at)):
        yield _CONTAINER


_NOTHING = ShellCommand(Span(0, 0), (), (), NOWHERE)
_ANY = CommandTable((), "container", {}, {}, ())
# what stands around the commands of a script that runs in a container as a whole
_CONTAINER = Invocation("", "", Word(Span(0, 0), ""), _ANY, (), (), (), (), _NOTHING)


def _follows(thing: _Thing, c: Context, subject: _Subject) -> str | None:
    ends, programs = _by_end(thing, c)
    number = bisect_right(ends, subject.line)
    return programs[number - 1] if number else None


def _by_end(thing: _Thing, c: Context) -> tuple[list[int], list[str]]:
    """Where the commands end that fit, in order, and their programs: looked for once a job."""
    known, key = c.known, (_by_end, id(thing))
    if key not in known:
        fitting = [i for i in c.job.invocations() if thing.fits(c, i)]
        found = sorted({(_end(i), i.program) for i in fitting})
        known[key] = [end for end, _ in found], [program for _, program in found]
    ends: tuple[list[int], list[str]] = known[key]
    return ends


def _end(inner: Invocation) -> int:
    command = inner.command
    return max(command.span.end, command.heredoc.whole.end) if command.heredoc else command.span.end


_LOOKS: Mapping[str, Callable[[_Thing, Context, _Subject], str | None]] = {
    "has": _has,
    "inside": _inside,
    "follows": _follows,
    "script": _in_script,
}


# ---------------------------------------------------------------------------------------------- several


def _any(queries: tuple[_Query, ...], c: Context, subject: _Subject) -> str | None:
    return next((found for query in queries if (found := query(c, subject)) is not None), None)


def _all(queries: tuple[_Query, ...], c: Context, subject: _Subject) -> str | None:
    found = [query(c, subject) for query in queries]
    return None if None in found else found[0]


def _none(query: _Query, c: Context, subject: _Subject) -> str | None:
    return "yes" if query(c, subject) is None else None


# ---------------------------------------------------------------------------------------------- compiling


def relations(path: Path, match: Mapping[str, Any]) -> dict[str, Relation]:
    """What a rule's `match` asks of the commands around an item.

    Raises SifmigrateError with its place where it can ask no such thing.
    """
    found = {name: match[name] for name in RELATIONS if name in match and "item" in match}
    for name in found:
        _check_item(path, name, match)
    return {name: Relation(name, _relation(path, ["match", name], name, wanted)) for name, wanted in found.items()}


def of_script(path: Path, match: Mapping[str, Any]) -> dict[str, OfScript]:
    """What a rule's `match` asks of the script as a whole: in `job`, or without an `item` beside it.

    Raises SifmigrateError with its place where it can ask no such thing.
    """
    found: dict[str, OfScript] = {}
    for keys, wanted in ((["match", "job"], match.get("job", {})), (["match"], {} if "item" in match else match)):
        for name in RELATIONS:
            if name in wanted and name not in _OF_SCRIPT:
                raise _fault(path, [*keys, name], f"`{name}` asks about an item, but `item` is missing")
            if name in wanted and name in found:
                raise _fault(
                    path, [*keys, name], f"`{name}` stands in `job` already, which is the same: write both there"
                )
            if name in wanted:
                found[name] = OfScript(_relation(path, [*keys, name], name, wanted[name], "script"))
    return found


def _check_item(path: Path, name: str, match: Mapping[str, Any]) -> None:
    """Raise SifmigrateError where the rule's items are no part of a command."""
    kind, places = match["item"], exact(match.get("place"))
    if kind == "directive" and places and places <= {"header", "dead"}:
        raise _fault(
            path, ["match", name], f"a directive of the header belongs to no command, so `{name}` asks nothing"
        )
    if name in _OF_SCRIPT and kind in _OF_NO_COMMAND:
        message = (
            f"items of the kind {kind} have no command of their own: `inside` asks about the one in which they stand"
        )
        raise _fault(path, ["match", name], message)


_OF_NO_COMMAND = frozenset({"module", "environment", "scheduler-variable", "path"})


def _relation(path: Path, keys: _Keys, name: str, wanted: Any, where: str = "") -> _Query:
    if name == "lacks":
        return partial(_none, _query(path, keys, where or "has", wanted))
    return _query(path, keys, where or name, wanted)


def _query(path: Path, keys: _Keys, where: str, wanted: Any) -> _Query:
    if isinstance(wanted, list):
        return partial(_any, tuple(_query(path, [*keys, n], where, each) for n, each in enumerate(wanted)))
    for key in ("not", "all"):
        if key in wanted and len(wanted) > 1:
            other = next(k for k in wanted if k != key)
            raise _fault(path, [*keys, other], f"`{key}` stands alone; `{{all: [A, {{not: B}}]}}` asks for both")
    if "not" in wanted:
        return partial(_none, _query(path, [*keys, "not"], where, wanted["not"]))
    if "all" in wanted:
        parts = enumerate(wanted["all"])
        return partial(_all, tuple(_query(path, [*keys, "all", n], where, each) for n, each in parts))
    return partial(_LOOKS[where], _thing(path, keys, where, wanted))


def _thing(path: Path, keys: _Keys, where: str, wanted: Mapping[str, Any]) -> _Thing:
    sort = next((s for s in ("item", "option", "operand") if s in wanted), "command")
    fields = _FIELDS[sort]
    known = [*fields, *{"command": ("kind", *RELATIONS), "item": ("item",)}.get(sort, ())]
    for key in wanted:
        if key not in known:
            raise _fault(
                path, [*keys, key], f"`{key}` is asked of no {sort}, only {', '.join(f'`{k}`' for k in known)}"
            )
    if sort not in _SORTS[where]:
        raise _fault(path, [*keys, sort], _ELSEWHERE[where])
    if "dialect" in wanted:
        wanted = {**wanted, "dialect": with_dialects(path, [*keys, "dialect"], wanted["dialect"])}
    tests = [partial(_field, fields[k], condition(path, [*keys, k], v)) for k, v in wanted.items() if k in fields]
    kind = wanted.get("kind", [])
    if kind:
        tests.append(partial(_is_of_kind, frozenset([kind] if isinstance(kind, str) else kind)))
    return _Thing(
        sort,
        tuple(tests),
        tuple(_relation(path, [*keys, name], name, wanted[name]) for name in RELATIONS if name in wanted),
        wanted.get("item", ""),
        "place" in wanted,
        exact(wanted.get("program")) if sort == "command" else frozenset(),
    )


_SORTS: Mapping[str, frozenset[str]] = {
    "has": frozenset({"command", "option", "operand", "item"}),
    "inside": frozenset({"command"}),
    "follows": frozenset({"command"}),
    "script": frozenset({"command", "item"}),
}
_ELSEWHERE: Mapping[str, str] = {
    "inside": "`inside` looks for commands; of one that has this: `{program: NAME, has: {…}}`",
    "follows": "`follows` looks for commands; of one that has this: `{program: NAME, has: {…}}`",
    "script": "a script has commands and items; of a command that has this: `{program: NAME, has: {…}}`",
}


def _fault(path: Path, keys: _Keys, what: str) -> SifmigrateError:
    return SifmigrateError(f"{place(path, keys)}: {what}")
