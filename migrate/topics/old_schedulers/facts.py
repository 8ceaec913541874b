"""What the directives of another scheduler say, what stands for them under Slurm, and facts about both."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache

from migrate.answers import Renamed
from migrate.inventory import interpreter_of, misspelt_interpreter
from migrate.inventory.calls import asked_in, exported_in
from migrate.inventory.options import inert_line
from migrate.model import SLURM, Change, Submitted, Verdict
from migrate.rulebook.context import Context, once, replaced, says
from migrate.rulebook.facts import fact
from migrate.rulebook.handed import in_each_way
from migrate.rulebook.translators import job_translator, translator
from migrate.schedulers import DIALECTS, is_foreign, is_obeyed
from migrate.topics.old_schedulers.directives import (
    INTERPRETERS,
    Between,
    Translation,
    request_of,
    translate,
    unlike_lines,
)
from migrate.topics.old_schedulers.request import Request


@fact(
    "live_dialect",
    "The scheduler whose directives count, as its table is called; none where that is not certain.",
    about="job",
)
def live_dialect(c: Context) -> str | None:
    """Whose directives the old scheduler obeyed; where a file speaks to several the site decides, or None."""
    if len(c.job.dialects) == 1:
        return c.job.dialects[0]
    if c.job.item("--ignore-pbs"):  # by which its author says that the lines of others are none of the job's
        return SLURM
    if c.site.id == "generic":
        return None
    if c.site.scheduler in c.job.dialects:
        return c.site.scheduler
    # what sbatch takes for comments is beside its own lines what somebody left there
    return SLURM if SLURM in c.job.dialects and not any(map(is_obeyed, c.job.dialects)) else None


@fact(
    "old_scheduler",
    "The scheduler, other than Slurm, that the script was written for: by its lines, or by the scripts that call it.",
    about="job",
)
def _old_scheduler(c: Context) -> str | None:
    dialect = live_dialect(c) if c.job.dialects else dialect_by_others(c)
    return dialect if dialect and is_foreign(dialect) else None


def dialect_by_others(c: Context) -> str:
    """The scheduler of the scripts that call or submit the script, or of the command that reads it; empty if none."""
    if c.job.submitted is not None:
        return c.job.submitted.dialect
    return "" if c.scope else c.around.inherits.dialect


def between_of(c: Context, dialect: str) -> Between:
    """From which scheduler and site to which target the options of a job go."""
    there = {old: new for old, new in replaced(c).items() if new in c.target.partitions}
    queues = Renamed({name: name for name in c.target.partitions} | there)
    return Between(DIALECTS[dialect], c.schedulers[dialect], c.site, c.target, queues)


@in_each_way
def _in_each_way(c: Context) -> tuple[str, ...]:
    return tuple(dict.fromkeys(each.text for each in requests(c)))


@once
def requests(c: Context) -> tuple[Request, ...]:
    """What the job asks of another scheduler, for each way to submit it, or the jobs that run it; none if unknown."""
    dialect = _old_scheduler(c)
    if not dialect:
        return ()
    if lines := [each for each in lines_of(c) if each.dialect == dialect]:
        between = between_of(c, dialect)
        return tuple(request_of(c.job, between, line, lines) for line in lines) + _handed(c)
    found = translation(c)
    return (found.request,) if found is not None else _handed(c)


@once
def variant(c: Context) -> frozenset[str]:
    """Under which schedulers of one dialect the script can have run (PBS Pro, Torque), by what only one of them has."""
    dialect = _old_scheduler(c)
    variants = c.schedulers[dialect].variants if dialect else {}
    used = {i.name for i in c.job.items if i.dialect == dialect and i.place != "own"} if variants else set()
    used |= {name for line in lines_of(c) if line.dialect == dialect for name, _ in line.options} if variants else set()
    return frozenset(name for name, own in variants.items() if own & used) or frozenset(variants)


@fact(
    "submitted_otherwise",
    "The submit lines of the run whose options do not make with the script's own what both asked for; none elsewhere.",
    about="job",
)
def _submitted_otherwise(c: Context) -> str | None:
    dialect = _old_scheduler(c)
    lines = [each for each in c.around.inherits.submitted if each.dialect == dialect and not c.scope]
    found = []
    for line in lines if dialect else ():
        written, meant = unlike_lines(c.job, between_of(c, line.dialect), line, lines)
        if written != meant:
            found.append(f"{line.by}:{line.line} gives `{written}` for `{meant or 'nothing'}`")
    return "; ".join(dict.fromkeys(found)) or None


@fact(
    "variables_of_submitter",
    "The variables that a script of the run exports before it submits this one, and that the job did not get; none "
    "where it got them, or sets them itself.",
    about="job",
)
def _variables_of_submitter(c: Context) -> str | None:
    dialect = DIALECTS.get(_old_scheduler(c) or "")
    if dialect is None or not dialect.environment_by:
        return None
    own = [(i.name, i.value or "") for i in c.job.items if i.kind == "directive" and i.place == "header"]
    found = []
    for line in lines_of(c):
        options = [*own, *line.options]
        rows = c.schedulers[dialect.name].options
        lists = [value for name, value in options if (row := rows.get(name)) and row.need == "environment"]
        given = {part.partition("=")[0].strip() for text in lists for part in dialect.environment(text).parts}
        if all(name != dialect.environment_by for name, _ in options):
            names = [n for n in line.exports if n not in given | _EVERYBODYS and not says(c, _set_by(n))]
            found += [f"{name} ({line.by}:{line.line})" for name in names]
    return ", ".join(dict.fromkeys(found)) or None


_EVERYBODYS = frozenset({"PATH", "HOME", "USER", "LOGNAME", "SHELL", "PWD", "TMPDIR", "LANG"})  # of every job


@cache
def _set_by(name: str) -> re.Pattern[bytes]:
    return re.compile(rb"(?<![\w$])" + re.escape(name.encode()) + rb"\+?=|\bread[ \t][^\n]*\b" + name.encode())


def _handed(c: Context) -> tuple[Request, ...]:
    """What the jobs ask for that run the script, which has no lines of its own."""
    return () if c.job.dialects or c.scope else tuple(map(Request.of_text, c.around.inherits.ways))


@once
def translation(c: Context) -> Translation | None:
    """The job's directives under Slurm; None where they are Slurm's own already."""
    dialect = live_dialect(c)
    if dialect is None or dialect == SLURM:
        return None
    return translate(c.job, between_of(c, dialect), [each for each in lines_of(c) if each.dialect == dialect])


def lines_of(c: Context) -> tuple[Submitted, ...]:
    """The lines that submit the script; of a job inside it the command that reads it."""
    if not c.scope:
        return c.around.inherits.submitted
    given, text = c.job.submitted, c.job.text
    if given is None:
        return ()
    exported = exported_in(c.source.data)
    asked = {name for name, places in asked_in(text.data).items() if not all(map(text.is_early, places))}
    exports = tuple(sorted(name for name in asked if exported.get(name, given.at) < given.at))
    return (replace(given, by=c.source.path, line=c.source.position(text.at(0))[0], exports=exports),)


def _change_of(c: Context) -> Change | None:
    found = translation(c)
    return found.changes.get(id(c.item)) if found and c.item else None


@translator("options")
def new_lines(c: Context) -> Change | None:
    """What stands for a live directive of the old scheduler; where a person must write it, it stays as a comment."""
    item, change = c.item, _change_of(c)
    if item is None or change is None or item.place != "header" or live_dialect(c) not in {None, item.dialect}:
        return None
    if change.verdict == "open":
        return replace(change, lines=(inert_line(c.source, item),), suggestion=_way_out(change))
    if change.lines:
        return change
    return replace(change, removes=True, fate="rewritten" if change.begins else "removed")


@fact(
    "stray_directive",
    "`yes` for a line to a scheduler that did not run the script, or below its commands, that sbatch obeys; none else.",
    about=("directive",),
)
def _stray(c: Context) -> str | None:
    if c.item is None or c.item.kind != "directive" or c.item.place not in {"header", "dead"}:
        return None
    if c.item.place == "dead":
        return "yes" if is_obeyed(c.item.dialect) and (live_dialect(c) or not c.job.dialects) else None
    strange = live_dialect(c) not in {None, c.item.dialect}
    return "yes" if strange and (c.item.dialect == SLURM or is_obeyed(c.item.dialect)) else None


@fact(
    "foreign_lines",
    "`yes` where a line may speak to another scheduler than the one that counts; none where all are Slurm's.",
    about="job",
)
def _foreign_lines(c: Context) -> str | None:
    slurm_alone = c.job.dialects == (SLURM,) and c.job.texts("directive", "dialect") <= {SLURM}
    return None if slurm_alone else "yes"


@fact(
    "old_account",
    "The account that the item names, for Slurm or another scheduler; none where it names none.",
    about=("directive",),
)
def _old_account(c: Context) -> str | None:
    item = c.item
    if item is None or item.name == "--account":
        return item.value if item else None
    change = _change_of(c)
    return item.value if change and any(line.startswith("--account=") for line in change.lines) else None


def _way_out(change: Change) -> str:
    """What a person can do about a directive that a person must write."""
    if not change.blocks:
        return "Write the line of Slurm that you need, or delete the comment."
    queue = change.decision.partition(":")[2]
    if queue:
        return f"Write `answers: {{partition: {{{queue}: NEW}}}}` in the target's file, once for all scripts."
    return "Split the array, or have MaxArraySize raised and say so in the target's file (`max_array_index`)."


@fact(
    "old_default",
    "What another scheduler than Slurm gave a job that requests nothing else; none for jobs of Slurm.",
    about="job",
    parameters={
        "time": "the time limit of the site",
        "output": "the output file",
        "error": "the error file",
        "append": "`yes` where output files are appended to",
        "home": "`yes` where the job starts in the home folder",
    },
)
def _old_default(c: Context, what: str) -> str | None:
    found = translation(c)
    if found is None:
        return None
    known = {
        "time": default_time(c),
        "output": found.output,
        "error": found.error,
        "append": "yes" if found.append else None,
        "home": "yes" if found.starts_at_home else None,
    }
    return known[what] or None


def default_time(c: Context) -> str | None:
    """The time limit of the site, for a job of another scheduler that requests none."""
    found = translation(c)
    return c.site.default_time if found and not found.time and c.job.item("--time") is None else None


@fact("interpreter", "The `#!` line that the script needs under Slurm; none where it has the right one.", about="job")
def _interpreter(c: Context) -> str | None:
    found = translation(c)
    if found is None:
        return None
    named = c.job.text.data.startswith(b"#!")
    if named and DIALECTS[found.dialect].goes_by_first_line:
        return None
    shell = found.interpreter.rpartition(":")[2]
    shell = f"/bin/{shell}" if shell and shell in INTERPRETERS else shell
    if shell.rsplit("/", 1)[-1] == "sh" and _bashism(c):
        shell = "/bin/bash"
    if not shell.startswith("/") or shell.rsplit("/", 1)[-1] not in INTERPRETERS:
        return None if named else f"#!{misspelt_interpreter(c.job.text.data) or '/bin/bash'}"
    return None if interpreter_of(c.job.text.data) == shell.rsplit("/", 1)[-1] else f"#!{shell}"


@job_translator("interpreter")
def interpreter(c: Context) -> Iterator[Change]:
    """The first line that names the shell; a person looks where neither an option nor the script's text shows which."""
    line, found = _interpreter(c), translation(c)
    if line is not None and found is not None:
        named = found.interpreter.rsplit("/", 1)[-1] in INTERPRETERS
        verdict: Verdict = "done" if named or _is_of_bourne(c) else "look"
        yield Change(verdict, f"the script needs the first line {line}", top=line, fate="added")


def _is_of_bourne(c: Context) -> bool:
    """Whether the script has what only bash and its kin take, and nothing of csh."""
    text = _COMMENT.sub(b"", c.job.text.data)
    return _BOURNE.search(text) is not None and _CSH.search(text) is None


_BOURNE = re.compile(
    rb"(?m)^[ \t]*(?:export|readonly|declare|typeset|local)[ \t]+[A-Za-z_]|^[ \t]*[A-Za-z_]\w*(?:\[\w+\])?\+?="
    rb"|^[ \t]*(?:fi|done|esac)[ \t]*(?:$|[;|&>])|\$\(|\$\{\w+[:%/\[#]|\[\[[ \t]"
    rb"|^[ \t]*(?:function[ \t]+)?[A-Za-z_]\w*[ \t]*\(\)"
)
_CSH = re.compile(rb"(?m)^[ \t]*(?:setenv|unsetenv|foreach|endif|endsw|set[ \t]+\w+[ \t]*=|@[ \t]+\w)")


@fact("bash_in_sh", "What a script for sh uses that only bash has; none where it uses nothing such.", about="job")
def _bash_in_sh(c: Context) -> str | None:
    if not re.match(rb"#![ \t]*/bin/sh[ \t]*\r?\n", c.source.data) or c.job.text.at(0):
        return None
    return _bashism(c)


@fact("sh_option", "The long options that the `#!` line gives to /bin/sh; none without.", about="job")
def _sh_option(c: Context) -> str | None:
    match = re.match(rb"#![ \t]*/bin/sh[ \t]+([^\r\n]*?)[ \t]*\r?\n", c.source.data)
    options = match[1].decode("latin-1") if match and not c.job.text.at(0) and c.job.insert_at is not None else ""
    return options if re.fullmatch(r"--[a-z]{2,}", options) else None


def _bashism(c: Context) -> str | None:
    found = _BASHISM.search(_COMMENT.sub(b"", c.job.text.data))
    return found[0].decode("utf-8", "replace").strip() if found else None


_COMMENT = re.compile(rb"^[ \t]*#.*$", re.MULTILINE)
# What dash refuses or reads otherwise: [[ ]], arrays, source, function NAME, >&FILE, &>, <<<, (( )), {1..n}, …
_BASHISM = re.compile(
    rb"(?m)(?<![\w$])\[\[[ \t]|^[ \t]*\w+=\([^)\n]*\)|^[ \t]*(?:source|shopt|declare|mapfile|readarray|pushd|popd)[ \t]"
    rb"|^[ \t]*function[ \t]+\w+|&>>?[ \t]*[\w/$\"]|>&[ \t]*[A-Za-z/$\"]|<<<|^[ \t]*\(\(|\{\d+\.\.\d+\}|(?<![\w])\$'"
    rb"|\$\{\w+\[|\$\{\w+:\d|\$\{\w+//|==[ \t][^\n]*\][ \t]*;|<\([a-z]"
)


@fact(
    "image_of_job",
    "The target's image for the one in which Grid Engine ran the whole job; none without an answer.",
    about="job",
)
def _image_of_job(c: Context) -> str | None:
    found = translation(c)
    return c.target.answers_to("image").get(found.image) if found and found.image else None


@fact("old_image", "The image in which Grid Engine ran the whole job; none without one.", about="job")
def _old_image(c: Context) -> str | None:
    found = translation(c)
    return found.image or None if found else None


@fact(
    "starts_in_image",
    "`yes` where the script starts itself in an image, or has the line that named it as a comment; none elsewhere.",
    about="job",
)
def _starts_in_image(c: Context) -> str | None:
    data = c.job.text.data
    waits = any(re.search(_INERT % name, data) for name in _resources_of_images(c)) if b"##$" in data else False
    return "yes" if waits or b"SINGULARITY_CONTAINER" in data else None


_INERT = rb"(?m)^[ \t]*##\$[^\n]*[ \t,]%b\b"  # as an earlier run left it for a person


def _resources_of_images(c: Context) -> list[bytes]:
    """The resources by which other schedulers ran a whole job in an image."""
    rows = (row for table in c.schedulers.values() for row in table.resources.items())
    return [re.escape(name.encode()) for name, row in rows if row.need == "image"]
