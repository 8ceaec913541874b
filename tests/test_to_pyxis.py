"""Commands of Docker and of Apptainer as steps of pyxis: what each kind of line becomes, to the letter."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest

from migrate.engine import Plan, run
from migrate.model import Result, Source
from migrate.runs.setup import make_plan

_SEES = '--container-mounts="$PWD" --container-mount-home --container-workdir="$PWD"'
_BOX = "docker://r.example.org/box:1"
_IMAGE = "--container-image=r.example.org#box:1"


@cache
def _plan(target: str) -> Plan:
    return make_plan(target)


def _run(script: str, target: str = "slinky-pyxis") -> Result:
    return run(Source("job.sh", f"#!/bin/bash\n#SBATCH --nodes=1\n{script}\n".encode()), _plan(target))


def _output(result: Result) -> str:
    assert result.fault == ""
    return result.output.decode().split("\n", 2)[2].removesuffix("\n")


def _said(result: Result) -> str:
    return "\n".join(f"{o.finding.message} {o.finding.advice}" for o in result.outcomes)


# ------------------------------------------------------------------------------------- beside others, and in loops

NOTHING_BESIDE = {
    "alone": "@",
    "one after the other": "@\n@",
    "and then": "@ && @ || @",
    "a pipe of the node's own programs": "@ | sort | head",
    "in a function": "f() {\n  @\n}\nf",
    "a loop over words": "for i in 1 2; do @; done",
    "its output in a word": "x=$(@)",
    "a program of the node in the background": "sleep 1 &\n@",
    "errors to the output": "@ >log 2>&1",
    "behind a pipe into a loop": "ls | while read -r l; do echo $l; done\n@",
}
BESIDE = {
    "background": "@ &\nwait",
    "each of a loop": "for i in 1 2; do @ & done; wait",
    "a loop as a whole": "for i in 1 2; do @; done &",
    "a subshell": "(cd /tmp; @) &",
    "a block": "{ @; } >log &",
    "a list": "@ && sleep 1 &",
    "with redirections": "@ >log 2>&1 &",
    "a function": "f() { @; }\nf &",
    "a function of a function": "f() { @; }\ng() { f; }\ng >log &",
    "what another reads as a file": "diff <(@) expected",
    "two in a pipe": "@ | @",
    "two in a pipe, with others between": "@ | sort | @",
    "beside a step that was there": "srun hostname &\n@",
}


@pytest.mark.parametrize("name", [*NOTHING_BESIDE])
def test_a_step_that_runs_beside_none_waits(name: str) -> None:
    result = _run(NOTHING_BESIDE[name].replace("@", f"singularity exec {_BOX} ls"))
    assert _output(result) == NOTHING_BESIDE[name].replace("@", f"srun {_SEES} {_IMAGE} ls")


@pytest.mark.parametrize("name", [*BESIDE])
def test_a_step_waits_for_none_beside_which_it_runs(name: str) -> None:
    result = _run(BESIDE[name].replace("@", f"singularity exec {_BOX} ls"))
    assert _output(result).count("srun --overlap ") == BESIDE[name].count("@"), _output(result)


def test_of_a_server_and_its_client_one_must_not_wait() -> None:
    result = _run(f"singularity exec {_BOX} server &\nsingularity exec {_BOX} client")
    assert _output(result) == f"srun --overlap {_SEES} {_IMAGE} server &\nsrun {_SEES} {_IMAGE} client"


READS = {
    "a loop that reads": "while read -r l; do @; done <list",
    "lines": "while IFS= read -r l\ndo\n  if true; then\n    @\n  fi\ndone <list",
    "a pipe": "cat list | while read l; do @; done",
    "until": "until ! read h; do @; done <list",
    "another loop inside": "while read l; do for i in 1; do @; done; done <list",
    "a function": "f() { @; }\nwhile read l; do f $l; done <list",
}
READS_SOMETHING_ELSE = {
    "a file of its own": "while read l; do @ <data; done <list",
    "a pipe": "while read l; do echo x | @; done <list",
    "behind the loop": "while read l; do echo $l; done <list\n@",
    "the loop's own words": "for l in $(cat list); do @; done",
    "a file": "@ <data",
    "a here-document": "@ <<END\n1\nEND",
    "a pipe, and no loop": "echo x | @",
}


@pytest.mark.parametrize("command", ["singularity exec docker://ubuntu:22.04 cat", "docker run ubuntu:22.04 cat"])
@pytest.mark.parametrize("name", [*READS])
def test_a_step_reads_nothing_of_what_a_loop_reads(name: str, command: str) -> None:
    assert "srun --input=none " in _output(_run(READS[name].replace("@", command)))


@pytest.mark.parametrize("command", ["singularity exec docker://ubuntu:22.04 cat", "docker run -i ubuntu:22.04 cat"])
@pytest.mark.parametrize("name", [*READS_SOMETHING_ELSE])
def test_a_step_reads_what_it_is_given(name: str, command: str) -> None:
    assert "--input" not in _output(_run(READS_SOMETHING_ELSE[name].replace("@", command)))


@pytest.mark.parametrize("place", ["echo x | @", "@ <data"])
def test_without_i_docker_gives_a_container_nothing_to_read(place: str) -> None:
    assert "srun --input=none " in _output(_run(place.replace("@", "docker run ubuntu:22.04 cat")))


# ------------------------------------------------------------------------------------------------------- options

# A command, and what stands for it: of Docker, whose image can be written to, and of Apptainer, which shows its folder.
DOCKER = {
    "nothing": ("", "srun @", ""),
    "a variable with = in its value": ("-e A=a=b", "env A=a=b srun @ --container-env=A", ""),
    "a variable with blanks": ("-e 'A=x y'", "env 'A=x y' srun @ --container-env=A", ""),
    "a variable of the job": ('-e A="$B"', 'env A="$B" srun @ --container-env=A', ""),
    "the job's value": ("-e A", "srun @ --container-env=A", ""),
    "one by which srun goes": ("-e PATH=/opt/bin", "srun @", "env PATH=/opt/bin "),
    "one by which enroot goes": ("-e LD_PRELOAD=$X -e A=1", "env A=1 srun @ --container-env=A", "env LD_PRELOAD=$X "),
    "a folder below home": ("-v ~/x:/x:ro", 'srun @ --container-mounts="$HOME"/x:/x:ro', ""),
    "mounts": ("-v /work/a:/a -v $D:/d:ro,z", "srun @ --container-mounts=/work/a:/a,$D:/d:ro", ""),
    "a mount": ("--mount type=bind,source=/work/a,target=/b", "srun @ --container-mounts=/work/a:/b", ""),
    "one to read": ("--mount type=bind,src=$D,dst=/b,readonly", 'srun @ --container-mounts="$D:/b:ro"', ""),
    "one to write": ("--mount type=bind,src=$D,dst=/b,ro=false", 'srun @ --container-mounts="$D:/b"', ""),
    "a tmpfs": ("--mount type=tmpfs,dst=/b", "srun @ --container-mounts=tmpfs:/b", ""),
    "oneself": ("-u $(id -u):$(id -g)", "srun @", ""),
}
# Options, `env` before srun, mounts, --container-env, `env` in the container.
APPTAINER = {
    "nothing": ("", "", "", "", ""),
    "a variable with = in its value": ("--env A=a=b", "env A=a=b ", "", "A", ""),
    "several variables": ("--env A=1,B=2 --env C=x", "env A=1 B=2 C=x ", "", "A,B,C", ""),
    "a comma": ("--env A=1,2", "env A=1,2 ", "", "A", ""),
    "one by which srun goes": ("--env PATH=/opt/bin", "", "", "", "env PATH=/opt/bin "),
    "folders": ("-B /work/a -B $D:/d", "", "/work/a,$D:/d,", "", ""),
    "a folder of this one": ("-B a:/a,b:/b", "", "./a:/a,./b:/b,", "", ""),
    "a folder below home": ("-B ~/res:/res", "", '"$HOME"/res:/res,', "", ""),
    "a mount in words": ("--mount type=bind,src=/work/a,dst=/b,ro", "", "/work/a:/b:ro,", "", ""),
}


@pytest.mark.parametrize("name", [*DOCKER])
def test_what_docker_was_asked_pyxis_is_asked(name: str) -> None:
    options, step, inside = DOCKER[name]
    output = _output(_run(f"docker run {options} ubuntu:22.04 ls".replace("  ", " "))).removeprefix(
        '[ -e "$D" ] || mkdir -p "$D"\n'
    )
    step = step.replace("srun @", "srun --container-entrypoint")
    made = output.removeprefix("[ -e ~/x ] || mkdir -p ~/x\n")
    assert made == f"{step} --container-writable --container-image=ubuntu:22.04 {inside}ls"


@pytest.mark.parametrize(
    ("options", "step"),
    [
        ("--read-only", ""),
        ("-u root", "--container-writable --container-remap-root "),
        ("-w /a", "--container-writable --container-workdir=/a "),
        ("-w ~/a", '--container-writable --container-workdir="$HOME"/a '),
    ],
)
def test_what_the_whole_container_is_like(options: str, step: str) -> None:
    output = _output(_run(f"docker run {options} ubuntu:22.04 ls"))
    assert output == f"srun --container-entrypoint {step}--container-image=ubuntu:22.04 ls"


@pytest.mark.parametrize("sudo", ["sudo ", "sudo -E "])
def test_sudo_before_docker_is_for_its_engine_alone(sudo: str) -> None:
    output = _output(_run(f"{sudo}docker run ubuntu:22.04 ls"))
    assert output.split(" ", 1)[1].strip() in output
    assert (
        output.replace("-E ", "")
        == "srun --container-entrypoint --container-writable --container-image=ubuntu:22.04 ls"
    )


def test_in_the_policy_that_comes_closest_to_docker_one_is_root() -> None:
    plan = _plan("slinky-pyxis")
    closest = replace(plan, target=replace(plan.target, isolation="compat"))
    result = run(Source("job.sh", b"docker run ubuntu:22.04 id\n"), closest)
    step = "srun --container-entrypoint --container-remap-root --container-writable"
    assert result.output.decode() == f"{step} --container-image=ubuntu:22.04 id\n"


def test_contained_means_a_home_of_its_own_where_it_starts() -> None:
    home = '--container-mounts=tmpfs:"$HOME" --no-container-mount-home --container-workdir="$HOME"'
    assert _output(_run(f"singularity exec --contain {_BOX} ls")) == f"srun {home} {_IMAGE} ls"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (f"singularity exec --bind=~/res:/res {_BOX} ls", "the shell leaves `~` there as it is"),
        (f"singularity exec -B ~someone/res:/res {_BOX} ls", "the shell leaves `~` there as it is"),
        (f"singularity exec --env 'A=$HOME' {_BOX} ls", "Apptainer has a shell in the container work it out"),
        (f"singularity exec -B /a:/b:image-src=/ {_BOX} ls", "pyxis takes ro and rw"),
        ("docker run --mount source=vol,dst=/b ubuntu:22.04 ls", "a volume that Docker keeps"),
        ("docker run --mount 'type=bind,\"src=/a,b\",dst=/b' ubuntu:22.04 ls", "--container-mounts=SOURCE:PLACE"),
        ("docker run -v vol:/b ubuntu:22.04 ls", "a volume that Docker keeps"),
    ],
)
def test_what_pyxis_cannot_be_asked_is_left(line: str, said: str) -> None:
    result = _run(line)
    assert _output(result) == line
    assert said in _said(result)


@pytest.mark.parametrize("name", [*APPTAINER])
def test_what_apptainer_was_asked_pyxis_is_asked(name: str) -> None:
    options, before, mounts, names, inside = APPTAINER[name]
    passed = f"--container-env={names} " if names else ""
    step = f'{before}srun --container-mounts={mounts}"$PWD" {passed}--container-mount-home --container-workdir="$PWD"'
    assert _output(_run(f"singularity exec {options} {_BOX} ls".replace("  ", " "))) == f"{step} {_IMAGE} {inside}ls"


# ------------------------------------------------------------------------------------------------- entry points

RUN = ["docker run lab/x:1 @", "singularity run docker://lab/x:1 @"]


@pytest.mark.parametrize("command", ["bash -c ls", "python a.py", "/opt/run a", "./run.sh", "env A=1 x"])
@pytest.mark.parametrize("line", RUN)
def test_an_entry_point_that_hands_on_starts_the_command(line: str, command: str) -> None:
    result = _run(line.replace("@", command))
    assert _output(result).endswith(f" --container-image=lab/x:1 {command}")
    assert "--container-entrypoint " in _output(result)
    assert "ENTRYPOINT" not in _said(result)


@pytest.mark.parametrize("line", RUN)
def test_a_word_that_may_be_an_argument_is_looked_at_once_for_each_image(line: str) -> None:
    result = _run("\n".join(line.replace("@", word) for word in ("train a", "test b")))
    assert result.readiness == "review"
    assert _output(result).endswith(" --container-image=lab/x:1 test b")
    assert _said(result).count("(ENTRYPOINT), the command is its arguments") == 1


@pytest.mark.parametrize("line", RUN)
def test_an_option_is_for_a_program_that_must_be_named(line: str) -> None:
    result = _run(line.replace("@", "--epochs 3"))
    assert _output(result) == line.replace("@", "--epochs 3")
    assert "`--epochs` is for the program that the image starts by itself" in _said(result)


def test_a_program_that_is_named_is_started_itself() -> None:
    output = _output(_run("docker run --entrypoint train lab/x:1 --epochs 3"))
    assert output == "srun --container-writable --container-image=lab/x:1 train --epochs 3"


def test_what_goes_on_in_the_background_gets_the_lines_that_stand_for_it() -> None:
    lines = "docker run -d --name w ubuntu:22.04 sleep infinity\ndocker exec w hostname\ndocker stop w"
    result = _run(lines)
    assert _output(result) == lines
    name = "--container-name=w_$SLURM_JOB_ID"
    step = f"srun --overlap --container-entrypoint {name} --container-writable --container-image=ubuntu:22.04"
    said = _said(result)
    assert f"`{step} sleep infinity`" in said
    assert f"until srun --overlap {name}:exec true" in said
    assert f"`srun --overlap {name}:exec hostname`" in said
    assert "instance" not in said


# ---------------------------------------------------------------------------------------- commands in variables


@pytest.mark.parametrize(
    "script",
    [
        "RUN='singularity exec docker://ubuntu:22.04'\n$RUN ls",
        'RUN="singularity exec docker://ubuntu:22.04"\ncd /work/a\n$RUN ls',
        'RUN="singularity exec docker://ubuntu:22.04 ls"',
        "RUN=\"singularity exec --env A='x y' docker://ubuntu:22.04\"\n$RUN ls",
    ],
)
def test_a_command_in_a_variable_stays_where_its_folder_cannot_be_written(script: str) -> None:
    result = _run(script)
    assert _output(result) == script
    assert result.readiness == "blocked"


def test_a_command_in_a_variable_has_the_folder_in_which_it_is_set() -> None:
    script = f'RUN="singularity exec -B $D:/d {_BOX}"\nfor i in 1 2; do $RUN ls & done'
    step = "srun --overlap --container-mounts=$D:/d,$PWD --container-mount-home --container-workdir=$PWD"
    assert _output(_run(script)) == f'RUN="{step} {_IMAGE}"\nfor i in 1 2; do $RUN ls & done'


def test_a_command_in_an_array_has_its_quotes() -> None:
    script = f'RUN=(singularity exec -B ~/x:/x {_BOX})\n"${{RUN[@]}}" ls'
    step = 'srun --container-mounts="$HOME"/x:/x,"$PWD" --container-mount-home --container-workdir="$PWD"'
    assert _output(_run(script)) == f'RUN=({step} {_IMAGE})\n"${{RUN[@]}}" ls'


def test_options_in_an_array_become_those_of_the_step() -> None:
    output = _output(_run('O=(-e A=1 -w /x)\ndocker run "${O[@]}" ubuntu:22.04 ls'))
    step = "env A=1 srun --container-entrypoint --container-env=A --container-writable --container-workdir=/x"
    assert output == f'O=()\n{step} "${{O[@]}}" --container-image=ubuntu:22.04 ls'


@pytest.mark.parametrize(
    ("option", "before", "lead"),
    [
        ("--env A=1", "", "--container-env=A --export=ALL,A=1"),
        ("--env A=$X", "env A=$X ", "--container-env=A"),
        ("--env 'A=x y'", "env 'A=x y' ", "--container-env=A"),
    ],
)
def test_an_srun_that_is_there_hands_on_the_variables(option: str, before: str, lead: str) -> None:
    view = '--container-mount-home --container-workdir="$PWD"'
    wanted = f'{before}srun -n 1 --container-mounts="$PWD" {lead} {view} {_IMAGE} ls'
    assert _output(_run(f"srun -n 1 singularity exec {option} {_BOX} ls")) == wanted
