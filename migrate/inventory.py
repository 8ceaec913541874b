"""Inventory: everything in a script that a migration must decide, as items; scripts inside scripts included."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from migrate.commands import Variables, interpret, part_of, split_value
from migrate.model import (
    Assignment,
    Fate,
    Gap,
    Holder,
    Invocation,
    Item,
    Job,
    Kind,
    Option,
    ShellCommand,
    Source,
    Span,
    Statement,
    Tables,
    Text,
    Word,
)
from migrate.reader import Layout, lay_out
from migrate.reader.words import agreed
from migrate.schedulers import Directive, read_directives

_SHEBANG = re.compile(rb"#![ \t]*(?:\S*/)?(?:env[ \t]+(?:-S[ \t]+)?(?:\S*/)?)?([A-Za-z0-9_.+-]+)")
_SHELLS = frozenset({"bash", "sh", "ksh", "dash", "ash", "zsh", ""})
_FOREIGN = {
    "pbs": re.compile(rb"^[ \t]*#PBS[ \t]", re.MULTILINE),
    "grid_engine": re.compile(rb"^#\$[ \t]*-", re.MULTILINE),
}
_JOB_TEXT = re.compile(rb"^#(?:SBATCH|PBS|\$)[ \t]*-", re.MULTILINE)
_VARIABLE = re.compile(rb"(?<![A-Za-z0-9_])(?:SLURM|SBATCH)_[A-Z0-9_]+")
_DEFAULTED = re.compile(rb"\$\{([A-Za-z_][A-Za-z0-9_]*):?=")
# Programs that only speak of others, or look for them.
_SPEAKERS = frozenset(
    {
        "echo",
        "printf",
        "which",
        "type",
        "hash",
        "grep",
        "man",
        "alias",
        "test",
        "[",
        "pgrep",
        "pkill",
        "killall",
        "sed",
        "awk",
        "apt",
        "apt-get",
        "pip",
        "conda",
        "for",
        "cd",
        "ls",
        "rm",
        "git",
    }
)
_WRITTEN = re.compile(rb"(?<=[^\n])#SBATCH[ \t]+-[^\"'\n]*")
_SCHEDULERS = frozenset({"sbatch", "srun", "salloc"})
_OPTION_KINDS: Mapping[str, Kind] = {
    "scheduler": "directive",
    "launcher": "launcher-option",
    "container": "container-option",
}
# srun splits at every comma outside single quotes; Apptainer takes a text with one `=` whole, else splits at commas.
_LISTS = {"environment-list": re.compile(r"(?:[^,']|'[^']*')+"), "environment-map": re.compile(r"[^,]+")}
_DEPTH = 4


def take(source: Source, tables: Tables) -> Job:
    """Every item of a script; any bytes will do."""
    return _Inventory(tables).job(Text(source.data), {}, 0)


@dataclass
class _Inventory:
    tables: Tables

    def job(self, text: Text, outer: Variables, depth: int, *, contained: bool = False, frozen: bool = False) -> Job:
        match = _SHEBANG.match(text.data)
        shell = match[1].decode("latin-1") if match else ""
        directives = list(read_directives(text, self.tables.schedulers["slurm"], self.tables.commands["sbatch"]))
        dialect = "slurm" if any(d.live for d in directives) else _foreign(text)
        headers = [d.span for d in directives if d.live]
        collector = _Collector(self, text, depth, headers, contained=contained, frozen=frozen)
        if shell in _SHELLS:
            dead = next((d.span.start for d in directives if not d.live), text.at(0))
            collector.body(outer, above=dead - text.at(0) if text.exact else 0)
        elif text.data.strip():
            start = text.data.find(b"\n") + 1
            reason = f"a {shell} program: its directives were read, its body was not"
            collector.gaps.append(Gap(text.span(start, len(text.data)), reason))
        for directive in directives:
            collector.directive(directive)
        live = [d for d in directives if d.live]
        insert_at = live[-1].span.end if live else None
        return Job(
            text=text,
            shell=shell,
            dialect=dialect,
            items=tuple(sorted(collector.items.values(), key=lambda i: (i.span, i.kind, i.name))),
            commands=tuple(collector.commands),
            gaps=tuple(sorted(collector.gaps, key=lambda g: g.span)),
            jobs=tuple(collector.jobs),
            variables={name: tuple(v[0] for v in vs if len(v) == 1) for name, vs in collector.variables.items()},
            insert_at=insert_at,
            directive_prefix=f"{self.tables.schedulers['slurm'].prefix} " if live else "",
            functions=frozenset(collector.functions),
            contained=contained,
        )


def _foreign(text: Text) -> str | None:
    return next((name for name, pattern in _FOREIGN.items() if pattern.search(text.data)), None)


@dataclass
class _Collector:
    """Gathers one job's items; an item that two readings of a line both find is one item."""

    inventory: _Inventory
    text: Text
    depth: int
    headers: list[Span]  # live directive lines
    contained: bool = False
    items: dict[tuple[Span, Kind, str], Item] = field(default_factory=dict)
    gaps: list[Gap] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)
    commands: list[Invocation] = field(default_factory=list)
    variables: dict[str, tuple[tuple[Word, ...], ...]] = field(default_factory=dict)
    functions: set[str] = field(default_factory=set)
    frozen: bool = False  # it stands in bytes that were not understood: nothing in it is edited
    inner: list[Span] = field(default_factory=list)  # file spans of the scripts inside this one

    @property
    def tables(self) -> Tables:
        return self.inventory.tables

    def add(self, item: Item) -> None:
        item = replace(item, editable=item.editable and not self.frozen)
        self.items.setdefault((item.span, item.kind, item.name), item)

    # ---------------------------------------------------------------------------------------- directives

    def directive(self, directive: Directive) -> None:
        if not directive.live and any(_covers(span, directive.span) for span in self.inner):
            return  # a live one of the script that stands there
        place = "header" if directive.live else "dead"
        members = len(directive.options) + len(directive.strays)
        holder = Holder(directive.span, members, directive.erase)
        previous = directive.span.start + len(self.tables.schedulers["slurm"].prefix)
        for option in directive.options:
            self.option(option, "directive", program="sbatch", place=place, holder=holder, previous=previous)
            previous = option.span.end
        for word in directive.strays:
            self.stray(word, place)
        if directive.fault and directive.live:
            self.gaps.append(Gap(directive.span, f"{directive.fault}: sbatch refuses the script"))

    def stray(self, word: Word, place: str) -> None:
        """A word of a directive line that is no option: `hetjob` means something, anything else is refused."""
        name = decoded(word.text)
        fate: Fate = "kept"
        verb, reason = "", "sbatch reads no directive below the first command: it never counted"
        if name in {"hetjob", "packjob"}:
            verb, reason = "component", "the directives below it are about another component of the job"
        elif place == "header":
            fate, verb, reason = "review", "refused", f"`{name}` is no option: sbatch refuses the script because of it"
        self.add(
            Item(
                "directive",
                name,
                word.span,
                place=place,
                program="sbatch",
                verb=verb,
                editable=False,
                fate=fate,
                reason=reason,
            )
        )

    def option(  # noqa: PLR0913 - an option is all of these
        self,
        option: Option,
        kind: Kind,
        *,
        program: str,
        verb: str = "",
        place: str = "command",
        holder: Holder | None = None,
        previous: int | None = None,
        contained: bool = False,
        group: int | None = None,
    ) -> None:
        """An option as an item, and what its value holds as items of their own."""
        if place == "command":
            option = replace(option, value=self.resolved(option.value))
        row, value = option.row, option.value
        words = [w for w in (value, option.second) if w is not None]
        fate: Fate = "review" if row is None else row.fate
        reason = f"{option.fault}: it stays as it is" if row is None else row.reason
        if row is not None and row.holds and self.held(option, program, place, contained=contained):
            return
        self.add(
            Item(
                kind,
                option.name,
                option.span,
                value=None if value is None else decoded(" ".join(w.text for w in words)),
                value_span=None if value is None else value.part(0),
                place=place,
                program=program,
                verb="refused" if kind == "directive" and fate == "review" else verb,
                constant=all(w.constant for w in words),
                editable=all(w.editable for w in words) and row is not None,
                holder=holder,
                group=group,
                remove=None if previous is None else Span(previous, option.span.end),
                fate="kept" if place == "dead" else fate,
                reason="sbatch reads no directive below the first command: it never counted"
                if place == "dead"
                else reason,
            )
        )

    def resolved(self, value: Word | None) -> Word | None:
        """`--partition=$P`: the word that P holds, where the script gives it one value and no other."""
        values = self.variables.get(value.variable or "", ()) if value else ()
        return values[0][0] if len(values) == 1 and len(values[0]) == 1 and values[0][0].constant else value

    def expanded(self, text: str) -> str:
        """The text with the variables replaced whose one value the script gives; to decide by, never to write."""

        def value(match: re.Match[str]) -> str:
            values = self.variables.get(match[1] or match[2], ())
            known = values[0][0] if len(values) == 1 and len(values[0]) == 1 else None
            return known.text if known is not None and known.constant else match[0]

        return re.sub(r"\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)\})", value, text)

    def held(self, option: Option, program: str, place: str, *, contained: bool = False) -> bool:
        """Items inside an option's value; true when they stand for the option as a whole."""
        assert option.row is not None
        holds, value = option.row.holds, option.value
        if value is None:
            return False
        if holds == "environment" or (holds == "genv" and option.second is None):
            return self.setting_word(value, option.span, program, place)
        if holds == "mca" and option.second is not None:
            return self.setting(f"OMPI_MCA_{value.text}", option.second, option.span, program, "option")
        if holds == "genv" and option.second is not None:
            return self.setting(value.text, option.second, option.span, program, "option")
        if holds in _LISTS and not (holds == "environment-map" and value.text.count("=") == 1):
            for match in _LISTS[holds].finditer(value.text):
                part = part_of(value, match.start(), match.end())
                self.setting_word(part, part.span, program, place)
        elif holds in _LISTS:
            self.setting_word(value, value.span, program, place)
        if holds == "command":
            self.script_in(value, contained=contained)
        return False

    # -------------------------------------------------------------------------------------- environment

    def setting_word(self, word: Word, span: Span, program: str, place: str) -> bool:
        name, equals, _ = word.text.partition("=")
        value = part_of(word, len(name) + 1) if equals else None
        return self.setting(name, value, span, program, "option" if place == "command" else place)

    def setting(self, name: str, value: Word | None, span: Span, program: str, place: str) -> bool:
        """An environment setting as an item, when its name belongs to a known family."""
        known = next((s for s in self.tables.settings if name.startswith(s.prefix)), None)
        if known is None:
            return False
        if known.carries:
            inner = name[len(known.prefix) :]
            if self.setting(inner, value, span, program, place):
                return True
        self.add(
            Item(
                known.kind,
                decoded(name),
                span,
                value=None if value is None else decoded(value.text),
                value_span=None if value is None else value.part(0),
                place=place,
                program=program,
                constant=value is None or value.constant,
                editable=value is None or value.editable,
                reason=known.reason,
            )
        )
        return True

    # --------------------------------------------------------------------------------------------- body

    def body(self, outer: Variables, *, above: int) -> None:
        layout = lay_out(self.text, inner=self.depth > 0, above=above)
        self.gaps += layout.gaps
        self.functions.update(name for name, _ in layout.functions)
        assignments = list(layout.assignments())
        self.variables.update(outer)
        self.variables.update(self.known_values(layout, assignments))
        for assignment in assignments:
            self.assignment(assignment)
        for node, ranges, nodes in layout.commands():
            if not ranges or layout.in_twins(node.start_byte):
                continue
            command = layout.first_word(node, ranges)
            first = command.words[0]
            if first.constant and first.text.rsplit("/", 1)[-1] not in self.tables.commands and node.type == "command":
                self.commands += interpret(command, {}, self.tables.commands)
                self.unread(first.text, node.start_byte, node.end_byte)
                continue
            damaged = layout.is_damaged(node.start_byte, node.end_byte)
            command = layout.shell_command(node, ranges, editable=not damaged)
            readings = interpret(command, self.variables, self.tables.commands)
            matters = any(i.table is not None for r in readings for i in r.chain())
            if matters and not damaged and not layout.agrees(node, ranges, nodes):
                reason = "the two parsers do not agree on the words of this command; it is not edited"
                self.gaps.append(Gap(command.span, reason))
                command = layout.shell_command(node, ranges, editable=False)
                readings = interpret(command, self.variables, self.tables.commands)
            for reading in readings:
                self.invocation(reading)
        for document in layout.heredocs:
            if not self.is_taken(document.text) and _JOB_TEXT.search(document.text.data):
                self.script(document.text, frozen=self.is_damaged(layout, document.text))
        self.hidden_commands(assignments)
        self.mentions(layout)

    def unread(self, program: str, start: int, end: int) -> None:
        """Programs that matter, started by one that no table describes (`find -exec sbatch`): said, since not read."""
        if program in _SPEAKERS:
            return
        for word in self.text.data[start:end].split()[1:]:
            table = self.tables.commands.get(word.decode("latin-1"))
            if table is not None and table.kind in {"container", "scheduler", "launcher"}:
                name = word.decode("latin-1")
                reason = f"`{name}` stands in a `{decoded(program)}` command, whose words no table tells apart"
                self.gaps.append(Gap(self.text.span(start, end), reason))
                return

    def is_damaged(self, layout: Layout, text: Text) -> bool:
        base = self.text.at(0)
        return bool(layout.damaged) and (
            not self.text.exact or layout.is_damaged(text.at(0) - base, text.at(0) - base + 1)
        )

    def is_taken(self, text: Text) -> bool:
        return any(span.start == text.at(0) for span in self.inner)

    def known_values(self, layout: Layout, assignments: list[Assignment]) -> dict[str, tuple[tuple[Word, ...], ...]]:
        """For each variable every value that the script gives it, each as the words into which it would split."""
        values: dict[str, list[tuple[Word, ...]]] = {}
        for a in assignments:
            if a.form == "prefix":
                continue
            words = a.array if a.array is not None else split_value(self.checked(layout, a)) if a.value else ()
            grows = a.append or (len(words) > 1 and words[0].variable == a.name)
            if grows:
                tail = words if a.append else words[1:]
                bases = values.get(a.name, [()])
                values[a.name] = [(*base, *tail) for base in bases]
            else:
                values.setdefault(a.name, []).append(words)
        return {name: tuple(dict.fromkeys(v)) for name, v in values.items()}

    def checked(self, layout: Layout, assignment: Assignment) -> Word:
        """An assignment's value; one that hides a command may only be edited when both parsers agree on it."""
        word = assignment.value
        assert word is not None
        if (
            not word.quoted
            or not self.text.exact
            or not any(w.text.rsplit("/", 1)[-1] in self.tables.commands for w in split_value(word))
        ):
            return word
        base = self.text.at(0)
        start, end = assignment.span.start - base, assignment.span.end - base
        if agreed(self.text.data, start, end, [(start, end)], layout.holes_in(start, end)):
            return word
        self.gaps.append(Gap(assignment.span, "the two parsers do not agree on this value; it is not edited"))
        return replace(word, editable=False)

    def assignment(self, assignment: Assignment) -> None:
        if self.setting(assignment.name, assignment.value, assignment.span, "", assignment.form):
            return
        option = self.tables.schedulers["slurm"].input_variables.get(assignment.name)
        if option and assignment.value is not None:
            row = self.tables.schedulers["slurm"].options.get(option)
            self.option(
                Option(option, assignment.name, assignment.span, assignment.value, row),
                "directive",
                program="sbatch",
                place="variable",
            )

    def hidden_commands(self, assignments: list[Assignment]) -> None:
        """Commands in variables that no line of this script was seen to run."""
        seen = {i.program_word.span for reading in self.commands for i in reading.chain()}
        nowhere = Statement(Span(0, 0), b"", None, 0)
        for a in assignments:
            for words in self.variables.get(a.name, ()):
                program = words[0].text.rsplit("/", 1)[-1] if words else ""
                table = self.tables.commands.get(program)
                if len(words) < 2 or table is None or words[0].span in seen:  # noqa: PLR2004
                    continue
                if table.verbs and words[1].text not in table.verbs and not words[1].text.startswith("-"):
                    continue  # names in a list, no command
                command = ShellCommand(a.span, words, (), nowhere)
                for reading in interpret(command, self.variables, self.tables.commands):
                    kinds = {i.table.kind for i in reading.chain() if i.table}
                    if kinds & {"container", "launcher"} or (kinds and reading.program in _SCHEDULERS):
                        self.invocation(reading, runs=False)
                        seen.add(words[0].span)

    # ----------------------------------------------------------------------------------------- commands

    def invocation(self, reading: Invocation, *, runs: bool = True) -> None:
        if runs:
            self.commands.append(reading)
        contained = self.contained
        for inner in reading.chain():
            if inner.table is not None:
                self.tabled(inner, outermost=inner is reading, contained=contained)
            elif _is_script(inner):
                self.feed(inner, contained=contained)
            contained = contained or (inner.table is not None and inner.table.kind == "container")

    def tabled(self, inner: Invocation, *, outermost: bool, contained: bool) -> None:
        table = inner.table
        assert table is not None
        if table.kind == "module":
            self.module(inner, outermost=outermost and not contained)
            return
        if table.kind == "source":
            self.sourced(inner, outermost=outermost)
            return
        kind = _OPTION_KINDS.get(table.kind)
        if table.kind == "scheduler":
            self.program(inner, "scheduler-command")
            kind = "directive" if inner.program in _SCHEDULERS else None
        elif table.kind == "container":
            self.container(inner)
        for option in inner.options:
            if kind is not None:
                self.option(
                    option,
                    kind,
                    program=inner.program,
                    verb=inner.verb,
                    contained=contained,
                    group=inner.program_word.span.start,
                )
            elif option.row is not None and option.row.holds:
                self.held(option, inner.program, "command", contained=contained)
        for word in inner.operands if table.assignments else ():
            self.setting_word(word, word.span, inner.program, "command")
        if table.joins and inner.payload and " " in inner.payload[0].program_word.text:
            self.script_in(inner.payload[0].program_word, contained=contained)
        if table.kind in {"shell", "scheduler", "container"}:
            self.feed(inner, contained=contained or table.kind == "container")

    def program(self, inner: Invocation, kind: Kind) -> None:
        table, word = inner.table, inner.program_word
        assert table is not None
        verb = table.verbs.get(inner.verb)
        name = f"{inner.program} {inner.verb}".strip()
        unknown = bool(table.verbs) and verb is None and bool(inner.verb)
        fate = "review" if unknown else (verb or table).fate
        reason = f"`{name}` is in no table; it stays as it is" if unknown else (verb or table).reason or table.reason
        start = len(word.text) - len(inner.program)
        self.add(
            Item(
                kind,
                inner.program,
                word.span,
                value=decoded(word.text),
                value_span=word.part(max(start, 0)),
                place="command",
                program=inner.program,
                verb=inner.verb,
                editable=word.editable,
                fate=fate,
                reason=reason,
            )
        )

    def container(self, inner: Invocation) -> None:
        self.program(inner, "container-command")
        verb = inner.table.verbs.get(inner.verb) if inner.table else None
        layout = verb.operands if verb else ()
        for name, word in zip(layout, inner.operands, strict=False):
            if name == "image":
                self.add(
                    Item(
                        "image",
                        decoded(word.text),
                        word.span,
                        value=decoded(self.expanded(word.text)),
                        value_span=word.part(0),
                        place="command",
                        program=inner.program,
                        verb=inner.verb,
                        constant=word.constant,
                        editable=word.editable,
                        reason="the image that the command names",
                    )
                )

    def module(self, inner: Invocation, *, outermost: bool) -> None:
        command = inner.command
        statement = command.statement
        verb = inner.verb or ("list" if inner.program == "ml" else "")
        words = [w for w in inner.operands if not (w.text.startswith("-") and w.text != "-")]
        # the words of the command as it is written: a name that came out of a variable cannot be taken out of it
        written = {w.span for w in command.words}
        names = [w for w in words if w.text] or [inner.program_word]
        holder = Holder(
            command.span, len(names), statement.erase, statement.leave, statement.block, statement.block_size
        )
        editable = outermost and all(w.span in written for w in inner.operands)
        for word in names:
            bare = word is inner.program_word
            before = max((w.span.end for w in command.words if w.span.end <= word.span.start), default=None)
            self.add(
                Item(
                    "module",
                    self.module_name(verb or "module" if bare else word.text),
                    command.span if bare else word.span,
                    value=None if bare else decoded(word.text),
                    value_span=None if bare else word.part(0),
                    place="command",
                    program=inner.program,
                    verb=verb,
                    constant=bare or word.constant,
                    editable=editable and word.editable,
                    holder=holder,
                    remove=None if bare or before is None else Span(before, word.span.end),
                    fate="review",
                    reason="no rule decides this line",
                )
            )

    def module_name(self, text: str) -> str:
        """The module's name without its version; `container-runtime` for what every target has."""
        if re.fullmatch(self.tables.runtime_modules, text):
            return "container-runtime"
        return decoded(text.split("/", maxsplit=1)[0])

    def sourced(self, inner: Invocation, *, outermost: bool) -> None:
        """`source FILE`: a file that sets up `module` counts as a module line."""
        if not inner.operands:
            return
        word, command = inner.operands[0], inner.command
        if re.search(self.tables.startup_files, word.text):
            name = decoded(word.text.rsplit("/", 1)[-1])
            reason = "a person's own start-up file, which stays"
            self.add(
                Item(
                    "path",
                    name,
                    word.span,
                    value=decoded(word.text),
                    program=inner.program,
                    verb="startup",
                    reason=reason,
                )
            )
        if not re.search(self.tables.module_init, word.text):
            return
        statement = command.statement
        self.add(
            Item(
                "module",
                "init",
                command.span,
                value=decoded(word.text),
                value_span=word.part(0),
                place="command",
                program=inner.program,
                verb="init",
                constant=word.constant,
                editable=outermost and word.editable,
                holder=Holder(command.span, 1, statement.erase, statement.leave, statement.block, statement.block_size),
                fate="review",
                reason="no rule decides this line",
            )
        )

    # ----------------------------------------------------------------------------- scripts inside scripts

    def feed(self, inner: Invocation, *, contained: bool) -> None:
        """A here-document that a shell (also one in a container) or sbatch reads as a script."""
        document = inner.command.heredoc
        if document is None or self.is_taken(document) or (inner.payload and not contained):
            return
        if inner.table is None or inner.table.kind in {"shell", "scheduler"} or contained:
            self.script(document, contained=contained, frozen=not inner.program_word.editable)

    def script_in(self, word: Word, *, contained: bool) -> None:
        """A script in a word (`bash -c '…'`, `--wrap="…"`), however its quotes are put together."""
        data = word.text.encode("latin-1")
        offsets = word.offsets or (word.span.start,)
        whole = word.offsets is None or offsets[-1] - offsets[0] == len(offsets) - 1
        text = Text(data, offsets[0]) if whole else Text(data, (*offsets, offsets[-1] + 1))
        self.script(text, contained=contained, frozen=not word.editable and whole)

    def script(self, text: Text, *, contained: bool = False, frozen: bool = False) -> None:
        if self.depth >= _DEPTH or not text.data.strip():
            return
        self.inner.append(text.span(0, len(text.data)))
        frozen, contained = frozen or self.frozen, contained or self.contained
        job = self.inventory.job(text, self.variables, self.depth + 1, contained=contained, frozen=frozen)
        self.jobs.append(job)

    # ------------------------------------------------------------------------------ names met in the text

    def mentions(self, layout: Layout) -> None:
        """Scheduler variables and site paths, wherever bash or a program may see them; comments left out."""
        data = self.text.data
        hidden = [*layout.comments, *layout.raw_strings]
        table = self.tables.schedulers["slurm"]
        assigned = {a.name for a in layout.assignments()}
        for match in _VARIABLE.finditer(data):
            if _inside(match.start(), hidden) or self.is_inner(match.start()):
                continue
            name = match[0].decode("latin-1")
            if name in table.input_variables and name in assigned:
                continue
            known = table.variables.get(name)
            reason = known or ("the script itself sets it" if name in assigned else "")
            self.add(
                Item(
                    "scheduler-variable",
                    name,
                    self.text.span(match.start(), match.end()),
                    place="body",
                    editable=self.text.contiguous(*match.span()) and not layout.is_damaged(*match.span()),
                    fate="kept" if reason else "review",
                    reason=reason or "Slurm sets no variable of this name: it was the old site's, or it is misspelt",
                )
            )
        for match in _WRITTEN.finditer(data):
            if not _inside(match.start(), layout.comments) and not self.is_inner(match.start()):
                reason = "a directive that this script writes into another one: it was not read"
                self.gaps.append(Gap(self.text.span(*match.span()), reason))
        for match in _DEFAULTED.finditer(data):  # `: ${X:=value}` sets X
            if not _inside(match.start(), hidden) and not self.is_inner(match.start()):
                name = match[1].decode("latin-1")
                self.setting(name, None, self.text.span(match.start(1), match.end(1)), "", "assignment")
        images = [i.span for i in self.items.values() if i.kind == "image"]
        for match in self.paths().finditer(data):
            span = self.text.span(match.start(), match.end())
            commented = _inside(match.start(), layout.comments) and not any(_covers(h, span) for h in self.headers)
            if commented or self.is_inner(match.start()) or any(_covers(i, span) for i in images):
                continue
            self.add(
                Item(
                    "path",
                    match[1].decode("latin-1"),
                    span,
                    value=decoded(match[0].decode("latin-1")),
                    value_span=self.text.span(match.start(1), match.end(1)),
                    place="body",
                    editable=self.text.contiguous(*match.span()) and not layout.is_damaged(*match.span()),
                    fate="kept",
                    reason="the target mounts this path, or it is not one of the old site's",
                )
            )

    def paths(self) -> re.Pattern[bytes]:
        prefixes = b"|".join(re.escape(p.encode()) for p in sorted(self.tables.path_prefixes, key=len, reverse=True))
        return re.compile(
            rb"(?:(?<=[ \t\"'=]-[A-Za-z])|(?<![A-Za-z0-9_./}-]))("
            + prefixes
            + rb")(?![A-Za-z0-9_.-])(?:/[A-Za-z0-9_./${}+@%-]*)?"
        )

    def is_inner(self, offset: int) -> bool:
        at = self.text.at(offset)
        return any(span.start <= at < span.end for span in self.inner)


def decoded(text: str) -> str:
    """Text for people: the bytes as UTF-8 where they are that."""
    return text.encode("latin-1", "replace").decode("utf-8", "replace")


def _is_script(inner: Invocation) -> bool:
    return inner.command.heredoc is not None and inner.program in _SHELLS


def _inside(offset: int, ranges: Iterable[tuple[int, int]]) -> bool:
    return any(start <= offset < end for start, end in ranges)


def _covers(outer: Span, inner: Span) -> bool:
    return outer.start <= inner.start and inner.end <= outer.end


__all__ = ["decoded", "take"]
