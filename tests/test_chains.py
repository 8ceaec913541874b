"""Call chains: scripts that run, source and submit each other."""

from __future__ import annotations

import re

import pytest

from migrate.engine import Plan
from migrate.inventory import take
from migrate.model import Call, Source

HEAD = "#!/bin/bash\n#PBS -l nodes=1\n"


def calls(text: str, plan: Plan) -> list[Call]:
    """The calls of a script and of the scripts inside it."""
    job = take(Source("job.sh", text.encode()), plan.rulebook.tables)
    return [call for part in job.walk() for call in part.calls]


@pytest.mark.parametrize(
    "line",
    [
        "python train.py",
        "bash -c 'echo ./x.sh'",
        "echo ./x.sh",
        "# source x.sh",
        "cat x.sh",
        "rm ./x.sh",
        "DIR=/a/b",
        "srun -N 1 --pty",
        "source",
        'bash -s <<< "$TEXT"',
    ],
)
def test_these_call_no_script(line: str, slinky: Plan) -> None:
    assert not [c for c in calls(f"{HEAD}{line}\n", slinky) if c.path.endswith("x.sh")]


# how a command calls, before the words of the script
WAYS = {
    "source {}": "source",
    ". {}": "source",
    "bash {}": "run",
    "sh -e {}": "run",
    "bash {} 1 2 > log 2>&1 &": "run",
    "srun bash {}": "run",
    "srun -n 4 --exclusive {}": "run",
    "xargs {} < list": "run",
    "cat list | xargs -n1 -P4 bash {}": "run",
    "nohup bash {} &": "run",
    "time {}": "run",
    "mpirun -np 4 {}": "run",
    "if bash {}; then echo; fi": "run",
    "J=$(qsub {})": "submit",
    "qsub -W depend=afterok:$J {}": "submit",
    "sbatch --dependency=afterok:$J {}": "submit",
    "bash < {}": "run",
    "parallel {} ::: 1 2": "run",
    "parallel -j 4 bash {} {{}} ::: 1 2": "run",
}
# what the words of a script mean
FORMS = {
    "./x.sh": "x.sh",
    "sub/x.sh": "sub/x.sh",
    '"$(dirname "$0")/x.sh"': "$0/x.sh",
    "$(dirname $0)/x.sh": "$0/x.sh",
    "`dirname $0`/x.sh": "$0/x.sh",
    "${0%/*}/x.sh": "$0/x.sh",
    '"$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/x.sh"': "$0/x.sh",
    '"$(cd "$( dirname "${BASH_SOURCE[0]}" )" >/dev/null 2>&1 && pwd -P)/x.sh"': "$0/x.sh",
    '$(dirname "$(readlink -f "$0")")/../x.sh': "$0/../x.sh",
    "$(realpath $(dirname $0))/x.sh": "$0/x.sh",
    "$SLURM_SUBMIT_DIR/x.sh": "$SUBMIT/x.sh",
    '"${PBS_O_WORKDIR}/x.sh"': "$SUBMIT/x.sh",
    "$PWD/x.sh": "x.sh",
    "$(pwd)/x.sh": "x.sh",
    "$HOME/x.sh": "~/x.sh",
    "~/x.sh": "~/x.sh",
    "/work/a/x.sh": "/work/a/x.sh",
    "$OTHER/x.sh": "$OTHER/x.sh",
}
HELD = {"$(dirname $0)", "$SLURM_SUBMIT_DIR", "$PWD", "/work/a", "sub", "~", "$HOME"}


CALLS = [(way, form) for way in WAYS for form in FORMS if "parallel" not in way or not re.search(r"[(`%~]", form)]


@pytest.mark.parametrize(("way", "form"), CALLS)
def test_a_call_says_how_and_which_script(way: str, form: str, slinky: Plan) -> None:
    found = [c for c in calls(f"{HEAD}{way.format(form)}\n", slinky) if c.path.endswith("x.sh")]
    assert [(c.how, c.path) for c in found] == [(WAYS[way], FORMS[form])]


@pytest.mark.parametrize("form", [f for f in FORMS if "$OTHER" not in f])
def test_a_variable_may_hold_the_folder(form: str, slinky: Plan) -> None:
    folder = form.strip('"').rpartition("/x.sh")[0]
    for held in (f"D={form[0] if form[0] == chr(34) else ''}{folder}", f'export D="{folder}"'):
        quoted = f'{held}"' if held.startswith('D="') else held
        found = [c.path for c in calls(f"{HEAD}{quoted}\nbash $D/x.sh\n", slinky) if c.path.endswith("x.sh")]
        assert found == [FORMS[form]]
