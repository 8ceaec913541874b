"""Steps of pyxis and containers of enroot under Apptainer: what is written for each, as the real ones read it.

Each reading was seen on pyxis 0.24 and enroot 4.1, each line that is written on Apptainer 1.4.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from migrate.engine import Plan
from migrate.model import Result

Migrate = Callable[..., Result]

STEP = "srun --container-image=ubuntu:22.04"
EXEC = "srun singularity exec"
SHOWN = "--nv --no-home"
IMAGE = "docker://ubuntu:22.04"


def lines(result: Result) -> list[str]:
    """What the script is after its first line."""
    assert result.fault == ""
    return result.output.decode().splitlines()[1:]


def target_with(plan: Plan, **known: Any) -> Plan:
    """The plan for a target that says more."""
    return replace(plan, target=replace(plan.target, **known))


def findings(result: Result) -> str:
    return "\n".join(o.finding.message for o in result.outcomes)


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        pytest.param(f"{STEP} hostname", f"{EXEC} {SHOWN} {IMAGE} hostname", id="an image"),
        pytest.param(
            f"{STEP} --container-mounts=/tmp/a:/a,/tmp/b:/b:ro hostname",
            f"{EXEC} {SHOWN} --bind /tmp/a:/a,/tmp/b:/b:ro {IMAGE} hostname",
            id="two folders in one option",
        ),
        pytest.param(
            f"{STEP} --container-workdir=/a --container-workdir=/a hostname",
            f"{EXEC} {SHOWN} --cwd /a {IMAGE} hostname",
            id="the same folder twice",
        ),
        pytest.param(
            f"{STEP} --container-readonly --no-container-mount-home hostname",
            f"{EXEC} {SHOWN} {IMAGE} hostname",
            id="what is so anyway",
        ),
        pytest.param(
            f"export A=1\n{STEP} --container-env=A hostname",
            f'export A=1\nsrun env ${{A+SINGULARITYENV_A="$A"}} singularity exec --no-eval {SHOWN} {IMAGE} hostname',
            id="a variable that the script exports",
        ),
        pytest.param(
            f"{STEP} --container-env=A hostname",
            f'srun env ${{A+SINGULARITYENV_A="$A"}} singularity exec --no-eval {SHOWN} {IMAGE} hostname',
            id="a variable that may not be set, where the image's value counts",
        ),
        pytest.param(
            f"A=1 {STEP} --container-env=A hostname",
            f"A=1 srun env SINGULARITYENV_A=1 singularity exec --no-eval {SHOWN} {IMAGE} hostname",
            id="a variable of the command itself, which the shell does not know before it",
        ),
        pytest.param(
            f"I=ubuntu:22.04\n{STEP.replace('ubuntu:22.04', '$I')} hostname",
            f"I=ubuntu:22.04\n{EXEC} {SHOWN} {IMAGE} hostname",
            id="a constant image, by a variable",
        ),
        pytest.param(
            f'I=ubuntu:22.04\n{STEP.replace("ubuntu:22.04", "${I}").replace("$", chr(34) + "$")}" hostname',
            f"I=ubuntu:22.04\n{EXEC} {SHOWN} {IMAGE} hostname",
            id="a constant image, in quotes and braces",
        ),
        pytest.param(
            'R=nvcr.io\nI=$R/nvidia/cuda:12\nOPTS="--container-image=$I"\nsrun $OPTS --container-workdir=/ hostname',
            'R=nvcr.io\nI=$R/nvidia/cuda:12\nOPTS=""\n'
            f"srun $OPTS singularity exec {SHOWN} --cwd / docker://nvcr.io/nvidia/cuda:12 hostname",
            id="an image in variables that are built of each other",
        ),
        pytest.param(
            "enroot import -o a.sqsh docker://ubuntu:22.04\n"
            "srun --container-image=./a.sqsh hostname\nsrun --container-image=$PWD/a.sqsh hostname",
            f"{EXEC} {SHOWN} {IMAGE} hostname\n{EXEC} {SHOWN} {IMAGE} hostname",
            id="an image file that the script makes",
        ),
        pytest.param(
            f"{STEP} --container-name=x true\nsrun --container-name=x hostname",
            f"{EXEC} {SHOWN} {IMAGE} true\n{EXEC} {SHOWN} {IMAGE} hostname",
            id="a container by its name, into which nothing is written",
        ),
    ],
)
def test_a_step_that_moves_with_nothing_to_look_at(step: str, expected: str, migrate_text: Migrate) -> None:
    result = migrate_text(f"#!/bin/bash\n{step}\n")
    assert lines(result) == expected.splitlines()
    assert result.readiness == ("review" if "OPTS" in step else "migrated"), findings(result)


@pytest.mark.parametrize(
    ("step", "expected", "words"),
    [
        pytest.param(
            f"{STEP} --container-mounts=/tmp/a:/a --container-mounts=/tmp/b:/b hostname",
            f"{EXEC} {SHOWN} --bind /tmp/b:/b {IMAGE} hostname",
            "took the last alone",
            id="two options with folders",
        ),
        pytest.param(
            f"{STEP} --container-writable hostname",
            f"{EXEC} {SHOWN} --writable-tmpfs --fakeroot {IMAGE} hostname",
            "`id -u` is 0",
            id="writing into the image",
        ),
        pytest.param(
            f"A=1\n{STEP} --container-env=A hostname",
            f"A=1\n{EXEC} {SHOWN} {IMAGE} hostname",
            "not exported",
            id="a variable that is not exported",
        ),
        pytest.param(f"{STEP} ls", f"{EXEC} {SHOWN} {IMAGE} ls", "WORKDIR", id="a program that looks where it is"),
        pytest.param(
            "enroot import -o b.sqsh docker://ubuntu:22.04\nenroot create --name x b.sqsh\nenroot start x ./run 'a b'",
            f"singularity run {SHOWN} --no-eval --cleanenv {IMAGE} ./run 'a b'",
            "WORKDIR",
            id="a container of enroot, which sees no variables of the job",
        ),
        pytest.param(
            "enroot create -n x a.sqsh\nenroot start -e A -e B=b -m $HOME/d:/d -m /e --rw x ls",
            f'env SINGULARITYENV_A="${{A-}}" singularity run {SHOWN} --no-eval --cleanenv --env B=b --bind $HOME/d:/d '
            "--bind /e --writable-tmpfs --fakeroot /a.sif ls",
            "kept for later jobs",
            id="options of enroot, and an answer for its image file",
        ),
        pytest.param(
            "enroot start --root --rw ./a.sqsh ls",
            f"singularity run {SHOWN} --no-eval --cleanenv --fakeroot --writable-tmpfs /a.sif ls",
            "WORKDIR",
            id="an image file, which keeps nothing",
        ),
        pytest.param(
            "enroot start --net --pid ./a.sqsh ls",
            f"singularity run {SHOWN} --no-eval --cleanenv --network none --pid /a.sif ls",
            "WORKDIR",
            id="what a container has for itself",
        ),
        pytest.param(
            "enroot start -m /d:/d:none:rbind,ro ./a.sqsh ls",
            f"singularity run {SHOWN} --no-eval --cleanenv --bind /d:/d:ro /a.sif ls",
            "WORKDIR",
            id="the fields of a line of fstab",
        ),
    ],
)
def test_a_step_that_moves_and_says_what_to_look_at(
    step: str, expected: str, words: str, migrate_text: Migrate, slinky: Plan
) -> None:
    answered = target_with(slinky, answers={"image": {"a.sqsh": "/a.sif", "./a.sqsh": "/a.sif"}})
    result = migrate_text(f"#!/bin/bash\n{step}\n", plan=answered)
    assert lines(result) == expected.splitlines(), findings(result)
    assert words in findings(result)


@pytest.mark.parametrize(
    ("step", "words"),
    [
        pytest.param(f"{STEP} --container-workdir=/a --container-workdir=/b ls", "refuses two values", id="folders"),
        pytest.param(f"{STEP} --container-image=debian ls", "refuses two values", id="images"),
        pytest.param(f"{STEP} --container-writable --container-readonly ls", "beside", id="both"),
        pytest.param(f"{STEP} --container-mount-home --no-container-mount-home ls", "beside", id="a flag and its no"),
        pytest.param(f"{STEP} --no-container-writable ls", "no such option", id="an option that pyxis has not"),
        pytest.param(f"{STEP} --container-mounts=data:/data ls", "refuses data", id="a folder without a place"),
        pytest.param(f"{STEP} --container-mounts=/a:/c,/b:/c ls", "shows the last", id="two folders at one place"),
        pytest.param("srun --container-image=dockerd://lab:1 ls", "no registry has", id="an engine's own image"),
        pytest.param(
            f"{STEP} --container-name=x --container-writable make install\nsrun --container-name=x prog",
            "other steps use then",
            id="what a later step finds in a container",
        ),
        pytest.param(
            "enroot create -n x docker://ubuntu\nenroot start --rw x make install\nenroot start x prog",
            "when x starts again",
            id="what a later start finds in a container",
        ),
        pytest.param(
            f"export PYXIS_CONTAINER_MOUNTS=/a\n{STEP} ls", "PYXIS_CONTAINER_MOUNTS counts", id="a setting of pyxis"
        ),
        pytest.param(
            "export PYXIS_CONTAINER_IMAGE=ubuntu\nsrun ls", "counts for every step", id="an image by a setting"
        ),
        pytest.param(f"export ENROOT_MOUNT_HOME=y\n{STEP} ls", "ENROOT_MOUNT_HOME counts", id="a setting of enroot"),
        pytest.param("enroot start -m /a:/b:ro docker://ubuntu ls", "kind of file system", id="a kind of file system"),
        pytest.param("enroot import -o a.sqsh docker://ubuntu", "nothing in this script runs", id="only fetched"),
        pytest.param(
            "enroot import -o a.sqsh docker://ubuntu\nenroot import -o a.sqsh docker://debian\nenroot start a.sqsh ls",
            "of several images",
            id="a file of two images",
        ),
    ],
)
def test_what_the_real_ones_refuse_or_keep_stays_whole(step: str, words: str, migrate_text: Migrate) -> None:
    result = migrate_text(f"#!/bin/bash\n{step}\n")
    assert lines(result) == step.splitlines()
    assert result.readiness == "blocked"
    assert words in findings(result)


@pytest.mark.parametrize(
    ("around", "named"),
    [
        pytest.param("F=a.sqsh\n@", "", id="no more than the name"),
        pytest.param("if [ ! -f a.sqsh ]; then\n  @\nfi", "", id="whether it must be made"),
        pytest.param("[ -e a.sqsh ] || @", "", id="whether it must be made, in one line"),
        pytest.param("rm -f a.sqsh\n@\nls -l a.sqsh\n# a.sqsh", "", id="looked at"),
        pytest.param("@\ncp b-a.sqsh a.sqsh.old c", "", id="other files"),
        pytest.param("@\n[ -f a.sqsh ] || exit 1", "[ -f a.sqsh ] || exit 1", id="asked for"),
        pytest.param("@\ncp a.sqsh /tmp", "cp a.sqsh /tmp", id="copied"),
    ],
)
def test_what_else_names_an_image_file_that_is_not_made_any_more_is_told(
    around: str, named: str, migrate_text: Migrate
) -> None:
    make = "enroot import -o a.sqsh docker://ubuntu"
    result = migrate_text(f"#!/bin/bash\n{around.replace('@', make)}\nsrun --container-image=./a.sqsh hostname\n")
    assert make not in result.output.decode()
    assert "srun singularity exec" in result.output.decode()
    assert (f"`{named}` names the file" in findings(result)) is bool(named)
    assert result.readiness == ("review" if named else "migrated")


@pytest.mark.parametrize("isolation", ["contain", "compat"])
def test_a_target_that_keeps_containers_apart_does_so_for_those_of_enroot(
    isolation: str, migrate_text: Migrate, slinky: Plan
) -> None:
    apart = target_with(slinky, isolation=isolation)
    result = migrate_text("#!/bin/bash\nenroot start docker://ubuntu ls\n", plan=apart)
    assert lines(result) == [f"singularity run {SHOWN} --no-eval --cleanenv --contain docker://ubuntu ls"]


def test_a_known_workdir_is_written(migrate_text: Migrate, slinky: Plan) -> None:
    known = target_with(slinky, image_workdirs={"a.sqsh": "/srv", "ubuntu": "/opt"})
    script = "#!/bin/bash\nenroot start docker://ubuntu ls\nsrun --container-image=ubuntu ls\n"
    result = migrate_text(script, plan=known)
    assert [line.split(" docker:")[0] for line in lines(result)] == [
        f"singularity run {SHOWN} --no-eval --cleanenv --cwd /opt",
        f"{EXEC} {SHOWN} --cwd /opt",
    ]
    assert "WORKDIR" not in findings(result)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        pytest.param("--container-mounts=/work:/work", "--bind /new/work:/work --cwd /work/u", id="below a mount"),
        pytest.param("--container-mounts=/home/a:/work/u", "--bind /home/a:/work/u --cwd /work/u", id="a mount"),
        pytest.param("--container-mounts=/work/u", "--bind /new/work/u --cwd /new/work/u", id="by the same name"),
        pytest.param("", "--cwd /new/work/u", id="none, as for commands of Docker"),
    ],
)
def test_the_folder_in_which_a_step_starts_is_where_its_mounts_show_it(
    options: str, expected: str, migrate_text: Migrate, slinky: Plan
) -> None:
    moved = target_with(slinky, answers={"path": {"/work": "/new/work"}})
    result = migrate_text(f"#!/bin/bash\n{STEP} {options} --container-workdir=/work/u hostname\n", plan=moved)
    assert lines(result) == [f"{EXEC} {SHOWN} {expected} {IMAGE} hostname"]
    assert ("it was the image's" in findings(result)) is not bool(options)
    assert migrate_text(result.output, plan=moved).output == result.output
