"""A dialect: one value with all in which a scheduler differs from the others, but for its tables in rules/."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from typing import NamedTuple

from migrate import values
from migrate.frozen import dataclass
from migrate.model import OptionRow, Text
from migrate.schedulers.directive import Directive

ONLY_IDS = "Slurm knows after, afterany, afterok and afternotok with ids of jobs"


class Part(NamedTuple):
    """One of several requests in an option's value: its name in the tables, where it stands, and its value."""

    name: str
    start: int
    stop: int
    value: tuple[int, int] | None


class Dependency(NamedTuple):
    """Jobs on which a job waits: how, by Slurm's word (`afterok`), and their ids or names."""

    kind: str
    jobs: Sequence[str]


class Environment(NamedTuple):
    """The variables that a job gets."""

    parts: Sequence[str]  # NAME and NAME=value
    base: str = "ALL"  # those of the submit command beside them: ALL or NONE
    unset: Sequence[str] = ()

    @staticmethod
    def of_list(text: str) -> Environment:
        """The variables of a list between commas, which do not part where quotes are around them."""
        return Environment(_PART.findall(text))


_PART = re.compile(r"""(?:[^,'"]|'[^']*'|"[^"]*")+""")


def _no_array(text: str) -> str:
    raise ValueError(f"no arrays are known here: `{text}`")


def _no_dependencies(option: str, value: str) -> Sequence[Dependency]:
    raise ValueError(f"no dependencies are known here: `{option} {value}`")


@dataclass(frozen=True)
class Dialect:
    """What a scheduler's scripts look like, how it writes its values, and what a job of it gets unasked.

    Its options, resources, variables and commands are in rules/schedulers/NAME.yaml and rules/commands/.
    `array` and `dependencies` raise ValueError with the reason where they cannot read a value.
    """

    name: str
    rank: int  # Slurm first; of others the lower one is asked first whose commands a script without directives has
    prefix: str  # with which a directive is written
    mark: bytes  # regular expression: with what a line begins that people mean as a directive
    submit: str  # how a script is given in: `qsub {script}`
    read_directives: Callable[[Text, Mapping[str, OptionRow]], Iterator[Directive]]
    is_spoken: Callable[[bytes], bool]  # a text without directives has its commands
    seconds: Callable[[str], float | None]  # of a time limit; None for what its submit command refuses
    memory: Callable[[str], int | None]  # MiB, rounded up; None likewise

    # -------------------------------------------------------------------------------------------- scripts
    indented: bool = False  # blanks may stand before a directive
    continues: bool = False  # a directive that ends in a backslash goes on in the next line
    suffixes: tuple[str, ...] = ()  # of the names of its scripts
    own_names: tuple[str, ...] = ()  # how variables begin that only it sets; others count where a shell expands them
    host_lists: tuple[str, ...] = ()  # variables that list the job's hosts, by slots
    host_files: tuple[str, ...] = ()  # variables that hold the name of the file of the job's hosts
    own_commands: bool = False  # no other scheduler has commands of their names
    yields: bool = False  # its directives count for nothing where another scheduler's stand beside them
    obeys: tuple[str, ...] = ()  # prefixes of other schedulers' directives that its submit command reads too
    lists_ended_jobs: bool = False  # for a while, so that its list does not say whether a job still runs
    program_behind_dashes: bool = False  # what stands behind `--` on its submit line is a program, and no script
    prints_id_alone: bool = False  # its submit command prints no sentence around the job's id
    empties_unset: bool = False  # a variable that an option hands on and that is unset becomes an empty one
    environment_by: str = ""  # the option by which a job gets the variables of the shell that submits it; empty: always

    # -------------------------------------------------------------------------------------------- values
    parts: Callable[[str, str], Iterable[Part]] | None = None  # of an option that `holds: requests`, and its value
    bare_value: str = ""  # what a resource without a value has
    memory_unit: str = ""  # what a size without a unit counts in, unless a site is set up otherwise; empty: bytes
    memory_per: str = ""  # of what memory is asked where no row says it, unless a site is set up otherwise
    virtual_memory: frozenset[str] = frozenset()  # resources that count where no other asks for memory
    array: Callable[[str], str] = _no_array  # the indices by Slurm's rules: `1-9:2`
    dependencies: Callable[[str, str], Sequence[Dependency]] = _no_dependencies  # of an option and its value
    names_jobs: bool = False  # a dependency may name jobs in place of their ids
    any_dependency: str = ""  # what stands between dependencies of which one is enough
    mail_events: Mapping[str, str] = field(default_factory=dict)  # letter -> Slurm's; "" where it sends none
    mail_unasked: str = ""  # Slurm's name for the mail that is sent where no option asks for any
    mail_replaced: frozenset[str] = frozenset()  # options by which it is not sent
    moment: Callable[[str], str | None] = (
        values.moment
    )  # a date as Slurm takes it; None for what has no year, or is none
    date_form: str = "CCYYMMDDhhmm"  # how it writes a date
    environment: Callable[[str], Environment] = Environment.of_list  # of an option that lists variables

    # -------------------------------------------------------------------------------------------- files of a job
    starts_at_home: bool = False  # a job starts in the home folder, where no option names another
    files_at_home: bool = False  # and its files go there
    appends_output: bool = False  # to the files of an earlier job
    empties_files: frozenset[str] = frozenset()  # options that name a file which is emptied all the same
    joins_streams: bool = False  # errors go into the output's file, where no option names one for them
    stream_file: str = ""  # by Slurm's pattern: where a stream goes for which no option names a file
    stream_file_of_task: str = ""  # the same in an array
    stream_file_of_tasks_by: Mapping[str, str] = field(default_factory=dict)  # another, by the option of the array
    replaces_files: bool = False  # a file is put in its place when its job, or task, has ended
    sets_threads: str = ""  # which of its schedulers sets OMP_NUM_THREADS in a job
    names_tasks_by: Mapping[str, str] = field(default_factory=dict)  # what follows a named file then
    in_folder: str = ""  # what is to be said of the names of files for which only a folder is named
    takes_names_for_folders: bool = False  # people name folders for its files, and call them `logs`
    goes_by_first_line: bool = False  # its shell runs a script by the `#!` line, also beside an option for the shell
    submit_folder: str = ""  # the variable of it, which may begin a file's name
    braces_in_paths: bool = False  # a variable in a file's name may be written `${NAME}`
    literal_dollar: bool = False  # any other `$` is part of the file's name
    index_without_array: str = ""  # the index in a file's name where the job is no array; empty: none of Slurm's
    tasks_share_id: bool = False  # a job's id in a file's name is the array's

    @property
    def submit_command(self) -> str:
        """The command that gives a script in."""
        return self.submit.partition(" ")[0]

    @property
    def begin(self) -> bytes:
        """Regular expression for how a line begins in which the scheduler looks for options."""
        return (rb"[ \t]*" if self.indented else b"") + self.mark
