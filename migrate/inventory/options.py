"""Options: directives and command-line options as items, and the settings that their values hold."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from migrate.commands import part_of, read_option, split_value
from migrate.frozen import dataclass
from migrate.inventory.collector import Collector, decoded
from migrate.model import SLURM, Assignment, Fate, Gap, Holder, Item, Kind, Option, OptionRow, Place, Source, Span, Word
from migrate.schedulers import DIALECTS, Directive, Part, is_foreign, is_obeyed
from migrate.schedulers.directive import of_part, one_line

# srun splits at every comma outside single quotes; Apptainer takes a text with one `=` whole, else splits at commas.
_PYXIS = ("--container-", "--no-container-")
_PARTS = {"resources": re.compile(r"[^,]+"), "attributes": re.compile(r"\w+=.*?(?=,\w+=|\Z)|[^,=]+")}
MCA_PREFIXES = {"mca": "OMPI_MCA_", "prte-mca": "PRTE_MCA_", "pmix-mca": "PMIX_MCA_"}  # by what an option holds
_SETTINGS = frozenset({"environment", "environment-list", "genv", *MCA_PREFIXES})
_JSON = re.compile(r'"([A-Za-z_]\w*)"\s*:\s*"([^"\\]*)"')
_LISTS = {"environment-list": re.compile(r"(?:[^,']|'[^']*')+"), "environment-map": re.compile(r"[^,]+")}


def take_directive(c: Collector, directive: Directive) -> None:
    if not directive.live and c.inside.meet(*directive.span):
        return  # a live one of the script that stands there
    if not directive.live and is_obeyed(directive.dialect) and not c.is_comment(directive.span.start):
        reason = "a directive that this script writes into another one: it was not read"
        c.gaps.append(Gap(directive.span, reason))
        return
    place: Place = "header" if directive.live else "dead"
    dialect = DIALECTS[directive.dialect]
    program = dialect.submit_command
    found = [part for option in directive.options for part in parts(option, directive.dialect)]
    erase = Span(directive.span.start, directive.span.start) if directive.text_only else directive.erase
    holder = Holder(directive.span, len(found) + len(directive.strays), erase)
    line = _Line(directive, place, program, holder)
    previous = directive.span.start + len(directive.prefix or dialect.prefix)
    for option in found:
        take_option(c, option, "directive", program=program, place=place, line=line, previous=previous)
        previous = option.span.end
    for word in directive.strays:
        _take_stray(c, word, line)
    if directive.fault and directive.live:
        c.gaps.append(Gap(directive.span, f"{directive.fault}: {program} refuses the script"))


@dataclass(slots=True)
class _Line:
    """What the options of one directive line share."""

    directive: Directive
    place: Place
    program: str
    holder: Holder

    @property
    def foreign(self) -> bool:
        return is_foreign(self.directive.dialect)


def inert_line(source: Source, item: Item) -> str:
    """A directive as a comment that no scheduler reads: `##PBS -q fast`, `##$ -l foo=1`, `##SBATCH -p gpu`."""
    prefix = DIALECTS[item.dialect].prefix
    text = " ".join(one_line(source.text(item.span).encode(), prefix).decode().split())
    text = text.lstrip(",")
    option, _, part = item.name.partition(" ")
    if part.endswith("]"):
        text = f"{option} {of_part(part, item.value or '')}"
    elif part and text.count('"') % 2 and DIALECTS[item.dialect].parts:  # its other quote went with another part
        text = text.replace('"', "")
    if not text.startswith("-"):
        text = f"{option} {text}" if part else f"-{text}" if option.startswith("-") else text
    glued = source.data.endswith(prefix.encode(), 0, item.span.start)
    return f"#{prefix}{text if glued and not option.startswith('-') else f' {text}'}"


def parts(option: Option, dialect: str) -> Sequence[Option]:
    """`-l h_rt=1:0:0,mem=4G`: each resource as an option of its own, `-l h_rt`; any other option as it is."""
    row, value = option.row, option.value
    if row is None or value is None or row.holds not in {"requests", *_PARTS}:
        return (option,)
    of_dialect = DIALECTS[dialect].parts if row.holds == "requests" else None
    of_value = of_dialect(option.name, value.text) if of_dialect else _listed(row, value.text)
    return tuple(_parts(option, value, tuple(of_value))) or (option,)


def _listed(row: OptionRow, text: str) -> Iterator[Part]:
    """`name` and `name=value`, between commas."""
    for match in _PARTS[row.holds].finditer(text):
        name, equals, _ = match[0].partition("=")
        value = (match.start() + len(name) + 1, match.end()) if equals else None
        yield Part(name, match.start(), match.end(), value)


def _parts(option: Option, listed: Word, found: Sequence[Part]) -> Iterator[Option]:
    start = option.span.start
    for part in found:
        value = part_of(listed, *part.value) if part.value else None
        is_last = part is found[-1]  # and takes the quote behind it along
        end = option.span.end if is_last else part_of(listed, part.start, part.stop).span.end
        yield replace(option, name=f"{option.name} {part.name}", span=Span(start, end), value=value)
        start = end


def _take_stray(c: Collector, word: Word, line: _Line) -> None:
    """A word of a directive line that is no option: `hetjob` means something to Slurm, anything else is refused."""
    name = decoded(word.text)
    fate: Fate = "kept"
    verb, reason = "", f"{line.program} reads no directive below the first command: it never counted"
    if name in {"hetjob", "packjob"} and not line.foreign:
        verb, reason = "component", "the directives below it are about another component of the job"
    elif line.place == "header":
        fate, verb = "review", "refused"
        reason = f"`{name}` is no option: {line.program} refuses the script because of it"
    c.add(
        Item(
            "directive",
            name,
            word.span,
            place=line.place,
            program=line.program,
            verb=verb,
            editable=line.foreign,
            fate=fate,
            reason=reason,
            holder=line.holder,
            dialect=line.directive.dialect,
            late=line.directive.late,
        )
    )


def take_option(  # noqa: PLR0913 - an option is all of these
    c: Collector,
    option: Option,
    kind: Kind,
    *,
    program: str,
    verb: str = "",
    place: Place = "command",
    line: _Line | None = None,
    previous: int | None = None,
    contained: bool = False,
    group: int | None = None,
    dialect: str = SLURM,
    family: str = "",
) -> None:
    """An option as an item, and what its value holds as items of their own."""
    # an option of another scheduler is written with the variable that holds its value, but for a queue's other name
    foreign = dialect != SLURM and option.row is not None
    as_written = foreign and not (option.row.form == "queue" and _is_settled(c, option))  # type: ignore[union-attr]
    if place == "command" and not as_written and (known := c.resolved(option.value)) is not option.value:
        option = replace(option, value=known)
    row, value, second = option.row, option.value, option.second
    text, constant, editable = None, True, row is not None and option.plain
    if value is not None:
        text, constant, editable = value.text, value.constant, editable and value.editable
    if second is not None:
        text, constant, editable = f"{text} {second.text}", constant and second.constant, editable and second.editable
    # of another tool's options none can stay as it is: rules say what becomes of them
    fate: Fate = "review" if row is None or family else row.fate
    if kind == "container-option" and fate == "removed":
        fate = "review"  # a rule takes it out; without that rule it stays, and is wrong
    reason = f"{option.fault}: it stays as it is" if row is None else row.reason
    if family:
        reason = f"an option of `{program} {verb}`, which is decided as a whole".replace(" `,", "`,")
    refused = kind == "directive" and fate == "review"
    if place == "dead":
        fate, reason = "kept", f"{program} reads no directive below the first command: it never counted"
    if row is not None and row.holds and family and value is not None:
        take_setting_word(c, value, value.extent, program, "value")  # beside the option, which is translated
    elif row is not None and (row.holds or row.sets) and look_into(c, option, program, place, contained=contained):
        return
    c.add(
        Item(
            kind,
            option.name,
            option.span,
            value=None if text is None else decoded(text),
            value_span=None if value is None else value.extent,
            place=place,
            program=program,
            verb="refused" if refused else verb,
            constant=constant,
            # what is replaced whole may be, whatever was undone in it: a line for another scheduler, an option of pyxis
            editable=editable
            or (line is not None and (line.foreign or option.name.startswith(_PYXIS)))
            or ((foreign or bool(family)) and place == "command" and _keeps_one_word(c, option)),
            holder=line.holder if line else None,
            group=group,
            family=family,
            dialect=(line.directive.dialect if line else dialect) if kind == "directive" else "",
            late=line is not None and line.directive.late,
            remove=None if previous is None else Span(previous, option.span.end),
            fate=fate,
            reason=reason,
        )
    )


def _keeps_one_word(c: Collector, option: Option) -> bool:
    """Whether quotes in an option only keep what the shell puts there in one word (`afterok:"$ID"`)."""
    base, words = c.text.at(0), [w for w in (option.value, option.second) if w is not None]
    near = c.text.exact and all(option.span.start <= w.span.start < option.span.end for w in words)
    return near and _DOUBLE_QUOTED.fullmatch(c.text.data, option.span.start - base, option.span.end - base) is not None


_DOUBLE_QUOTED = re.compile(rb"""(?:[^"'\\`$]|\$(?!['(]))*(?:"[^"'\\`]*"(?:[^"'\\`$]|\$(?!['(]))*)*""")


def _is_settled(c: Collector, option: Option) -> bool:
    """Whether a variable that is an option's value certainly holds one word there."""
    settled = c.settled.get((option.value.variable if option.value else None) or "")
    return settled is not None and settled[1] <= option.span.start


def look_into(c: Collector, option: Option, program: str, place: Place, *, contained: bool = False) -> bool:
    """Items inside an option's value; true when they stand for the option as a whole."""
    assert option.row is not None
    holds, value = option.row.holds, option.value
    if value is None:
        return False
    if option.row.sets:
        return take_setting(c, option.row.sets, value, option.span, program, "option")
    if holds == "environment" or (holds == "genv" and option.second is None):
        return take_setting_word(c, value, option.span, program, place)
    if holds in MCA_PREFIXES and option.second is not None:
        return take_setting(c, MCA_PREFIXES[holds] + value.text, option.second, option.span, program, "option")
    if holds == "genv" and option.second is not None:
        return take_setting(c, value.text, option.second, option.span, program, "option")
    if holds in _LISTS and not (holds == "environment-map" and value.text.count("=") == 1):
        for match in _LISTS[holds].finditer(value.text):
            part = part_of(value, match.start(), match.end())
            take_setting_word(c, part, part.span, program, "value")
    elif holds in _LISTS:
        take_setting_word(c, value, value.span, program, "value")
    elif holds == "environment-json":
        for match in _JSON.finditer(value.text):
            take_setting(c, match[1], part_of(value, *match.span(2)), value.part(*match.span()), program, "value")
    elif holds == "launcher-options":
        _take_options_in(c, value, program)
    elif holds == "command":
        c.script_in(value, contained=contained)
    return False


def _take_options_in(c: Collector, value: Word, program: str) -> None:
    """The settings among the options that one word has for mpirun, or for srun where Slurm starts the processes."""
    rows = {**c.tables.commands["srun"].options, **c.tables.commands["mpirun"].options}
    # a quote inside would make one word of several: then they are items, and stay
    plain = value.editable and not {'"', "'", "\\"} & {*value.text}
    words = [replace(w, editable=w.editable and plain) for w in split_value(value)]
    at = 0
    while at < len(words):
        found = read_option(words, at, rows, long_single_dash=True) if words[at].text.startswith("-") else None
        for option in found.options if found else ():
            if option.row is not None and option.row.holds in _SETTINGS:
                look_into(c, option, program, "command")
        at += found.used if found else 1


def take_setting_word(c: Collector, word: Word, span: Span, program: str, place: Place) -> bool:
    name, equals, _ = word.text.partition("=")
    value = part_of(word, len(name) + 1) if equals else None
    return take_setting(c, name, value, span, program, "option" if place == "command" else place)


def take_setting(  # noqa: PLR0913 - a setting is all of these
    c: Collector,
    name: str,
    value: Word | None,
    span: Span,
    program: str,
    place: Place,
    *,
    removal: Callable[[], Holder | Span | None] = lambda: None,
) -> bool:
    """An environment setting as an item, when its name belongs to a known family; `removal` says how it can go."""
    known = c.tables.setting(name)
    if known is None:
        return False
    if known.carries:
        inner = name[len(known.prefix) :]
        if take_setting(c, inner, value, span, program, place, removal=removal):
            return True
    if known.separator and value is not None:
        for match in re.finditer(f"[^{re.escape(known.separator)}]+", value.text):
            part = part_of(value, *match.span())
            take_setting_word(c, part, part.span, program, "value")
    text = None if value is None else decoded(value.text)
    gone = removal()
    c.add(
        Item(
            known.kind,
            decoded(name),
            span,
            value=text,
            value_span=None if value is None else value.extent,
            place=place,
            program=program,
            constant=value is None or value.constant,
            editable=value is None or value.editable,
            reason=known.reason,
            role=known.role(text, constant=value is None or value.constant),
            holder=gone if isinstance(gone, Holder) else None,
            remove=gone if isinstance(gone, Span) else None,
        )
    )
    return True


def take_assignment(c: Collector, assignment: Assignment, removal: Callable[[], Holder | Span | None]) -> None:
    """A variable that the script sets: a setting of a known family, or one that sbatch reads as an option."""
    if not take_setting(c, assignment.name, assignment.value, assignment.span, "", assignment.form, removal=removal):
        _take_input_variable(c, assignment.name, assignment.value, assignment.span)


def take_assigned_word(c: Collector, word: Word, program: str) -> None:
    """The same where the assignment is a word of a command (`env A=b`, `! export A=b`)."""
    if not take_setting_word(c, word, word.span, program, "command"):
        name, equals, _ = word.text.partition("=")
        _take_input_variable(c, name, part_of(word, len(name) + 1) if equals else None, word.span)


def _take_input_variable(c: Collector, name: str, value: Word | None, span: Span) -> None:
    option = c.tables.schedulers[SLURM].input_variables.get(name)
    if option and value is not None:
        row = c.tables.schedulers[SLURM].options.get(option)
        take_option(c, Option(option, name, span, value, row), "directive", program="sbatch", place="variable")
