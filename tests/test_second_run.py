"""A second rewrite finds nothing to do in the output of the first, whatever the script, the target and the flags."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from old_scripts import anything_old
from scripts import anything, realistic

from migrate.engine import Plan, run
from migrate.model import Edit, Outcome, Owned, Result, Source, Target
from migrate.runs.setup import make_plan
from migrate.tables import profiles

_ANSWERS = {
    "path": {"/work": "/mnt/lustre/work", "/home": "/users"},
    "account": {"MST112233": "bio-lab", "proj": "bio-lab", "gaa1": "bio-lab", "kept": "kept"},
    "partition": {"ct56": "slinky", "fast": "slinky", "fast.q": "slinky", "rt_HF": "slinky"},
    "image": {"*jcm:5000/dhub/pytorch:1.0*": "docker://pytorch/pytorch:1.0-cuda10.0-cudnn7-runtime"},
}
_FLAGS: Mapping[str, Mapping[str, bool]] = {
    "plain": {},
    "annotated": {"annotate": True},
    "safe only": {"safe_only": True},
    "safe only, annotated": {"safe_only": True, "annotate": True},
}


def _answered(target: Target) -> Target:
    return replace(target, command="apptainer", accounting="slurmdbd", shape="fit", answers=_ANSWERS, mpi="pmix")


def _plans() -> dict[str, Plan]:
    """Every shipped target, as it is and with everything answered, and every flag; some with the site named."""
    shipped = {name: make_plan(name) for name in ("slinky", "slinky-pyxis")}
    targets = shipped | {f"answered {n}": replace(p, target=_answered(p.target)) for n, p in shipped.items()}
    known = {
        f"{name}, {flag}": replace(plan, **set_) for name, plan in targets.items() for flag, set_ in _FLAGS.items()
    }
    named = {
        f"{name}, from {site}": replace(known[name], site=profiles.site(site))
        for site in ("taiwania1", "taiwania2", "abci2", "abci3", "generic")
        for name in ("slinky, plain", "answered slinky-pyxis, annotated")
    }
    return known | named


@pytest.fixture(scope="module")
def plans() -> Mapping[str, Plan]:
    return _plans()


def twice(script: str | bytes, plan: Plan) -> tuple[Result, Result]:
    """A script's result and that of its output."""
    data = script.encode() if isinstance(script, str) else script
    first = run(Source("job.sh", data), plan)
    return first, run(Source("job.sh", first.output), plan)


# ------------------------------------------------------------------------------------------------ inputs of old

_HANDED = {
    "an account that was answered": "#!/bin/bash\n#SBATCH -A MST112233\n#SBATCH -p ct56\nsrun ./a\n",
    "an account of Grid Engine that was answered": "#!/bin/bash\n#$ -P proj\n#$ -q fast.q\n./a\n",
    "an account that keeps its name": "#!/bin/bash\n#SBATCH -A kept\nsrun ./a\n",
    "no interpreter line": "#$ -N x\n#$ -l rt_F=1\nmodule load gcc\npython a.py\n",
    "no interpreter line, and a queue": "#PBS -q fast\nmodule load gcc\npython a.py\n",
    "a here-document that begins with an empty line": "#!/bin/bash\n#PBS -N x\nssh n1 <<EOF\n\nqsub a.sh\nEOF\n",
    "nothing but such a here-document": "ssh n1 <<EOF\n\nmodule load gcc\nEOF\n",
    "an image of a library, PBS": "#!/bin/bash\n#PBS -q rt_HF\nsingularity exec library://a/b ls\n",
    "an image of a library, Grid Engine": "#!/bin/bash\n#$ -l rt_F=1\nsingularity pull library://a/b\n",
    "a directive line without an option": "#!/bin/bash\n#PBS\n#PBS # nothing\n#PBS -N x\n./a\n",
    "nothing but such a line": "#PBS\n./a\n",
    "GPUs whose memory only a site of Slurm gives": "#!/bin/bash\n#PBS -l ngpus=2\n./a\n",
    "an unknown letter behind a known one": "#!/bin/bash\n#PBS -n#\n#PBS -I#\n#PBS \\-h#\n#PBS -h$(\nqsub a\n",
    "the image of the whole script": "#!/bin/bash\n#$ -l docker_images=*jcm:5000/dhub/pytorch:1.0*\npython a.py\n",
    "a container in an option of another": 'docker run -e A=$(docker run u "a") u ls\n',
    "a container in an option of Apptainer": "singularity exec --env A=$(singularity exec a.sif ls) a.sif ls\n",
    "a container in a word of another": 'docker run u echo $(docker run v "a")\n',
    "resources in quotes": 'qsub -l "walltime=90,nodes=1:ppn=4" -N a"b" a.sh\n',
    "an option whose quotes are not its own": 'ssh n "c; qsub -N "a b" x"\nbash -c "qsub -N "a""\n',
    "a comment behind what goes": "module load gcc #PBS -q x\nsingularity exec a.sif ls\n#PBS -p 0 #!i\n",
    "a variable that spoke for a scheduler": 'echo "$SGE_TASK_ID"\nid=$(qsub a.sh)\n',
    "a variable without a name": "#PBS -N x\n#PBS -v a:\n./a\n",
    "a continued directive in a here-document": "t <<EO\n#PBS -\\\nx\nEO\n",
    "a site's own shell": "#!/bin/bash\n#PBS -l nodes=2\n#PBS -S /projects/shell.sh\nmpirun -n 4 ./a\n",
    "a comment that a continued directive ends in": "#PBS -N x \\\n#$ -l rt_F=1\n#PBS -\\\n#$ -N y\n./a\n",
    "a command that a variable holds": "CMD='qsub -b y n y'\n$CMD\n",
    "a directive that goes on with a command": "#!/bin/bash\n#$ -N x\nx \\\n#$ -j y\n./a\n",
    "a directive that is expanded": "#!/bin/bash\nt <<E\n#$-N x\nE\nt <<E\n#$ -N x\n",
    "a site of Slurm in the body alone": "#!/bin/bash\n#PBS -N x\nsbatch -p gp1d a.sh\n",
    "a comment that ends in a backslash": "!/bin/bash\r\n#$ -N fit \\\r\n#$ -N fit\r\n",
    "sudo, and sudo again": "sudo sudo singularity exec a.sif ls\n",
    "commands of two schedulers": "#!/bin/bash\nqsub -l walltime=90 a.sh\nqsub -cwd b.sh\n",
    "commands of two schedulers, one of them read": "x|qsub -cwd\nid=`qsub a.sh`\necho $PBS_JOBNAME $JOB_ID $NCPUS\n",
    "a variable of another scheduler than the command": "qsub -cwd a.sh\necho $PBS_NP $PBS_JOBNAME\nqdel $PBS_JOBID\n",
    "a site of Slurm in the body": "#!/bin/bash\n#$ -l rt_F=1\n#$ -g gaa1\nsrun sh -c 'sbatch -p gp1d a.sh'\n",
    "a site of Slurm beside submissions": "qsub -g gaa1 -l rt_F=1 a.sh\nsbatch -p gp1d b.sh\n",
    "lines of two schedulers, of which a site decides": "#!/bin/bash\n#SBATCH -p gtest\n#$ -N x\nqsub a.sh\n",
    "directives in a string": '#!/bin/bash\n#$ -N x\necho "\n#$ -q fast.q\n"\n./a\n',
    "a directive and the end of a string": "echo '\n#$ -N x'\n",
    "a continued directive that ends in a comment": "#PBS -l\\\nl -q rt_HG \\\n# x\n./a\n",
}


@pytest.mark.parametrize("script", _HANDED.values(), ids=_HANDED)
def test_a_second_rewrite_changes_nothing(plans: Mapping[str, Plan], script: str) -> None:
    for name, plan in plans.items():
        first, second = twice(script, plan)
        assert first.fault == "", name
        assert second.output == first.output, name


# ---------------------------------------------------------------------------------- scripts that nobody wrote

_HEADERS = (
    b"#SBATCH -p gp1d\n#SBATCH -A MST112233",
    b"#SBATCH -N 2",
    b"#$ -l rt_F=1\n#$ -g gaa1",
    b"#$ -N x\n#$ -pe smp 4\n#$ -q fast.q",
    b"#PBS -q rt_HF\n#PBS -l select=1",
    b"#PBS -N x\n#PBS -l nodes=1:ppn=4",
)
_SIGNS = (b'"', b"'", b"$(", b")", b"`", b"\\", b"$X", b" ", b"#", b"(", b";", b"|", b"${")


_SCRIPTS = st.one_of(anything_old, realistic, anything, st.sampled_from([s.encode() for s in _HANDED.values()]))


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A script with lines taken out, doubled, swapped, cut or damaged, or with lines of another one."""
    lines = draw(_SCRIPTS).split(b"\n")
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(lines) - 1))
        other = draw(st.integers(0, len(lines) - 1))
        instead, lines[other] = _damaged(draw, lines[at], lines[other])
        lines[at : at + 1] = instead
    return b"\n".join(lines)


def _damaged(draw: st.DrawFn, line: bytes, other: bytes) -> tuple[list[bytes], bytes]:
    """What stands in the place of a line, and of another one."""
    cut, sign = draw(st.integers(0, len(line))), draw(st.sampled_from(_SIGNS))
    words = draw(st.permutations(line.split(b" ")))
    found = draw(st.sampled_from(draw(_SCRIPTS).split(b"\n")))
    shapes = [
        ([b""], other),
        ([line, line], other),
        ([other], line),
        ([line[:cut]], other),
        ([b" ".join(words)], other),
        ([line[:cut] + sign + line[cut:]], other),
        ([found, line], other),
        ([line, draw(st.sampled_from(_HEADERS))], other),
    ]
    return draw(st.sampled_from(shapes))


_COUNT = int(os.environ.get("SIFMIGRATE_SECOND_RUNS", "500"))  # more of them outside CI


def test_hardly_any_mutated_script_would_change_twice(plans: Mapping[str, Plan]) -> None:
    faults: list[tuple[str, bytes, str]] = []

    @seed(14)
    @settings(
        max_examples=_COUNT,
        phases=[Phase.generate],
        derandomize=False,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.sampled_from(sorted(plans)), mutated())
    def try_(name: str, script: bytes) -> None:
        if fault := run(Source("job.sh", script), plans[name]).fault:
            faults.append((name, script, fault))

    try_()
    assert len(faults) <= max(1, _COUNT // 1000), faults


# ---------------------------------------------------------------------------------------- what the ledger says


@pytest.mark.parametrize("script", _HANDED.values(), ids=_HANDED)
def test_the_fate_says_what_happened_to_the_bytes(plans: Mapping[str, Plan], script: str) -> None:
    for name in ("slinky, plain", "answered slinky-pyxis, annotated", "slinky, safe only"):
        for entry in twice(script, plans[name])[0].entries:
            assert entry.reason.strip(" -"), entry.text
            if entry.fate in {"kept", "review"}:
                assert entry.edits == (), entry.text
            if entry.fate == "rewritten" and entry.kind != "line-ends":
                assert entry.edits or "changed with its command" in entry.reason, entry.text


def test_a_shell_that_only_an_option_names_is_written(plans: Mapping[str, Plan]) -> None:
    first, second = twice("#!b\n#$ -S sh\n", plans["slinky, plain"])
    assert first.output.startswith(b"#!/bin/sh\n")
    assert second.output == first.output


def test_a_directive_that_is_switched_off_is_rewritten_as_a_comment(plans: Mapping[str, Plan]) -> None:
    entry = twice("#!/bin/bash\n#PBS -N x\n#PBS -I\n", plans["slinky, plain"])[0].entries[1]
    assert (entry.text, entry.fate, entry.after) == ("-I", "rewritten", "##PBS -I")


def test_a_value_that_two_commands_share_is_rewritten_once(plans: Mapping[str, Plan]) -> None:
    script = "#!/bin/bash\nP=gp1d\nsbatch --partition=$P a.sh\nsbatch --partition=$P b.sh\n"
    first, second = (e for e in twice(script, plans["slinky, plain"])[0].entries if e.text == "--partition=$P")
    assert (first.fate, len(first.edits)) == ("rewritten", 1)
    assert (second.fate, second.edits) == ("kept", ())
    assert second.reason.endswith("changed with another where its value stands, in line 2")


@pytest.mark.parametrize("command", ["enroot", "docker", "podman", "docker -v"])
def test_a_tool_without_a_command_has_a_reason_to_stay(plans: Mapping[str, Plan], command: str) -> None:
    entries = twice(f"#!/bin/bash\n{command}\n", plans["slinky, plain"])[0].entries
    assert all(e.reason for e in entries)
    assert "names no command of its own" in entries[0].reason


# ------------------------------------------------------------------------------------------------------- sites


@pytest.mark.parametrize(
    ("script", "site"),
    [
        ("#!/bin/bash\n#SBATCH -N 1\ncd /work1/u\n", "generic"),  # a script for Slurm is of no site of PBS
        ("#!/bin/bash\n#SBATCH -p gp1d\nqsub -q rt_HF a.sh\n", "taiwania2"),
        ("cd /work1/u\n", "taiwania1"),
        ("#!/bin/bash\n#PBS -N x\ncd /work1/u\n", "taiwania1"),
        ("#!/bin/bash\n#$ -l rt_F=1\nsbatch a.sh\n", "abci2"),
    ],
)
def test_a_script_is_of_a_site_whose_scheduler_it_speaks_to(plans: Mapping[str, Plan], script: str, site: str) -> None:
    assert twice(script, plans["slinky, plain"])[0].site.id == site


@pytest.mark.parametrize(
    ("lines", "first", "second"),
    [
        ("#SBATCH -p gp1d\n#SBATCH -p ct56", "taiwania2", "taiwania3"),
        ("qsub -l rt_F=1 a.sh\nqsub -q rt_HF b.sh", "abci2", "abci3"),
        # the same once more shows no more
        ("qsub -l rt_F=1 a.sh\nqsub -q rt_HF b.sh\nqsub -l rt_F=1 c.sh", "abci2", "abci3"),
        ("qsub -l rt_F=1 a.sh\nqsub -q rt_HF b.sh\nqsub -q rt_HF c.sh", "abci2", "abci3"),
    ],
)
def test_a_script_of_which_as_much_shows_one_site_as_another_is_undecided_and_unchanged(
    plans: Mapping[str, Plan], lines: str, first: str, second: str
) -> None:
    result = run(Source("job.sh", f"#!/bin/bash\n{lines}\n".encode()), plans["slinky, plain"])
    assert (result.site.id, result.changed) == ("generic", False)
    assert result.evidence.startswith(f"undecided between {first} and {second}: line 2")


def test_what_would_be_of_another_site_once_it_is_rewritten_is_undecided(plans: Mapping[str, Plan]) -> None:
    first, _ = twice(_HANDED["a site of Slurm in the body"], plans["slinky, plain"])
    assert first.evidence.startswith("undecided between abci2 and taiwania2: ")
    assert "line 4: -p gp1d" in first.evidence
    assert not first.changed


# ------------------------------------------------------------------------------------------------------ notes


def _annotated(plans: Mapping[str, Plan], script: str, plan: str = "slinky, annotated") -> list[str]:
    return [line for line in twice(script, plans[plan])[0].output.decode().split("\n") if "# sifmigrate:" in line]


def test_a_script_without_points_gets_no_note(plans: Mapping[str, Plan]) -> None:
    assert _annotated(plans, "#!/bin/bash\n#SBATCH -N 1\nhostname\n") == []


def test_a_statement_gets_its_notes_once(plans: Mapping[str, Plan]) -> None:
    script = "#!/bin/bash\nmodule load gcc\n./a\nmodule load cuda\n./b\n"
    assert sum("[undecided-environment]" in line for line in _annotated(plans, script)) == 1


def test_what_only_the_next_run_would_ask_is_noted_by_this_one(plans: Mapping[str, Plan]) -> None:
    """Without ABCI's directives the image is no longer known as one of ABCI's library."""
    script = "#!/bin/bash\n#PBS -q rt_HF\nsingularity exec library://a/b ls\n"
    rules = [line.partition("[")[2].partition("]")[0] for line in _annotated(plans, script)]
    assert {"abci-library-image", "library-image"} <= set(rules)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (b"# a comment\n", True),
        (b"#SBATCH --partition=gp1d\n", False),  # the next run would rewrite it
        (b"if true; then (\n", False),  # and could not read this
    ],
)
def test_notes_that_change_what_is_read_are_left_out(
    plans: Mapping[str, Plan], monkeypatch: pytest.MonkeyPatch, text: bytes, *, kept: bool
) -> None:
    def notes(source: Source, outcomes: Sequence[Outcome], _: Sequence[Owned]) -> Iterator[Owned]:
        at = source.data.index(b"\n") + 1
        if text not in source.data:
            yield Owned(Edit(at, b"", text), 0, note=outcomes[0].finding, rank=1)

    monkeypatch.setattr("migrate.engine.notes", notes)
    result = run(Source("job.sh", b"#!/bin/bash\n#SBATCH -N 1\nmodule load gcc\n./a\n"), plans["slinky, annotated"])
    assert result.fault == ""
    assert (text in result.output) == kept


def test_notes_of_the_next_run_are_in_the_ledger(plans: Mapping[str, Plan]) -> None:
    script = "#!/bin/bash\n#PBS -q rt_HF\nsingularity exec library://a/b ls\n"
    result, _ = twice(script, plans["slinky, annotated"])
    written = [line for line in result.output.decode().split("\n") if "# sifmigrate:" in line]
    assert [e.text for e in result.entries if e.item is None and "# sifmigrate:" in e.text] == written


def test_an_account_that_an_answer_gave_is_not_asked_for_again(plans: Mapping[str, Plan]) -> None:
    first, second = twice(_HANDED["an account that was answered"], plans["answered slinky, annotated"])
    assert b"#SBATCH -A bio-lab" in first.output
    assert not any(o.finding.rule == "unknown-account" for r in (first, second) for o in r.outcomes)


def test_an_account_that_keeps_its_name_is_not_called_rewritten(plans: Mapping[str, Plan]) -> None:
    first, _ = twice(_HANDED["an account that keeps its name"], plans["answered slinky, plain"])
    assert not first.changed
    assert [e.fate for e in first.entries if e.kind == "directive"] == ["kept"]


# ----------------------------------------------------------------------------------------- what goes goes whole

_GONE = {
    "a variable in a module's name": "module use $PBS_O_WORKDIR/mods",
    "a variable that is the name": "module load $PBS_JOBNAME",
    "a variable behind a redirection": "module list 2> $PBS_JOBID.log",
    "a path behind a redirection": "module load x 2> /work/u/err.log",
    "a variable in a word of Docker": "docker rm c_$PBS_JOBID",
    "a variable behind a redirection of Docker": "docker rmi u > $PBS_JOBID.log",
    "a command in a module's name": 'module load cuda/$(docker run u "a")',
    "a module line in a module's name": "module load a $(module load b)",
    "a command of the old scheduler": "docker rm $(qsub -N x a.sh)",
}
_BLOCKS = ("@", "if true; then\n  @\nfi", "f() { @; }\nf", "for i in 1 2; do @; done", "( @ )", "true && @")


@pytest.mark.parametrize("command", _GONE.values(), ids=_GONE)
@pytest.mark.parametrize("block", _BLOCKS)
@pytest.mark.parametrize(
    "around", ["#\nsingularity exec a.sif ls\n", "singularity exec a.sif ls\n#"], ids=["above", "last"]
)
def test_what_stands_in_a_removed_command_goes_with_it(
    plans: Mapping[str, Plan], command: str, block: str, around: str
) -> None:
    script = f"#!/bin/bash\n#PBS -N x\n{around.replace('#', block.replace('@', command))}"
    for target in ("slinky", "slinky-pyxis", "answered slinky-pyxis"):
        first, second = twice(script, plans[f"{target}, plain"])
        assert first.fault == ""
        assert second.output == first.output
        assert command.encode() not in first.output
        start = script.index(command)
        end = start + len(command)
        inside = [e for e in first.entries if e.item and start <= e.item.span.start < end]
        assert {e.fate for e in inside} == {"removed"}


def test_what_stands_in_a_command_that_stays_is_decided_by_itself(plans: Mapping[str, Plan]) -> None:
    script = "#!/bin/bash\n#PBS -N x\nmodule load gcc $PBS_O_WORKDIR/mods 2> $PBS_JOBID.log\n./a\n"
    first, _ = twice(script, plans["slinky, plain"])
    assert b"module load gcc $SLURM_SUBMIT_DIR/mods 2> $SLURM_JOB_ID.log\n" in first.output
