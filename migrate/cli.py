"""The command line: options in, the engine called, reports out, an exit code; no decisions are taken here."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Callable
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from migrate import __version__
from migrate.model import SifmigrateError
from migrate.terminal import shown

if TYPE_CHECKING:
    from migrate.recipe import Recipe
    from migrate.runs.batch import Outcome, Settings
    from migrate.tables.config import Config


class _Plain:
    """A command whose texts and paths are taken as they are: for that typer would load pydantic, a quarter of a start.

    Where typer keeps what a parameter is otherwise than 0.29 does, it does the work.
    """

    def get_params(self, context: Any) -> list[Any]:
        found: list[Any] = super().get_params(context)  # type: ignore[misc]
        for each in found:
            kind = getattr(getattr(each, "type_descriptor", None), "annotation", None)
            if kind is not None and not each.required and "process_value" not in vars(each):
                each.process_value = partial(_taken, _PLAIN.get(kind), each.process_value)
        return found


class PlainCommand(_Plain, TyperCommand):
    pass


class ReportCommand(PlainCommand):
    """A command that writes reports: its help lists their formats."""

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        from migrate.reports import FORMATS  # noqa: PLC0415 - only this help needs them

        suffixes = {name: " ".join(filter(None, each.suffixes)) for name, each in FORMATS.items()}
        with formatter.section("Formats, and the suffixes by which --output knows them"):
            formatter.write_dl([(name, f"{each.help} {suffixes[name]}".strip()) for name, each in FORMATS.items()])
        super().format_epilog(ctx, formatter)


class PlainGroup(_Plain, TyperGroup):
    pass


def _taken(take: Callable[[Any], Any] | None, coerced: Callable[[Any, Any], Any], context: Any, value: Any) -> Any:
    """The value of an option; what is not given is nothing, and of a number typer says what is wrong with it."""
    if value is None:
        return None
    return take(value) if take else coerced(context, value)


_PLAIN: dict[Any, Callable[[Any], Any]] = {
    str: str,
    list[str]: list,
    Path: Path,
    list[Path]: lambda values: list(map(Path, values)),
}

app = typer.Typer(
    cls=PlainGroup, no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False
)
rules_app = typer.Typer(
    cls=PlainGroup, no_args_is_help=True, rich_markup_mode=None, help="List, show and test the rules."
)
target_app = typer.Typer(
    cls=PlainGroup, no_args_is_help=True, rich_markup_mode=None, help="Describe a cluster of your own."
)
app.add_typer(rules_app, name="rules")
app.add_typer(target_app, name="target")

OK, POINTS, WRONG, BUG, INTERRUPTED = 0, 1, 2, 3, 130

Paths = Annotated[list[str] | None, typer.Argument(help="Files and folders; - is standard input.", show_default=".")]
TargetName = Annotated[str | None, typer.Option("--target", metavar="NAME|FILE", help="Where the scripts go.")]
SiteName = Annotated[
    str | None,
    typer.Option("--site", metavar="NAME|FILE", help="Where they come from; detected when absent."),
]
SettingsFile = Annotated[Path | None, typer.Option("--config", metavar="FILE", help="Settings, not those found here.")]
RuleFolders = Annotated[list[Path] | None, typer.Option("--rules", metavar="DIR", help="Further rules.")]
Formats = Annotated[
    list[str] | None,
    typer.Option("--output-format", metavar="FMT", help="Format of a report, see below; repeatable."),
]
Outputs = Annotated[list[str] | None, typer.Option("--output", metavar="FILE", help="Where each format goes.")]
Select = Annotated[list[str] | None, typer.Option("--select", metavar="RULE", help="Only this rule; repeatable.")]
Ignore = Annotated[list[str] | None, typer.Option("--ignore", metavar="RULE", help="Not this rule; repeatable.")]
Jobs = Annotated[int | None, typer.Option("-j", "--jobs", min=0, help="Processes; 0 is one a processor.")]
NoCache = Annotated[bool, typer.Option("--no-cache", help="Remember nothing from one run to the next.")]
Color = Annotated[str, typer.Option("--color", metavar="auto|always|never")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Only what is asked for by --output, and errors.")]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Also items that are kept without remark.")]


def guarded(command: Callable[..., int]) -> Callable[..., None]:
    """The command with its outcome as an exit code: a known fault 2, Ctrl-C 130, a bug 3."""

    @wraps(command)
    def run(*args: Any, **options: Any) -> None:
        try:
            code = command(*args, **options)
            sys.stdout.flush()
        except SifmigrateError as error:
            say(f"sifmigrate: {_one_line(error)}")
            code = WRONG
        except KeyboardInterrupt:
            say("sifmigrate: interrupted; each file is old or new, and `sifmigrate revert` takes back an in-place run")
            code = INTERRUPTED
        except BrokenPipeError:
            _drop_output()  # whoever read it has gone
            code = OK
        except OSError as error:
            _drop_output()
            say(f"sifmigrate: {_one_line(error.filename or 'the output')}: {error.strerror}")
            code = WRONG
        except Exception:  # noqa: BLE001 - whatever it is, it is our bug, and the message says what to send
            import traceback  # noqa: PLC0415

            say(traceback.format_exc())
            say("sifmigrate: this is a bug. Please report the lines above, and the script if you may share it.")
            code = BUG
        raise typer.Exit(code)

    return run


def _drop_output() -> None:
    """Leave nothing that Python would try to flush when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def say(message: str) -> None:
    """One message on standard error, in which nothing steers the terminal."""
    if sys.stderr is not None:
        sys.stderr.write(_printable(message.rstrip("\n")) + "\n")


def tell(text: str) -> None:
    """An answer on standard output, in which nothing steers the terminal."""
    sys.stdout.write(_printable(text))


def _one_line(message: object) -> str:
    return shown(os.fsdecode(message) if isinstance(message, bytes) else str(message))


def _printable(text: str) -> str:
    return "".join(part if part in {"\n", "\t"} else shown(part) for part in re.split(r"([\n\t])", text))


def _version(requested: bool) -> None:  # noqa: FBT001 - typer calls it so
    if requested:
        sys.stdout.write(f"sifmigrate {__version__}\n")
        raise typer.Exit


@app.callback()
def root(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Migrate HPC job scripts from one cluster to another, with an account of every change."""


@app.command(cls=ReportCommand)
@guarded
def scan(  # noqa: PLR0913 - one parameter an option
    paths: Paths = None,
    *,
    target: TargetName = None,
    site: SiteName = None,
    rules: RuleFolders = None,
    config_file: SettingsFile = None,
    select: Select = None,
    ignore: Ignore = None,
    output_format: Formats = None,
    output: Outputs = None,
    jobs: Jobs = None,
    no_cache: NoCache = False,
    color: Color = "auto",
    quiet: Quiet = False,
    verbose: Verbose = False,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit 1 when there are findings.")] = False,
) -> int:
    """Tell what is in job scripts, and what a migration would change. Changes nothing."""
    from migrate.runs import batch, publish  # noqa: PLC0415 - `--help` need not load the engine

    config = _config(config_file)
    settings = _settings(
        config, target or (None if config["target"].value else "slinky"), site, rules, select, ignore, jobs, no_cache
    )
    reports = publish.Output(output_format or [], output or [], color, quiet=quiet, verbose=verbose, default="text")
    settings = settings if reports.verbatim else settings.only_looking()
    outcome = batch.migrate(paths or ["."], settings, stdin=_stdin, looks=reports.looks())
    if not quiet:
        _tell_sources(outcome, {"config": config_file, "target": target, "site": site, "rules": rules})
    batch.keep(outcome)
    publish.check_outputs(reports, outcome.found, outcome.plan.rulebook.tables)
    if outcome.results or outcome.unread:
        publish.publish(outcome.report(), reports)
    if wrong := batch.complain(outcome, say, quiet=quiet):
        return wrong
    return POINTS if exit_code and any(r.outcomes for r in outcome.results) else OK


@app.command(cls=ReportCommand)
@guarded
def rewrite(  # noqa: PLR0913 - one parameter an option
    paths: Paths = None,
    *,
    target: TargetName = None,
    site: SiteName = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", show_default="migrated")] = None,
    in_place: Annotated[bool, typer.Option("--in-place", help="Change the files; `revert` undoes it.")] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Show what would change; write nothing.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Exit 1 if anything would change; write nothing.")] = False,
    safe_only: Annotated[
        bool, typer.Option("--safe-only", help="Leave out fixes that a person should look at.")
    ] = False,
    only_scripts: Annotated[
        bool, typer.Option("--only-scripts", help="Pass over named files that are no job scripts.")
    ] = False,
    exit_zero: Annotated[bool, typer.Option("--exit-zero", help="Exit 0 even where a person should look.")] = False,
    annotate: Annotated[
        bool, typer.Option("--annotate", help="Points for a person as comments in the scripts.")
    ] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Let bash, sbatch and shellcheck judge the result.")] = False,
    rules: RuleFolders = None,
    config_file: SettingsFile = None,
    select: Select = None,
    ignore: Ignore = None,
    output_format: Formats = None,
    output: Outputs = None,
    jobs: Jobs = None,
    no_cache: NoCache = False,
    color: Color = "auto",
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> int:
    """Migrate job scripts to a target. They go into a folder (the default), are changed in place, or only shown."""
    from migrate.runs import batch, publish  # noqa: PLC0415 - as in scan

    modes = {"--out": out is not None, "--in-place": in_place, "--diff": diff, "--check": check}
    chosen = [name for name, given in modes.items() if given]
    if len(chosen) > 1:
        raise SifmigrateError(f"{' and '.join(chosen)} exclude each other: choose one")
    if "-" in (paths or []) and (in_place or out):
        raise SifmigrateError(f"- (standard input) goes to standard output: leave {chosen[0]} out")
    config = _config(config_file)
    mode = chosen[0] if chosen else "--out"
    settings = _settings(config, target, site, rules, select, ignore, jobs, no_cache)
    settings = settings.with_fixes(
        safe_only=safe_only or config["safe-only"].value, annotate=annotate or config["annotate"].value
    )
    folder = out or _out(config, mode)
    exclude = folder if mode == "--out" else None
    default = {"--diff": "diff", "--check": ""}.get(mode, "text")
    reports = publish.Output(output_format or [], output or [], color, quiet=quiet, verbose=verbose, default=default)
    if "-" in (paths or []):
        reports = reports.on_standard_error()
    elif mode == "--out":
        reports = reports.in_brief()
    looks = [*reports.looks(), *(batch.LOOKS_BESIDE if mode == "--out" else ())]
    outcome = batch.migrate(
        paths or ["."],
        settings,
        stdin=_stdin,
        exclude=exclude,
        only_scripts=only_scripts,
        looks=looks,
        stays=in_place or check,
    )
    if not quiet:
        _tell_sources(outcome, {"config": config_file, "target": target, "site": site, "rules": rules})
    if only_scripts and not outcome.results and all(fault.harmless for fault in outcome.faults):
        return OK
    publish.check_outputs(reports, outcome.found, outcome.plan.rulebook.tables)
    if verify:
        outcome = batch.verified(outcome)
    if "-" in (paths or []):
        sys.stdout.buffer.write(outcome.results[0].output if outcome.results else b"")
        sys.stdout.flush()
    elif mode == "--out":
        outcome = batch.write_folder(outcome, folder)
    elif mode == "--in-place":
        outcome = batch.write_in_place(outcome)
    if outcome.results or outcome.unread:
        publish.publish(outcome.report(), reports)
    _tell(mode, outcome, folder, quiet=quiet)
    refused = batch.tell_judgement(outcome, say) if verify else 0
    code = _rewrite_code(mode, outcome, quiet=quiet)
    code = max(code, POINTS) if refused else code
    return OK if exit_zero and code == POINTS else code


def _config(named: Path | None) -> Config:
    """The settings in force; a message for each that was found and is not obeyed."""
    from migrate.tables.config import read_config  # noqa: PLC0415 - as in scan

    config = read_config(Path.cwd(), named)
    for line in config.refused:
        say(f"sifmigrate: {line}")
    return config


def _out(config: Config, mode: str) -> Path:
    from migrate.tables.config import check_out  # noqa: PLC0415 - as in scan

    if mode == "--out":
        check_out(config["out"], config.folder)
    return Path(config["out"].value)


def _folders(rules: list[Path] | None, config: Config) -> list[Path]:
    """The folders of further rules that the command line names, else those of the settings."""
    from migrate.rulebook import files_below  # noqa: PLC0415
    from migrate.tables.config import check_named  # noqa: PLC0415 - as in scan

    if rules:
        return rules
    folders = [Path(each) for each in config["rules"].value]
    check_named(config["rules"], "rules", (file for folder in folders for file in files_below(folder)))
    return folders


def _profile(kind: str, named: str | None, config: Config) -> str | None:
    """The target or site that the command line names, else that of the settings."""
    from migrate.tables.config import check_named  # noqa: PLC0415 - as in scan
    from migrate.tables.profiles import files_of  # noqa: PLC0415

    setting = config[kind]
    if named or not setting.value:
        return named
    check_named(setting, kind, files_of(f"{kind}s", setting.value))
    return str(setting.value)


def _settings(  # noqa: PLR0913, PLR0917 - the options that scan and rewrite share
    config: Config,
    target: str | None,
    site: str | None,
    rules: list[Path] | None,
    select: list[str] | None,
    ignore: list[str] | None,
    jobs: int | None,
    no_cache: bool,  # noqa: FBT001
) -> Settings:
    """The command line's words over the configuration's."""
    from migrate.runs import batch  # noqa: PLC0415 - as in scan
    from migrate.runs.setup import Choice  # noqa: PLC0415

    if not (target or config["target"].value):
        from migrate.runs.lookup import target_names  # noqa: PLC0415

        raise SifmigrateError(f"--target is missing; targets: {', '.join(target_names())}")
    given = {"target": target, "site": site, "select": select, "ignore": ignore, "rules": rules, "jobs": jobs}
    choice = Choice(
        target=_profile("target", target, config) or "",
        site=_profile("site", site, config),
        rules=tuple(_folders(rules, config)),
        select=tuple(select or config["select"].value),
        ignore=tuple(ignore or config["ignore"].value),
        places={name: config[name].place for name in config if not given.get(name)},
    )
    return batch.Settings(
        choice,
        jobs=config["jobs"].value if jobs is None else jobs,
        cache=not no_cache,
        exclude=tuple(config["exclude"].value),
        exclude_base=config.folder,
        file=config.file if any(not given.get(key) for key in config.set_here) else None,
    )


def _tell_sources(outcome: Outcome, named: dict[str, object]) -> None:
    """Which files a run went by, besides those that are shipped or `named` on the command line."""
    here = f"{Path.cwd()}/"
    words = [each for value in named.values() for each in (value if isinstance(value, list) else [value])]
    seen = {str(each).removeprefix(here) for each in words}
    unseen = {kind: [file for file in each if file not in seen] for kind, each in outcome.goes_by.items()}
    if unseen_files := "; ".join(f"{kind} {', '.join(each)}" for kind, each in unseen.items() if each):
        say(f"Goes by: {_one_line(unseen_files)}")


def _tell(mode: str, outcome: Outcome, folder: Path, *, quiet: bool) -> None:
    """What a run that shows no report still says, on standard error."""
    from migrate.reports import BESIDE  # noqa: PLC0415
    from migrate.reports.summary import counted  # noqa: PLC0415

    if quiet:
        return
    left = {fault.path for fault in outcome.faults}
    changed = sum(result.changed and result.source.path not in left for result in outcome.results)
    if mode == "--in-place" and changed:
        say(f"Changed in place: {counted(changed, 'script')}; `sifmigrate revert` takes it back")
    if mode == "--out" and outcome.written:
        reports = ", ".join(form.file for form in BESIDE)
        say(f"Written to {shown(folder)}: {counted(len(outcome.written), 'script')}, {reports}")
    for result in outcome.results if mode == "--check" else ():
        if result.changed or result.readiness == "blocked":
            say(f"{shown(result.source.path)}: {'would change' if result.changed else 'blocked'}")


def _rewrite_code(mode: str, outcome: Outcome, *, quiet: bool) -> int:
    from migrate.runs import batch  # noqa: PLC0415 - as in scan

    if wrong := batch.complain(outcome, say, quiet=quiet):
        return wrong
    if mode in {"--check", "--diff"}:
        return POINTS if any(r.changed or r.readiness == "blocked" for r in outcome.results) else OK
    return POINTS if any(r.readiness in {"review", "blocked"} for r in outcome.results) else OK


@app.command(cls=PlainCommand)
@guarded
def verify(
    paths: Paths = None,
    *,
    target: TargetName = None,
    site: SiteName = None,
    rules: RuleFolders = None,
    config_file: SettingsFile = None,
    no_cache: NoCache = False,
) -> int:
    """Let bash, sbatch and a second rewrite judge scripts as they are. Exit 1 when one objects, or is blocked."""
    from migrate.runs import batch  # noqa: PLC0415 - as in scan

    config = _config(config_file)
    settings = _settings(config, target, site, rules, None, None, None, no_cache)
    outcome = batch.judge_scripts(batch.migrate(paths or ["."], settings, stdin=_stdin))
    _tell_sources(outcome, {"config": config_file, "target": target, "site": site, "rules": rules})
    refused = batch.tell_judgement(outcome, say)
    blocked = batch.tell_blocked(outcome, say)
    if wrong := batch.complain(outcome, say):
        return wrong
    from migrate.reports.summary import counted  # noqa: PLC0415 - as in scan

    still = f", {blocked} still blocked" if blocked else ""
    sys.stdout.write(f"{counted(len(outcome.results), 'script')}, {refused} with an objection{still}\n")
    return POINTS if refused or blocked else OK


@app.command(cls=PlainCommand)
@guarded
def decide(  # noqa: PLR0913 - one parameter an option
    paths: Paths = None,
    *,
    target: TargetName = None,
    site: SiteName = None,
    list_only: Annotated[bool, typer.Option("--list", help="Only list what is open; write nothing.")] = False,
    answers: Annotated[
        Path | None, typer.Option("--answers", metavar="FILE", help="Take answers from a file, and ask nothing.")
    ] = None,
    rules: RuleFolders = None,
    config_file: SettingsFile = None,
    output_format: Annotated[
        str, typer.Option("--output-format", metavar="FMT", help="Of --list: text or json.")
    ] = "text",
    jobs: Jobs = None,
    no_cache: NoCache = False,
    color: Color = "auto",
) -> int:
    """Ask what scripts wait for, and write answers down. Those first that free most scripts."""
    from migrate.decisions.answers import answers_of  # noqa: PLC0415 - as in scan
    from migrate.runs import batch, publish  # noqa: PLC0415
    from migrate.runs import decide as deciding  # noqa: PLC0415
    from migrate.runs.desk import Desk  # noqa: PLC0415
    from migrate.tables.profiles import target_data  # noqa: PLC0415

    config = _config(config_file)
    settings = _settings(config, target, site, rules, None, None, jobs, no_cache).only_looking()
    if list_only and answers:
        raise SifmigrateError("--list and --answers exclude each other: choose one")
    given = answers_of(answers) if answers else []
    is_terminal = sys.stdin is not None and sys.stdin.isatty()
    if not (list_only or answers or is_terminal):
        raise SifmigrateError("nobody is there to answer: --list lists what is open, --answers FILE takes answers")
    name = settings.choice.target
    style = publish.Output([], [], color, quiet=False, verbose=False, default="text").style("-")
    if not list_only and deciding.is_shipped(name):
        name = _target_of_their_own(name, asks=not answers)
        settings = settings.going_to(name)
    outcome = batch.migrate(paths or ["."], settings, stdin=_stdin)
    _tell_sources(outcome, {"config": config_file, "target": target, "site": site, "rules": rules})
    batch.keep(outcome)
    if wrong := batch.complain(outcome, say):
        return wrong
    path, data = target_data(name)
    desk = Desk(outcome.plan, outcome.results, data, outcome.beside)
    if list_only:
        sys.stdout.write(deciding.listed(desk, output_format, style))
        return OK
    book = deciding.Book(path)
    if answers:
        deciding.taken(desk, book, given, say)
        return POINTS if desk.needed_ids else OK
    dialogue = deciding.Dialogue(desk, book, input, sys.stdout.write, style)
    try:
        return POINTS if dialogue.run() else OK
    except (KeyboardInterrupt, EOFError) as stop:
        say("")
        say(f"Stopped. {dialogue.answered} answered, which {_one_line(path)} has")
        return INTERRUPTED if isinstance(stop, KeyboardInterrupt) else POINTS


def _target_of_their_own(shipped: str, *, asks: bool) -> str:
    """A file for the answers about a shipped target: made where a person is there to name it."""
    from migrate.runs import decide as deciding  # noqa: PLC0415 - as in scan
    from migrate.runs import describe  # noqa: PLC0415

    how = f"`sifmigrate target init mine.yaml --extends {shipped}` writes one that is yours; then `--target mine.yaml`"
    if not asks:
        raise SifmigrateError(f"answers go into the file of a target, and that of {shipped} is the package's: {how}")
    say(f"Answers go into a target's file, and that of {shipped} is the package's.")
    while True:
        path = Path(_asked("A file of yours, which is like it in all else", "mine.yaml"))
        try:
            describe.check_place(path)
            describe.write_new(path, deciding.new_file(path, shipped))
        except SifmigrateError as error:
            say(f"{error}")
            continue
        say(f"Written: {_one_line(path)}")
        return str(path) if "/" in str(path) or path.suffix in {".yaml", ".yml"} else f"./{path}"


@app.command(cls=PlainCommand)
@guarded
def recipe(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="A Dockerfile (- is standard input), requirements.txt, environment.yml, pyproject.toml, conda list.",
            show_default=False,
        ),
    ],
    *,
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE", help="Where it goes.")] = None,
    base: Annotated[
        str, typer.Option("--base", metavar="IMAGE", help="The image to install packages in; not for a Dockerfile.")
    ] = "",
    build_arg: Annotated[
        list[str] | None, typer.Option("--build-arg", metavar="NAME=VALUE", help="As in docker build; repeatable.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over FILE.")] = False,
) -> int:
    """Make a definition file of a Dockerfile or a list of packages. Exit 1: look at something."""
    from migrate.files import write  # noqa: PLC0415 - as in scan
    from migrate.files.atomic import write_atomic  # noqa: PLC0415

    if output and not force and os.path.lexists(output):
        raise SifmigrateError(f"{output} is there already: give --force to write over it, or another --output")
    name = "Dockerfile" if file == "-" else file
    data = _stdin() if file == "-" else Path(file).read_bytes()
    made = _recipe(name, data, base, build_arg or [])
    if output:
        try:
            write_atomic(output, made.text.encode(), 0o644)
        except OSError as error:
            raise SifmigrateError(write.unwritten(str(output), error).message) from error
    else:
        sys.stdout.write(made.text)
    for note in made.notes:
        where = os.path.join(os.path.dirname(name), note.file) if note.file else name  # noqa: PTH118, PTH120 - a text
        say(f"{_one_line(where)}:{note.line}:{note.column}: {_one_line(note.text)}")
    return POINTS if any(note.look for note in made.notes) else OK


def _recipe(name: str, data: bytes, base: str, build_arg: list[str]) -> Recipe:
    from migrate.recipe import packages_recipe, reader_of, recipe  # noqa: PLC0415 - as in scan

    folder = Path(name).parent
    if not reader_of(name, data):
        if base:
            raise SifmigrateError(f"{name}: --base is for lists of packages: a Dockerfile names its base behind FROM")
        ignored = any(map(os.path.isfile, (Path(f"{name}.dockerignore"), folder / ".dockerignore")))
        return recipe(data, name=name, arguments=_pairs(build_arg), dockerignore=ignored)
    if build_arg:
        raise SifmigrateError(f"{name}: --build-arg is for Dockerfiles")
    return packages_recipe(data, name=name, base=base, read=partial(_beside, folder))


def _beside(folder: Path, path: str) -> bytes | None:
    """The content of a file that another one names; None where there is none."""
    file = folder / path
    return file.read_bytes() if file.is_file() else None


def _pairs(arguments: list[str]) -> dict[str, str]:
    """NAME=VALUE, or NAME alone for a variable of the environment, as docker build takes it."""
    pairs = [argument.partition("=") for argument in arguments]
    return {
        name: value if equals else os.environ[name] for name, equals, value in pairs if equals or name in os.environ
    }


@app.command(cls=PlainCommand, context_settings={"ignore_unknown_options": True})  # a message may hold `-lcuda`
@guarded
def explain(
    query: Annotated[
        list[str],
        typer.Argument(
            metavar='RULE|DECISION|"MESSAGE"', help="A rule, a decision, or what you saw; - reads standard input."
        ),
    ],
    *,
    target: TargetName = None,
    rules: RuleFolders = None,
    config_file: SettingsFile = None,
    output_format: Annotated[str, typer.Option("--output-format", metavar="FMT", help="text or json.")] = "text",
) -> int:
    """Explain a rule, or an error message of a job. Tells what it comes from, and what to do."""
    from migrate.runs import lookup  # noqa: PLC0415 - as in scan

    query_text = _stdin().decode("utf-8", "replace") if query == ["-"] else " ".join(query)
    if not query_text.strip():
        raise SifmigrateError("nothing to explain: give a rule's id, or the line that you saw")
    config = _config(config_file)
    text, complaint = lookup.explain(
        query_text.strip(),
        target=_profile("target", target, config),
        folders=_folders(rules, config),
        say=say,
        form=output_format,
        width=_width(),
    )
    tell(text)
    if complaint:
        say(complaint)
    return POINTS if complaint else OK


def _width() -> int:
    """Columns for text that people read."""
    return min(shutil.get_terminal_size().columns, 100) if sys.stdout.isatty() else 80


@app.command(cls=PlainCommand)
@guarded
def revert() -> int:
    """Undo the last `rewrite --in-place` of this folder. Files that have changed since are left alone."""
    from migrate.files import journal  # noqa: PLC0415 - as in scan

    restored, faults = journal.revert(Path.cwd())
    for path in restored:
        tell(f"restored {shown(path)}\n")
    for fault in faults:
        say(f"sifmigrate: {fault.message}")
    return WRONG if faults else OK


@app.command(cls=PlainCommand)
@guarded
def sites() -> int:
    """List the sites that scripts may come from."""
    from migrate.runs.lookup import list_profiles  # noqa: PLC0415

    tell(list_profiles("sites"))
    return OK


@app.command(cls=PlainCommand)
@guarded
def targets() -> int:
    """List the targets that scripts may go to."""
    from migrate.runs.lookup import list_profiles  # noqa: PLC0415

    tell(list_profiles("targets"))
    return OK


@app.command(cls=PlainCommand)
@guarded
def schema(
    kind: Annotated[str, typer.Argument(help="target, site, rule, config or report; or a table.", show_default=False)],
) -> int:
    """Print the JSON Schema of a kind of file, for editors."""
    from migrate.runs import describe  # noqa: PLC0415 - as in scan

    sys.stdout.write(describe.schema(kind))
    return OK


@app.command(cls=PlainCommand)
@guarded
def config(config_file: SettingsFile = None) -> int:
    """Show every setting in force here, and where it comes from."""
    for name, setting in _config(config_file).items():
        value = ", ".join(setting.value) if isinstance(setting.value, list) else setting.value
        text = "-" if value in (None, "") else str(value).lower() if isinstance(value, bool) else value
        tell(f"{name:10} {text}  ({setting.place})\n")
    return OK


@target_app.command("init", cls=PlainCommand)
@guarded
def target_init(  # noqa: PLR0913 - one parameter a question
    file: Annotated[Path, typer.Argument(help="Where it goes, such as mycluster.yaml.", show_default=False)],
    *,
    name: Annotated[str | None, typer.Option("--id", help="Its id; the file's name when absent.")] = None,
    extends: Annotated[str, typer.Option(help="The shipped target that it is like.")] = "slinky",
    partition: Annotated[str | None, typer.Option(help="Its partition for most jobs.")] = None,
    max_time: Annotated[str | None, typer.Option(help="That partition's limit: unlimited, or [D-]HH:MM:SS.")] = None,
    gpus: Annotated[int | None, typer.Option(min=0, help="GPUs of a node.")] = None,
    memory: Annotated[str | None, typer.Option(help="Memory of a node, such as 2000G.")] = None,
    mount: Annotated[list[str] | None, typer.Option(help="A path that all nodes have; repeatable.")] = None,
    accounting: Annotated[bool | None, typer.Option(help="Whether it checks accounts.")] = None,
    command: Annotated[str | None, typer.Option(help="singularity or apptainer.")] = None,
) -> int:
    """Write a commented target file. Asks for what no option says, when a person is there to answer."""
    from migrate.runs import describe  # noqa: PLC0415 - as in scan

    describe.check_place(file)
    answers = describe.Answers(
        id=name or file.stem.lower().replace("_", "-"),
        extends=extends,
        partition=partition or _answer("partition", "Partition for most jobs", "slinky"),
        max_time=max_time or _answer("time limit", "Its time limit (unlimited, or [D-]HH:MM:SS)", "unlimited"),
        gpus=gpus if gpus is not None else _count(_answer("GPUs", "GPUs of one of its nodes (a number, if known)")),
        memory=memory or _answer("memory", "Memory of one of its nodes (such as 512G, if known)") or None,
        mounts=tuple(mount or _answer("mount", "Paths that all nodes have", "/home /work").split()),
        accounting=_answer("accounting", "Does it check accounts (yes, no)", "no") == "yes"
        if accounting is None
        else accounting,
        command=command or _answer("command", "Scripts call the runtime (singularity, apptainer)", "singularity"),
    )
    describe.write_target(file, answers)
    name = _one_line(file)
    say(f"Written: {name}. Look it through, then: sifmigrate target check {name}")
    return OK


@target_app.command("check", cls=PlainCommand)
@guarded
def target_check(
    file: Annotated[str, typer.Argument(help="A target's file, or a shipped target.", show_default=False)],
) -> int:
    """Tell what is wrong in a target file, and what it leaves open. Exit 1 where it contradicts itself."""
    from migrate.runs import describe  # noqa: PLC0415 - as in scan

    wrong, still_open = describe.check_target(file)
    for line in wrong:
        say(f"sifmigrate: {line}")
    for line in still_open:
        tell(f"open: {line}\n")
    if not wrong:
        tell(f"{_one_line(file)}: good\n")
    return POINTS if wrong else OK


def _answer(question: str, text: str, default: str = "") -> str:
    """What a person says, asked again until it is right; the default where nobody is there."""
    from migrate.runs import describe  # noqa: PLC0415 - as in scan

    if sys.stdin is None or not sys.stdin.isatty():
        return default

    def right(said: str) -> str:
        words = said.split() if question == "mount" else [said] if said else []
        if wrong := next(filter(None, (describe.wrong_answer(question, word) for word in words)), ""):
            raise typer.BadParameter(wrong)
        return said

    return _asked(text, default, right)


def _asked(text: str, default: str, right: Callable[[str], str] | None = None) -> str:
    """What a person types; Ctrl-C and Ctrl-D end the program."""
    try:
        return str(typer.prompt(text, default=default, show_default=bool(default), value_proc=right))
    except typer.Abort:  # in the middle of a line
        say("")
        raise KeyboardInterrupt from None


def _count(text: str) -> int | None:
    return int(text) if text else None


@rules_app.command("list", cls=PlainCommand)
@guarded
def rules_list(rules: RuleFolders = None, config_file: SettingsFile = None) -> int:
    """List the rules in the order in which they speak."""
    from migrate.runs.lookup import list_rules  # noqa: PLC0415

    tell(list_rules(_folders(rules, _config(config_file))))
    return OK


@rules_app.command("show", cls=PlainCommand)
@guarded
def rules_show(
    rule: Annotated[str, typer.Argument(help="A rule's id.", show_default=False)],
    rules: RuleFolders = None,
    config_file: SettingsFile = None,
) -> int:
    """Show all that a rule says, and its examples."""
    from migrate.runs.lookup import show_rule  # noqa: PLC0415

    tell(show_rule(rule, _folders(rules, _config(config_file)), say, _width()))
    return OK


@rules_app.command("facts", cls=PlainCommand)
@guarded
def rules_facts(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="A fact, key, action or topic.", show_default=False)
    ] = None,
    rules: RuleFolders = None,
    config_file: SettingsFile = None,
) -> int:
    """List the facts, keys and actions that rules are written with."""
    from migrate.runs.lookup import list_facts  # noqa: PLC0415

    tell(list_facts(names or [], _folders(rules, _config(config_file)), _width()))
    return OK


@rules_app.command("test", cls=PlainCommand)
@guarded
def rules_test(
    path: Annotated[Path | None, typer.Argument(help="A rule file or a folder of rules.")] = None,
) -> int:
    """Run the examples of the rules: the shipped ones, or those of PATH."""
    from migrate.runs.lookup import test_rules  # noqa: PLC0415

    return POINTS if test_rules(path, tell) else OK


def _stdin() -> bytes:
    if sys.stdin is None:
        raise SifmigrateError("-: standard input is closed")
    return sys.stdin.buffer.read()
