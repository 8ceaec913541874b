"""Chains of whole runs: trees of scripts, made from a seed, of which the test knows who calls whom."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from migrate.engine import Plan, run
from migrate.model import READINESS, Result, Source
from migrate.reports import FORMATS
from migrate.reports.summary import summarize
from migrate.runs import batch
from migrate.runs.batch import Outcome, Settings, migrate, write_folder
from migrate.runs.setup import Choice
from migrate.tables.load import fault

Run = Callable[..., Outcome]

HEADS = {
    "": "",
    "pbs": "#PBS -l nodes=2:ppn=4\n",
    "grid_engine": "#$ -pe smp 8\n#$ -cwd\n",
    "slurm": "#SBATCH -N 1\n#SBATCH -t 10\n",
}
SUBMITS = {"": "sbatch {}", "pbs": "qsub {}", "grid_engine": "qsub -cwd {}", "slurm": "sbatch --time=5 {}"}
SUBMITTED_TO = {"": "slurm", "pbs": "pbs", "grid_engine": "grid_engine", "slurm": "slurm"}
WAYS = {
    "source": ("source {}", ". {}"),
    "run": (
        "bash {}",
        "sh -e {}",
        "{} 1 2",
        "nohup bash {} &",
        "srun bash {}",
        "xargs bash {} < list",
        "time {} > log",
    ),
}
BODIES = ("echo done", "hostname", "export N=4", "python train.py", "cat $PBS_NODEFILE", "module load gcc/9", "sleep 1")


@dataclass
class Script:
    path: str
    dialect: str
    body: str
    calls: list[tuple[str, str]] = field(default_factory=list)  # how, and whom


def tree_of(seed: int, *, loops: bool = False) -> dict[str, Script]:
    """Scripts of a few folders, of which each calls some of those behind it; with loops also before it, or itself."""
    chance = random.Random(seed)  # noqa: S311 - the same every time
    paths = [
        f"{folder}s{n}{chance.choice(['.sh', '.sh', ''])}"
        for n, folder in enumerate(chance.choices(["", "jobs/", "lib/", "jobs/deep/"], k=chance.randint(2, 9)))
    ]
    scripts = {p: Script(p, chance.choice([*HEADS, ""]), chance.choice(BODIES)) for p in paths}
    for n, path in enumerate(paths):
        others = paths if loops else paths[n + 1 :]
        for other in chance.sample(others, k=min(len(others), chance.choice([0, 1, 1, 2, 3]))):
            scripts[path].calls.append((chance.choice(["source", "run", "run", "submit"]), other))
    return scripts


def text_of(script: Script, chance: random.Random) -> str:
    lines = ["#!/bin/bash", HEADS[script.dialect] + script.body]
    for n, (how, other) in enumerate(script.calls):
        way = SUBMITS[script.dialect] if how == "submit" else chance.choice(WAYS[how])
        lines += [*held(script.path, other, n, chance, way)]
    return "\n".join(lines) + "\n"


def held(path: str, other: str, n: int, chance: random.Random, way: str) -> list[str]:
    """The lines by which a script names another one, in any of the forms that people use."""
    near = os.path.relpath(other, Path(path).parent)
    folder, name = os.path.split(other)
    forms = [
        [f"./{other}"],
        [f"$(dirname $0)/{near}"],
        [f'"$(cd "$(dirname "${{BASH_SOURCE[0]}}")" && pwd)/{near}"'],
        [f'HERE{n}="$( cd "$( dirname "$0" )" >/dev/null && pwd )"', f'"$HERE{n}/{near}"'],
        [f"$SLURM_SUBMIT_DIR/{other}"],
        [f"$PBS_O_WORKDIR/{other}"],
        [f'"${{PWD}}/{other}"'],
        [f"D{n}=./{folder or '.'}", f"${{D{n}}}/{name}"],
        [f"S{n}={'./' + other}", f"$S{n}"],
        [f"for f{n} in ./{other}; do", f"$f{n}"],
    ]
    *before, word = chance.choice(forms)
    loop = before and before[0].startswith("for")
    return [*before, way.format(word), *(["done"] if loop else [])]


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slinky: Plan) -> Run:
    """Return a function that writes files and migrates them, by default the folder with all of them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Settings, "plan", lambda _: slinky)

    def written(
        files: Mapping[str, str], paths: Sequence[str] = (".",), *, jobs: int = 1, stays: bool = False
    ) -> Outcome:
        for name, text in files.items():
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            Path(name).write_text(text)
        settings = Settings(Choice("slinky"), jobs=jobs, cache=False)
        return migrate(paths, settings, stdin=lambda: b"", stays=stays, exclude=Path("migrated"))

    return written


def texts(scripts: Mapping[str, Script], seed: int) -> dict[str, str]:
    chance = random.Random(seed)  # noqa: S311 - the same every time
    return {path: text_of(script, chance) for path, script in scripts.items()}


def by_path(outcome: Outcome) -> dict[str, Result]:
    return {result.source.path: result for result in outcome.results}


def reached(scripts: Mapping[str, Script], path: str) -> set[str]:
    found: set[str] = set()
    waiting = [other for _, other in scripts[path].calls]
    while waiting:
        each = waiting.pop()
        if each not in found:
            found.add(each)
            waiting += [other for _, other in scripts[each].calls]
    return found


def told(result: Result) -> object:
    """All that is told of a script."""
    return (
        result.output,
        result.readiness,
        result.site.id,
        result.calls,
        [(o.finding.rule, o.finding.message, o.applied) for o in result.outcomes],
        [(e.text, e.fate, e.reason) for e in result.entries],
        result.gaps,
    )


SEEDS = range(60)


@pytest.mark.parametrize("seed", SEEDS)
def test_who_calls_whom_is_found_whatever_the_words(seed: int, runs: Run) -> None:
    scripts = tree_of(seed, loops=seed % 3 == 0)
    results = by_path(runs(texts(scripts, seed)))
    assert set(results) == set(scripts)
    for path, script in scripts.items():
        assert {(call.how, call.path) for call in results[path].calls} == set(script.calls), path
        callers = {p for p, each in scripts.items() if path in {other for _, other in each.calls}}
        assert set(results[path].around.called_by) == callers


@pytest.mark.parametrize("seed", SEEDS)
def test_a_caller_is_as_ready_as_the_worst_of_its_chain(seed: int, runs: Run) -> None:
    scripts = tree_of(seed, loops=seed % 3 == 0)
    results = by_path(runs(texts(scripts, seed)))
    for path, result in results.items():
        chain = [results[each] for each in {path, *reached(scripts, path)}]
        assert result.readiness == max((r.alone or r.readiness for r in chain), key=READINESS.index)
        assert not result.fault


@pytest.mark.parametrize("seed", SEEDS)
def test_a_loop_is_named_and_nothing_else_is(seed: int, runs: Run) -> None:
    scripts = tree_of(seed, loops=True)
    for path, result in by_path(runs(texts(scripts, seed))).items():
        loop = result.around.loop
        assert bool(loop) == (path in reached(scripts, path))
        for one, other in zip(loop, (*loop[1:], *loop[:1]), strict=True):
            assert other in {called for _, called in scripts[one].calls}
        assert bool(loop) == any(o.finding.rule == "call-loop" for o in result.outcomes)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_script_without_directives_has_the_scheduler_of_its_callers(seed: int, runs: Run) -> None:
    scripts = tree_of(seed)
    results = by_path(runs(texts(scripts, seed)))
    speaks: dict[str, str] = {}
    for path, script in scripts.items():  # callers stand before
        given = {
            SUBMITTED_TO[each.dialect] if how == "submit" else speaks[caller]
            for caller, each in scripts.items()
            for how, other in each.calls
            if other == path
        } - {""}
        inherits, differs = results[path].around.inherits, results[path].around.differs
        if given:
            assert inherits.dialect == (next(iter(given)) if len(given) == 1 else "")
        assert ("dialect" in differs) <= (len(given) > 1)
        speaks[path] = script.dialect or inherits.dialect


@pytest.mark.parametrize("seed", SEEDS)
def test_another_script_that_none_calls_changes_nothing(seed: int, runs: Run) -> None:
    files = texts(tree_of(seed, loops=seed % 2 == 0), seed)
    before = by_path(runs(files))
    after = by_path(runs({**files, "zz/alone.sh": "#!/bin/bash\n#SBATCH -N 1\nhostname\n", "a.sh": "echo\n"}))
    assert {p: told(r) for p, r in before.items()} == {p: told(r) for p, r in after.items() if p in before}


@pytest.mark.parametrize("seed", range(0, 60, 4))
def test_neither_the_order_of_files_nor_the_number_of_processes_changes_anything(
    seed: int, runs: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = texts(tree_of(seed, loops=True), seed)
    names = list(files)
    random.Random(seed).shuffle(names)  # noqa: S311 - as above
    before = runs(files, sorted(files))
    shuffled = {p: told(r) for p, r in by_path(runs(files, names)).items()}
    assert shuffled == {p: told(r) for p, r in by_path(before).items()}
    monkeypatch.setattr(batch, "_MANY", 1)
    monkeypatch.setattr(batch, "_CHUNK", 1)
    shared = runs(files, sorted(files), jobs=2)
    for form in FORMATS.values():
        assert form(shared.report()) == form(before.report())


@pytest.mark.parametrize("seed", range(0, 60, 3))
def test_without_calls_each_script_is_what_it_is_alone(seed: int, runs: Run, slinky: Plan) -> None:
    scripts = {p: Script(p, s.dialect, s.body) for p, s in tree_of(seed).items()}
    outcome = runs(texts(scripts, seed))
    assert not outcome.chains.around
    for path, result in by_path(outcome).items():
        alone = run(Source(path, result.source.data, result.source.mode), slinky)
        assert told(result) == told(alone)


@pytest.mark.parametrize("seed", range(0, 60, 2))
def test_the_migrated_tree_is_not_changed_again(seed: int, runs: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = runs(texts(tree_of(seed, loops=seed % 4 == 0), seed))
    write_folder(outcome, Path("migrated"))
    monkeypatch.chdir("migrated")
    for name in ("report.json", "report.md"):
        Path(name).unlink()
    again = migrate(["."], Settings(Choice("slinky"), jobs=1, cache=False), stdin=lambda: b"")
    assert [r.source.path for r in again.results if r.changed] == []
    assert {p: {c.path for c in r.calls} for p, r in by_path(again).items()} == {
        p: {c.path for c in r.calls} for p, r in by_path(outcome).items()
    }


@pytest.mark.parametrize("seed", range(0, 60, 6))
def test_the_report_in_json_has_the_calls_and_fits_its_schema(seed: int, runs: Run) -> None:
    outcome = runs(texts(tree_of(seed), seed))
    report = json.loads(FORMATS["json"](outcome.report()))
    assert fault(report, "report") is None
    for script, result in zip(report["scripts"], outcome.results, strict=True):
        assert [(c["how"], c["path"]) for c in script.get("calls", [])] == [(c.how, c.path) for c in result.calls]


# ------------------------------------------------------------------------------------------------ one by one

JOB = "#!/bin/bash\n#SBATCH -N 1\n"
OLD = "#!/bin/bash\n#PBS -l nodes=1:ppn=4\n"


def rules_of(result: Result) -> set[str]:
    return {outcome.finding.rule for outcome in result.outcomes}


@pytest.mark.parametrize(
    "line",
    [
        "bash y.sh",
        "./other.sh",
        "python x.sh.py",
        "echo bash x.sh",
        "# bash x.sh",
        "cp x.sh y",
        "bash -c x.sh",
        "cat x.sh",
    ],
)
def test_these_lines_call_nothing(line: str, runs: Run) -> None:
    results = by_path(runs({"job.sh": f"{JOB}{line}\n", "x.sh": "echo\n"}))
    assert results["job.sh"].calls == ()
    assert results["x.sh"].around.called_by == ()


def test_what_two_callers_agree_on_is_inherited_and_the_rest_is_told(runs: Run) -> None:
    files = {
        "a.sh": f"{OLD}module load gcc\nexport N=4 M=1\nbash x.sh\n",
        "b.sh": f"{OLD}module load gcc cuda\nexport N=4 M=2\nbash x.sh\n",
        "x.sh": "echo $N $M $PBS_JOBID\n",
    }
    result = by_path(runs(files))["x.sh"]
    assert (result.around.inherits.dialect, result.around.inherits.constants) == ("pbs", {"N": "4"})
    assert result.around.inherits.software == ()
    assert set(result.around.differs) == {"software", "$M"}
    assert "unlike-callers" in rules_of(result)
    assert b"$SLURM_JOB_ID" in result.output


def test_a_run_script_has_the_exported_variables_and_a_sourced_one_all(runs: Run) -> None:
    files = {
        "job.sh": f"{JOB}A=1\nexport B=2\nbash x.sh\nsource y.sh\n",
        "x.sh": "echo $A $B\n",
        "y.sh": "echo $A $B\n",
    }
    results = by_path(runs(files))
    assert results["x.sh"].around.inherits.constants == {"B": "2"}
    assert results["y.sh"].around.inherits.constants == {"A": "1", "B": "2"}


def test_what_was_loaded_before_a_call_is_inherited_with_what_sourced_files_load(runs: Run) -> None:
    files = {
        "job.sh": f"{JOB}module load gcc/9\nsource env.sh\nbash x.sh\nmodule load late\n",
        "env.sh": "module load cuda/11\n",
        "x.sh": "python t.py\n",
    }
    results = by_path(runs(files))
    loaded = (("gcc", "load", "gcc/9"), ("cuda", "load", "cuda/11"))
    assert results["x.sh"].around.inherits.software == loaded
    assert results["env.sh"].around.serves[-1].software == loaded
    assert [each.script for each in results["env.sh"].around.serves] == ["x.sh"]


def test_a_script_serves_what_it_calls_with_its_own_software_whatever_other_callers_load(runs: Run) -> None:
    files = {
        "a.sh": f"{JOB}bash h.sh\n",
        "b.sh": f"{JOB}module load gcc\nsource env.sh\n./h.sh\n",
        "env.sh": "module load cuda/11\n",
        "h.sh": "#!/bin/bash\npython t.py\n",
    }
    results = by_path(runs(files))
    software = (("gcc", "load", "gcc"), ("cuda", "load", "cuda/11"))
    for each in ("b.sh", "env.sh"):
        assert [(s.script, s.software) for s in results[each].around.serves] == [("h.sh", software)]
        assert b"module load" in results[each].output
        assert results[each].readiness == "blocked"


def test_a_container_command_may_be_in_a_variable_that_a_sourced_file_sets(runs: Run) -> None:
    files = {"job.sh": f"{JOB}. ./env.sh\nsrun $RUN exec a.sif python t.py\n", "env.sh": "RUN=singularity\n"}
    result = by_path(runs(files))["job.sh"]
    assert any(e.kind == "image" and e.text == "a.sif" for e in result.entries)


@pytest.mark.parametrize("other", ["W=20:00:00", "W=$1", "export W=$(cat time)"])
def test_a_variable_that_a_sourced_file_sets_too_is_not_what_the_script_gave_it(other: str, runs: Run) -> None:
    files = {
        "job.sh": "#!/bin/bash\nW=10:00:00\nsource ./s.sh\nqsub -l walltime=$W y.pbs\n",
        "s.sh": f"{other}\n",
        "y.pbs": OLD,
    }
    assert b"10:00:00 y.pbs" not in by_path(runs(files))["job.sh"].output


def test_a_script_beside_the_run_is_read_and_told_and_not_written(runs: Run) -> None:
    files = {"job.sh": f"{JOB}bash x.sh\n", "x.sh": "#!/bin/bash\n#SBATCH -p nowhere\n"}
    outcome = runs(files, ["job.sh"])
    result = by_path(outcome)["job.sh"]
    assert [(c.path, c.of_run) for c in result.calls] == [("x.sh", False)]
    assert result.readiness == outcome.beside[0].readiness == "blocked"
    assert "script-beside-run" in rules_of(result)
    assert [d.id for d in summarize(outcome.report()).decisions] == ["partition:nowhere"]
    assert set(write_folder(outcome, Path("migrated")).written) == {"job.sh"}


def test_a_caller_is_released_with_the_script_for_which_alone_it_waits(runs: Run) -> None:
    files = {
        "all.sh": "#!/bin/bash\nsbatch a.sh\nsbatch b.sh\n",
        "a.sh": f"{JOB}#SBATCH -p old\n",
        "b.sh": f"{JOB}hostname\n",
    }
    summary = summarize(runs(files).report())
    assert [(d.id, d.scripts, d.releases) for d in summary.decisions] == [("partition:old", 2, 2)]
    assert (summary.deciding, summary.released, summary.by_readiness["blocked"]) == (1, 2, 2)


@pytest.mark.parametrize("stays", [True, False])
def test_a_submit_by_an_absolute_path_is_the_old_file_where_the_migrated_one_stands_elsewhere(
    stays: bool,  # noqa: FBT001
    runs: Run,
) -> None:
    here = Path.cwd()
    files = {"all.sh": f"#!/bin/bash\nsbatch {here}/jobs/a.sh\n", "jobs/a.sh": JOB}
    result = by_path(runs(files, stays=stays))["all.sh"]
    assert [c.path for c in result.calls] == ["jobs/a.sh"]
    assert ("call-by-old-path" in rules_of(result)) == (not stays)


def test_a_path_of_the_old_system_means_the_one_script_of_that_folder_and_name(runs: Run) -> None:
    files = {"all.sh": "#!/bin/bash\nsbatch /work/me/jobs/a.sh\nsbatch /x/b.sh\n", "jobs/a.sh": JOB, "jobs/b.sh": JOB}
    result = by_path(runs(files))["all.sh"]
    assert [c.path for c in result.calls] == ["jobs/a.sh"]
    assert {"call-by-old-path", "unclear-call"} <= rules_of(result)


def test_a_link_to_a_script_is_that_script(runs: Run) -> None:
    Path("real").mkdir()
    Path("real/x.sh").write_text("echo\n")
    Path("x.sh").symlink_to("real/x.sh")
    result = by_path(runs({"job.sh": f"{JOB}bash x.sh\n"}))["job.sh"]
    assert [(c.path, c.of_run) for c in result.calls] == [("real/x.sh", True)]


def test_nothing_outside_the_folders_of_the_run_is_read(runs: Run, tmp_path: Path) -> None:
    (tmp_path / "x.sh").write_text("#!/bin/bash\n#SBATCH -p nowhere\n")
    outcome = runs({"in/job.sh": f"{JOB}bash ../x.sh\nsource {tmp_path}/x.sh\n"}, ["in"])
    result = by_path(outcome)["in/job.sh"]
    assert (result.calls, outcome.beside) == ((), ())
    assert "script-outside-run" in rules_of(result)


def test_patterns_and_loops_mean_every_script_that_fits(runs: Run) -> None:
    files = {"all.sh": "#!/bin/bash\nfor j in jobs/*.pbs; do qsub $j; done\nfor n in {1..2}; do bash t$n.sh; done\n"}
    files |= {"jobs/a.pbs": OLD, "jobs/b.pbs": OLD, "t1.sh": "echo\n", "t2.sh": "echo\n", "t3.sh": "echo\n"}
    result = by_path(runs(files))["all.sh"]
    assert [(c.how, c.path) for c in result.calls] == [
        ("submit", "jobs/a.pbs"),
        ("submit", "jobs/b.pbs"),
        ("run", "t1.sh"),
        ("run", "t2.sh"),
    ]


def test_standard_input_and_files_that_cannot_be_read_are_no_fault_of_chains(runs: Run) -> None:
    outcome = runs({"job.sh": f"{JOB}bash x.sh\nbash y.sh\n", "x.sh": "a\0b\n", "y.sh": ""})
    assert by_path(outcome)["job.sh"].calls == ()
    settings = Settings(Choice("slinky"), jobs=1, cache=False)
    (result,) = migrate(["-"], settings, stdin=f"{JOB}bash job.sh\n".encode).results
    assert result.calls == ()


def test_the_texts_of_a_report_name_the_called_scripts(runs: Run) -> None:
    files = {"job.sh": f"{JOB}bash x.sh\n", "x.sh": "#!/bin/bash\n#SBATCH -p nowhere\n"}
    report = runs(files).report()
    assert "  calls: runs x.sh (blocked)\n" in FORMATS["text"](report)
    assert "It runs x.sh (blocked)." in FORMATS["markdown"](report)
