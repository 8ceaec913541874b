"""DOS line ends: of a job script they go, all of them and told; of any other file they stay."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from migrate.engine import Plan, run
from migrate.model import Source


@pytest.mark.parametrize(
    "script",
    [
        "#!/bin/bash\r\nhostname\r\n",
        "#!/bin/bash\n#SBATCH -n 1\nprintf 'a\rb'\n",
    ],
    ids=["no job script", "a carriage return inside a line"],
)
def test_other_line_ends_stay(script: str, slinky: Plan) -> None:
    assert run(Source("job.sh", script.encode()), slinky).output == script.encode()


@pytest.mark.parametrize(
    "script",
    [
        "#!/bin/bash\r\n#SBATCH -n 1\r\nhostname\r\n",
        "#!/bin/bash\n#SBATCH -n 1\ncat <<EOF\na\r\nb\r\nEOF\n",
        "#!/bin/bash\r\n#PBS -l nodes=1:ppn=4 \\\r\n#PBS -q fast\r\ncd $PBS_O_WORKDIR\r\n./a 'b\r\nc' \\\r\n d\r\n",
        "#$ -cwd\r\n#$ -pe smp 4\r\nmodule load x\r\nif true\r\nthen\r\n  echo $NSLOTS\r\nfi",
        "#!/bin/bash\r\n#BSUB -n 4\r\r\nmpirun ./a\r",
        "cat > job.sh <<'X'\r\n#!/bin/bash\r\n#SBATCH -n 1\r\nhostname\r\nX\r\nsbatch job.sh\r\n",
    ],
)
def test_a_job_script_gets_unix_line_ends_and_becomes_what_it_would_with_them(script: str, slinky: Plan) -> None:
    result, unix = (run(Source("job.sh", s.encode()), slinky) for s in (script, script.replace("\r", "")))
    assert (result.fault, b"\r" in result.output) == ("", False)
    assert result.output == unix.output
    assert result.changed
    assert [e.rule for e in result.entries if e.kind == "line-ends"] == ["dos-line-ends"]
    again = run(Source("job.sh", result.output), slinky)
    assert not again.changed


def test_a_file_is_replaced_in_place_and_comes_back_as_it_was(tmp_path: Path) -> None:
    script = b"#!/bin/bash\r\n#SBATCH -n 1\r\nhostname\r\n"
    (tmp_path / "job.sh").write_bytes(script)

    def call(*words: str) -> subprocess.CompletedProcess[bytes]:
        command = [sys.executable, "-m", "migrate", *words]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)

    shown = call("rewrite", "job.sh", "--target", "slinky", "--diff").stdout
    assert b"-#SBATCH -n 1\r\n" in shown
    assert b"+#SBATCH -n 1\n" in shown
    assert call("rewrite", "job.sh", "--target", "slinky", "--in-place").returncode == 0
    assert (tmp_path / "job.sh").read_bytes() == script.replace(b"\r", b"")
    assert call("revert").returncode == 0
    assert (tmp_path / "job.sh").read_bytes() == script
