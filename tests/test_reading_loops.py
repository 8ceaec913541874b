"""Commands on other nodes in a loop that reads: srun reads nothing of what the loop is to read."""

from __future__ import annotations

import subprocess

import pytest

from tests.conftest import Migrate

_HEADERS = {"pbs": "#PBS -l nodes=2", "grid_engine": "#$ -pe mpi 2\n#$ -cwd", "lsf": "#BSUB -n 2"}
_STARTERS = {
    "ssh": ("pbs", "ssh $h echo"),
    "ssh -n": ("pbs", "ssh -n $h echo"),
    "ssh, quoted": ("grid_engine", 'ssh -o BatchMode=yes "$h" "echo a"'),
    "qrsh": ("grid_engine", "qrsh -inherit $h echo"),
    "qrsh -nostdin": ("grid_engine", "qrsh -inherit -nostdin $h echo"),
    "blaunch": ("lsf", "blaunch $h echo"),
    "blaunch -n": ("lsf", "blaunch -n $h echo"),
}
_LOOPS = {
    "one line": "while read h; do @; done < hosts",
    "lines": "while read -r h\ndo\n  @\ndone < hosts",
    "a pipe": "cat hosts | while read h; do @; done",
    "until": "until ! read h; do @; done < hosts",
    "inside another loop": "while read h; do for i in 1; do @; done; done < hosts",
    "with a test": "while read h; do if [ -n x ]; then @; fi; done < hosts",
    "two": "while read h; do @; @; done < hosts",
}
_STUB = 'srun() { case "$*" in *--input=none*) ;; *) cat >/dev/null;; esac; echo step; }\n'


@pytest.mark.parametrize("loop", [*_LOOPS])
@pytest.mark.parametrize("starter", [*_STARTERS])
def test_each_line_that_a_loop_reads_starts_its_step(starter: str, loop: str, migrate_text: Migrate) -> None:
    dialect, command = _STARTERS[starter]
    text = _LOOPS[loop].replace("@", command)
    output = migrate_text(f"#!/bin/bash\n{_HEADERS[dialect]}\n{text}\n").output.decode()
    body = _STUB + "hosts() { printf 'a\\nb\\nc\\n'; }\n" + output[output.index(text[:5]) :]
    body = body.replace("< hosts", "< <(hosts)").replace("cat hosts", "hosts")
    done = subprocess.run(["bash"], input=body, capture_output=True, text=True, check=False)
    assert done.stdout.count("step") == (6 if loop == "two" else 3), output


@pytest.mark.parametrize(
    "line",
    [
        "for h in $(cat hosts); do ssh $h hostname; done",
        "while read h; do ssh $h bash -s < script; done < hosts",
        "while read h; do echo x | ssh $h cat; done < hosts",
        "while read h; do echo $h; done < hosts; ssh $h cat",
        "ssh $h cat < data",
    ],
)
def test_a_command_that_reads_something_else_reads_it_still(line: str, migrate_text: Migrate) -> None:
    output = migrate_text(f"#!/bin/bash\n#PBS -l nodes=2\n{line}\n").output.decode()
    assert "srun" in output
    assert "--input=none" not in output
