"""Scripts that a script writes and gives in: sbatch takes what stands for them, and runs what qsub ran."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from migrate.model import Result
from tests.conftest import Migrate

# sbatch refuses what does not begin with `#!`; each takes its script as an operand, a --wrap or on standard input.
_STUBS = """
script() { for last; do :; done; case "$last" in *.sh) cat "$last";; *) cat;; esac; }
qsub() { script "$@" | bash; }
bsub() { qsub "$@"; }
sbatch() {
  local text; text=$(script "$@"; echo .); text=${text%.}
  case "$text" in '#!'*) printf %s "$text" | bash;; *) echo REFUSED;; esac
}
"""

_ON_STANDARD_INPUT = {
    "echo": 'echo "echo a b" | @',
    "words": "echo echo a b | @",
    "with a variable": 'X=1; echo "echo $X" | @',
    "several lines": "echo 'echo a\necho b' | @",
    "with escapes": "echo -e 'echo a\\necho b' | @",
    "printf": "printf 'echo %s\\n' a b | @",
    "a filter": 'echo "echo A" | sed "s/A/b/" | @',
    "two filters": 'echo "echo A" | tr A b | sed "s/b/c/" | @',
    "errors elsewhere": 'echo "echo a" 2>/dev/null | @',
    "over two lines": 'echo "echo a" |\n  @',
    "cat of a file": "cat text | @",
    "a here-document": "@ <<EOF\necho a\nEOF",
    "a here-document with a variable": "X=1\n@ <<EOF\necho $X\nEOF",
    "a quoted here-document": "X=1\n@ <<'EOF'\nX=2; echo $X\nEOF",
    "a here-document with tabs": "@ <<-EOF\n\techo a\n\tEOF",
    "a here-document through cat": "cat <<EOF | @\necho a\nEOF",
    "in a loop": 'for i in 1 2; do echo "echo $i" | @; done',
    "in a test": 'if echo "echo a" | @ >/dev/null; then echo yes; fi',
    "with the line": "printf '#!/bin/bash\\necho a\\n' | @",
    "a here-document with the line": "@ <<EOF\n#!/bin/bash\necho a\nEOF",
    "a group": "{ echo 'echo a'; echo 'echo b'; } | @",
    "a here-string": "@ <<< 'echo a'",
}
_IN_A_FILE = {
    "echo": 'echo "echo a" > s.sh; @ s.sh',
    "words": "echo echo a b >s.sh\n@ s.sh",
    "printf": "printf 'echo a\\necho b\\n' > s.sh && @ s.sh",
    "a path": 'echo "echo a" > ./s.sh\n@ s.sh',
    "quotes": 'echo "echo a" > "s.sh"\n@ "s.sh"',
    "more lines": 'echo "echo a" > s.sh\necho "echo b" >> s.sh\n@ s.sh',
    "a here-document": "cat > s.sh <<EOF\necho a\nEOF\n@ s.sh",
    "a here-document before the file": "cat <<'EOF' > s.sh\necho a\nEOF\n@ s.sh",
    "twice": 'echo "echo a" > s.sh\n@ s.sh\n@ s.sh',
    "in a loop": 'for i in 1 2; do\n  echo "echo $i" > s$i.sh\n  @ s$i.sh\ndone',
    "with the line": "printf '#!/bin/bash\\necho a\\n' > s.sh\n@ s.sh",
    "another file": "echo '#!/bin/bash' > s.sh; echo a > other; echo 'echo b' >> s.sh\n@ s.sh",
}
_COMMANDS = {"grid_engine": "qsub -cwd -N x", "pbs": "qsub -N x -V", "lsf": "bsub -J x"}
_NEVER = {"a group", "a here-string"}  # told


def _prints(text: str, folder: Path) -> str:
    (folder / "text").write_text("echo from a file\n")
    done = subprocess.run(["bash"], input=_STUBS + text, capture_output=True, text=True, check=False, cwd=folder)
    assert not done.stderr, done.stderr
    return done.stdout


def _migrated(text: str, dialect: str, migrate_text: Migrate) -> tuple[str, Result]:
    written = text.replace("@", _COMMANDS[dialect])
    if dialect == "lsf":
        written = written.replace("x s", "x < s").replace('x "s', 'x < "s')
    script = f"#!/bin/bash\n{written}\n"
    return script, migrate_text(script)


@pytest.mark.parametrize("dialect", [*_COMMANDS])
@pytest.mark.parametrize("form", [*_ON_STANDARD_INPUT])
def test_text_on_standard_input_is_taken_and_does_what_it_did(
    form: str, dialect: str, migrate_text: Migrate, tmp_path: Path
) -> None:
    script, result = _migrated(_ON_STANDARD_INPUT[form], dialect, migrate_text)
    output = result.output.decode()
    assert ("sbatch" in output) == (form not in _NEVER)
    assert (result.readiness == "blocked") == (form in _NEVER)
    assert _prints(output, tmp_path) == _prints(script, tmp_path)


@pytest.mark.parametrize("dialect", ["grid_engine", "pbs"])
@pytest.mark.parametrize("form", [*_IN_A_FILE])
def test_a_file_that_the_script_writes_is_taken_and_does_what_it_did(
    form: str, dialect: str, migrate_text: Migrate, tmp_path: Path
) -> None:
    script, result = _migrated(_IN_A_FILE[form], dialect, migrate_text)
    output = result.output.decode()
    assert "sbatch" in output
    assert _prints(output, tmp_path) == _prints(script, tmp_path)


@pytest.mark.parametrize(
    ("line", "new"),
    [
        (
            "echo hostname | qsub",
            '| sbatch --job-name=STDIN --chdir="$HOME" --output="$PWD/%x.o%j" --error="$PWD/%x.e%j"',
        ),
        ("J=$(echo hostname | qsub -N x -V)", "sbatch --parsable"),
        ("qsub -N x <<EOF\nhostname\nEOF", '--output="$PWD/%x.o%j"'),
    ],
)
def test_the_job_has_the_name_and_the_files_of_one_on_standard_input(
    line: str, new: str, migrate_text: Migrate
) -> None:
    assert new in migrate_text(f"#!/bin/bash\n{line}\n").output.decode()


def test_what_another_program_prints_is_to_be_looked_at(migrate_text: Migrate) -> None:
    result = migrate_text("#!/bin/bash\nsed s/A/b/ template | qsub -cwd\n")
    assert result.readiness == "review"
    assert any("not read here" in o.finding.message for o in result.outcomes)
