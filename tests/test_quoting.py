"""Words in any mix of quotes and escapes: bash itself says which words there were before a rewrite and after."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrate.engine import Plan, run
from migrate.model import Edit, Source
from migrate.quoting import keeps_quotes
from migrate.runs.setup import make_plan, shipped_sites

# Every command that a rewrite changes by its words; `·` is a blank in a word, and $A holds some: cut there, a word
# would begin with zz or *y.
COMMANDS = {
    "taiwania2": (
        "sbatch -p gtest a.sh",
        "sbatch -pgtest a.sh",
        "sbatch --partition=gp1d,gp2d --account MST112233 a.sh",
        "srun -p gtest hostname",
        "srun --partition gtest -A MST112233 hostname",
        "SBATCH_PARTITION=gtest",
        "export SBATCH_PARTITION=gtest SALLOC_ACCOUNT=MST112233",
        "module load singularity cuda/11.8",
        "module purge",
        "singularity exec --nv --wdir /tmp/w --noinit a.sif hostname",
        "singularity exec --scratchdir=/s -B /work:/work a.sif hostname",
        "singularity run -a tool --CONTAIN a.sif x",
        "singularity pull a.sif docker://ubuntu:22.04",
        "docker run --rm -v /work/d:/d --gpus all -e A=b ubuntu:22.04 ls -l /d",
        "docker run -it --ipc=host --env=A=b --workdir /d -v=/a:/b:ro reg/x:1 tool a b",
        "podman run --rm -u 0 --shm-size 8g ubuntu ls",
        "docker run -ed=$A -eB=$A -v$A:/b -w$A ubuntu ls",
        "docker run -e d=$A --env=e=$A --volume=$A:/b --workdir=$A ubuntu ls -l$A",
        "docker run -ed=a·zz -v/a·zz:/c -w/d·zz ubuntu ls a·zz",
        "docker run --env d=a·zz -v /a·zz:/c --workdir=/d·zz -u0 ubuntu ls",
        "docker run -v/a:/b -w/d -eX=y ubuntu ls",
        "docker run --rm --mount type=bind,source=/a,target=/b --entrypoint tool ubuntu x",
        "docker run --name=n·zz -d ubuntu sleep 9",
        "singularity exec -B/work:/w --env=A=a·zz a.sif hostname",
        "singularity exec --bind $A:/b --pwd $A --env d=$A a.sif hostname $A",
        "srun -Jx·zz -pgtest --container-image=ubuntu --container-mounts=$A:/b ls",
        "sbatch -Jx·zz -pgtest --export=ALL,B=$A a.sh",
        "mpirun -x B=$A -host $A -np 2 a.out",
        "mpirun --host $A -npernode 4 a.out $A",
        "docker pull ubuntu:22.04",
        "docker exec c1 ls",
        "docker rm -f c1",
        "srun --container-image=ubuntu --container-mounts=/a:/b --container-workdir=/b ls -l",
        "srun --container-image ubuntu:22.04 --no-container-mount-home tool x",
        "enroot import docker://ubuntu",
        "mpirun -np 4 -x UCX_NET_DEVICES=mlx5_0:1 --mca btl_tcp_if_include ib0 a.out",
        "export UCX_NET_DEVICES=mlx5_0:1",
        "NCCL_SOCKET_IFNAME=ib0 hostname",
        "env NCCL_IB_HCA=mlx5_0 UCX_TLS=rc hostname",
        "cp /work/u/a /work/u/b",
        "export CUDA_VISIBLE_DEVICES=0,1",
        "nohup sbatch -p gtest a.sh",
        "sudo singularity exec a.sif ls",
        "source /etc/profile.d/modules.sh",
    ),
    "abci2": (
        "qsub -g gaa50000 -l rt_F=1 -l h_rt=1:00:00 a.sh",
        "qsub -N name -cwd -o log.txt -j y a.sh x",
        "qsub -N x·zz -v B=$A -o $A a.sh",
        "qsub -vB=b -Nx a.sh $A",
        "qstat -u $A",
        "qstat -u me",
        "qdel 12",
        "echo $JOB_ID $SGE_TASK_ID $NSLOTS",
        "mpirun -np 4 -hostfile $PE_HOSTFILE a.out",
        "singularity exec --nv a.sif tool $JOB_ID",
    ),
}
ANSWERS = {
    "account": {"MST112233": "lab"},
    "image": {"ubuntu:22.04": "docker://lab/ubuntu:1", "reg/x:1": "/images/x.sif"},
    "path": {"/work/u": "/data/u"},
}
ALL = [(site, command) for site, commands in COMMANDS.items() for command in commands]
# Fences in the output of the one bash that runs all scripts; every command that it does not have prints its words.
DRIVER = r"""
PATH=/nowhere; A='x  *y'
shown() { local v; for v in "${!UCX_@}" "${!NCCL_@}" "${!SBATCH_@}" "${!SALLOC_@}" "${!CUDA_@}" "${!OMPI_@}" A
  do [[ -v $v ]] && printf '%s=%q ' "$v" "${!v}"; done; }
command_not_found_handle() { printf '%q ' "$@"; shown; printf '\n'; }
cd() { command_not_found_handle cd "$@"; }; source() { command_not_found_handle source "$@"; }
kill() { command_not_found_handle kill "$@"; }; echo() { command_not_found_handle echo "$@"; }
JOB_ID=41; SGE_TASK_ID=7; NSLOTS=4; PE_HOSTFILE=/pe/hosts; SLURM_JOB_ID=41; SLURM_ARRAY_TASK_ID=7; SLURM_NTASKS=4
while IFS= read -r -d '' script; do
  printf '\036'; ( eval "$script"; printf '\035'; shown ) 2>&1
done
exit 0
"""


@dataclass(frozen=True)
class Spelled:
    """A command as it is written without quotes, and in another spelling of the same words."""

    site: str
    plain: str
    quoted: str


def _spellings(piece: str) -> Iterable[str]:
    """What bash reads as this piece of a word, whatever its variables hold."""
    text = piece.replace("·", " ")
    if text == piece and "$" not in piece:
        yield piece
    yield f'"{text}"'
    if "$" not in piece:
        yield f"'{text}'"
        yield "".join(f"\\{c}" for c in text)
        yield f"\\\n'{text}'"
        yield f"$'{text}'"
        yield f'$"{text}"'
        yield "$'" + "".join(f"\\x{ord(c):02x}" for c in text) + "'"


def _plain(word: str) -> str:
    return next(iter(_spellings(word)))


def _word(chance: Random, word: str) -> str:
    """A word cut in up to three pieces, each in quotes of its own, with empty quotes between them at times."""
    if chance.random() < 0.4:
        return _plain(word)
    # the name of an assignment is one only where it is plain, and an expansion stays whole
    head, equals, rest = word.partition("=") if word[:1].isupper() else ("", "", word)
    places = chance.sample(range((rest + "$").index("$") + 1), chance.randint(0, min(2, (rest + "$").index("$"))))
    pieces = [rest[a:b] for a, b in pairwise([0, *sorted(places), len(rest)]) if b > a]
    spelled = [chance.choice(list(_spellings(p))) for p in pieces]
    spelled.insert(chance.randint(0, len(spelled)), chance.choice(["", "", "", '""', "''"]) if rest else "")
    return head + equals + "".join(spelled)


def spellings(seed: int, times: int) -> list[Spelled]:
    """Each command as many times, each time in other quotes."""
    chance = Random(seed)  # noqa: S311 - the same spellings each time
    return [
        Spelled(site, " ".join(map(_plain, words)), " ".join(_word(chance, w) for w in words))
        for site, words in ((site, command.split(" ")) for site, command in ALL)
        for _ in range(times)
    ]


def said_by_bash(scripts: Sequence[bytes]) -> list[str]:
    """What each script runs and sets, by bash: a line a command, its words quoted alike."""
    fed = b"".join(script + b"\0" for script in scripts)
    done = subprocess.run(["bash", "-c", DRIVER], input=fed, capture_output=True, check=True, timeout=60)
    return done.stdout.decode("utf-8", "replace").split("\036")[1:]


def _lines(said: str) -> list[list[str]]:
    return [shlex.split(line) for line in said.replace("\035", "\n").splitlines()]


def is_cut(said: str) -> bool:
    """Whether a word was cut at a blank in it."""
    return any(word.startswith(("zz", "*y")) for line in _lines(said) for word in line)


def is_between(said: str, before: str, after: str) -> bool:
    """Whether each word is one of before or of after, and none that both have is lost."""
    ours, old, new = _lines(said), _lines(before), _lines(after)
    if said in {before, after}:
        return True
    return len(ours) == len(old) == len(new) and all(
        line in (a, b) or (set(line) <= {*a, *b} and set(a) & set(b) <= set(line))
        for line, a, b in zip(ours, old, new, strict=True)
    )


@pytest.fixture(scope="module", params=["slinky", "slinky-pyxis"])
def plans(request: pytest.FixtureRequest) -> dict[str, Plan]:
    def plan(site: str) -> Plan:
        made = make_plan(request.param)
        target = replace(made.target, answers={**made.target.answers, **ANSWERS}, mpi="pmix")
        return replace(made, target=target, site=shipped_sites()[site])

    return {site: plan(site) for site in COMMANDS}


def _script(command: str) -> bytes:
    return f"#!/bin/bash\n#SBATCH --time=1:00:00\n#SBATCH --nodes=2\n{command}\n".encode()


def test_the_plain_commands_are_changed(plans: dict[str, Plan]) -> None:
    """Else nothing would be tried here."""
    changed = [s for s in spellings(seed=0, times=1) if run(Source("a.sh", _script(s.plain)), plans[s.site]).changed]
    assert len(changed) > len(ALL) // 3


def test_only_the_meant_words_differ_after_a_rewrite(plans: dict[str, Plan]) -> None:
    spelled = spellings(seed=14, times=int(os.environ.get("SIFMIGRATE_SPELLINGS", "6")))
    wrong: list[str] = []
    scripts: list[bytes] = []
    for each in spelled:
        plain, quoted = _script(each.plain), _script(each.quoted)
        result = run(Source("a.sh", quoted), plans[each.site])
        wrong += [f"{each.quoted}\n  is a fault: {result.fault}"] if result.fault else []
        scripts += [plain, run(Source("a.sh", plain), plans[each.site]).output, quoted, result.output]
    said = said_by_bash(scripts)
    for number, each in enumerate(spelled):
        before, after, again, ours = said[number * 4 : number * 4 + 4]
        assert before == again, f"no spelling of the same words: {each}"
        if not is_between(ours, before, after) or is_cut(after) or is_cut(ours):
            wrong.append(f"{each.quoted}\n  became\n{scripts[number * 4 + 3].decode()}")
    assert not wrong, f"{len(wrong)} of {len(spelled)}:\n" + "\n".join(wrong)


@pytest.mark.parametrize(
    ("edits", "kept"),
    [
        pytest.param([Edit(0, b"a", b"b")], True, id="no quote"),
        pytest.param([Edit(0, b'"a', b'"b'), Edit(2, b'c"', b'd"')], True, id="one pair, in two edits that touch"),
        pytest.param([Edit(0, b'"a', b"b"), Edit(2, b'c"', b"d")], True, id="a pair that goes, in two that touch"),
        pytest.param([Edit(0, b'"a', b"b"), Edit(9, b'c"', b"d")], False, id="a pair that goes, around what stays"),
        pytest.param([Edit(0, b'"a"', b"'a'")], True, id="other quotes"),
        pytest.param([Edit(0, b"a", b'a"')], False, id="a quote that is left open"),
        pytest.param([Edit(0, b"a", b"a\\")], False, id="a backslash at the end"),
        pytest.param([Edit(0, b"a", b"a\\\\")], True, id="two of them"),
    ],
)
def test_what_stands_behind_an_edit_stays_in_its_quotes(edits: list[Edit], *, kept: bool) -> None:
    assert keeps_quotes(edits) is kept
    assert keeps_quotes(reversed(edits)) is kept


def behind(text: str, state: str) -> str:
    """The quote that is open behind a text, read a character at a time (bash(1), QUOTING)."""
    escaped = False
    for each in text:
        if escaped:
            escaped = False
        elif each == "\\" and state != "'":
            escaped = True
        elif each in {"'", '"'} and state in {"", each}:
            state = "" if state else each
    return state + "\\" * escaped


SIGNS = st.text("'\"\\a", max_size=8)


@given(SIGNS, SIGNS, st.sampled_from([("",), ("'",), ('"',), ("", "'", '"')]))
def test_quotes_are_kept_where_each_text_ends_in_the_same(before: str, after: str, states: tuple[str, ...]) -> None:
    kept = all(behind(before, state) == behind(after, state) for state in states)
    edit = Edit(0, before.encode(), after.encode())
    assert keeps_quotes([edit], [state.encode() for state in states]) == kept
