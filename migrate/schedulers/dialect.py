"""A dialect: one value with all in which a scheduler differs from the others, but for its tables in rules/."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field
from typing import NamedTuple

from migrate.frozen import dataclass
from migrate.model import OptionRow, Text
from migrate.schedulers.directive import Directive

ONLY_IDS = "Slurm knows after, afterany, afterok and afternotok with ids of jobs"


class Dependency(NamedTuple):
    """Jobs on which a job waits: how, by Slurm's word (`afterok`), and their ids or names."""

    kind: str
    jobs: Sequence[str]


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
    host_files: tuple[str, ...] = ()  # variables that hold the name of the file of the job's hosts
    obeys: tuple[str, ...] = ()  # prefixes of other schedulers' directives that its submit command reads too
    prints_id_alone: bool = False  # its submit command prints no sentence around the job's id

    # -------------------------------------------------------------------------------------------- values
    bare_value: str = ""  # what a resource without a value has
    virtual_memory: frozenset[str] = frozenset()  # resources that count where no other asks for memory
    array: Callable[[str], str] = _no_array  # the indices by Slurm's rules: `1-9:2`
    dependencies: Callable[[str, str], Sequence[Dependency]] = _no_dependencies  # of an option and its value
    names_jobs: bool = False  # a dependency may name jobs in place of their ids
    mail_events: Mapping[str, str] = field(default_factory=dict)  # letter -> Slurm's; "" where it sends none

    # -------------------------------------------------------------------------------------------- files of a job
    starts_at_home: bool = False  # a job starts in the home folder, where no option names another
    files_at_home: bool = False  # and its files go there
    appends_output: bool = False  # to the files of an earlier job
    joins_streams: bool = False  # errors go into the output's file, where no option names one for them
    stream_file: str = ""  # by Slurm's pattern: where a stream goes for which no option names a file
    stream_file_of_task: str = ""  # the same in an array
    submit_folder: str = ""  # the variable of it, which may begin a file's name
    braces_in_paths: bool = False  # a variable in a file's name may be written `${NAME}`
    literal_dollar: bool = False  # any other `$` is part of the file's name
    tasks_share_id: bool = False  # a job's id in a file's name is the array's

    @property
    def submit_command(self) -> str:
        """The command that gives a script in."""
        return self.submit.partition(" ")[0]

    @property
    def begin(self) -> bytes:
        """Regular expression for how a line begins in which the scheduler looks for options."""
        return (rb"[ \t]*" if self.indented else b"") + self.mark
