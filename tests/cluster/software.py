"""Jobs with software: as they were, with modules and programs of the old nodes, and migrated, with images."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from lab import LAB, RUN, Done, fresh_folder
from test_packages import ENVIRONMENT, wheel

HERE = Path(__file__).parent
JOBS = {path.stem: path.read_text() for path in sorted((HERE / "environments").glob("*.sh"))}
SHOW = (HERE / "environments" / "show.txt").read_text()

# What each job finds in its folder.
FILES = {
    "show.py": SHOW,
    "my show.py": SHOW,
    "helper.py": "import sys\nprint('helper', sys.argv[1:])\n",
    "lib/own.py": "version = 'of lib'\n",
    "data/a.txt": "alpha\n",
    "data/b.txt": "beta\n",
    "data/list.txt": "one\ntwo words\nthree\n",
    "sub folder/a file.txt": "in a file\n",
    "env.sh": "# of several jobs\nmodule load python/3.10\nexport T_ENV=env\n",
    "steps.sh": 'python show.py sourced "$@"\n',
    "step.sh": '#!/bin/bash\npython show.py "$@" in step\n',
    "requirements.txt": "--no-index\n-f wheels\nown==1.0\n",
}
PROGRAMS = {"python": ["show", "torchrun"], "gromacs": ["mdrun"], "gcc": ["solver"]}
# The module system of the old nodes, in each shell: without a line that loads it a program is not found.
MODULES = """\
module() {
  case $1 in
    load) shift; for m in "$@"; do _load "${m%%/*}"; done ;;
    unload) PATH=$(printf %s "$PATH" | sed "s#OLD/modules/$2/bin:##g") ;;
  esac
}
_load() {
  PATH=OLD/modules/$1/bin:$PATH
  case $1 in gcc) export GCC_IS=9.3 ;; python) export PYTHONPATH=OLD/torch${PYTHONPATH:-} ;; esac
}
ml() { module load "$@"; }
"""
CONDA = """\
conda() {
  case $1 in
    activate) PATH=OLD/modules/python/bin:$PATH CONDA_DEFAULT_ENV=$2 ;;
    deactivate) unset CONDA_DEFAULT_ENV ;;
  esac
}
"""
DEFINITION = """\
Bootstrap: localimage
From: {base}

%files
{files}

%post
ln -sf python3 /usr/bin/python
"""


def put(path: Path, text: str, mode: int = 0o644) -> None:
    """Write a file, with its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


@dataclass(frozen=True)
class Ran:
    """What a job left: its outputs, the programs that it started with what each was given, and its exit code."""

    outputs: Mapping[str, str]
    started: list[dict[str, Any]]
    images: set[tuple[str, str]]  # each program, and the image in which it ran; empty on the node
    codes: list[tuple[int, int]]


@dataclass(frozen=True)
class Sides:
    """The jobs of the folder `environments`, before and after, in folders of their own."""

    root: Path = field(default_factory=lambda: fresh_folder("software"))

    def folder(self, side: str, name: str) -> Path:
        """Where a job of this name runs."""
        return self.root / side / name

    def furnish(self) -> None:
        """Write the software of both sides, and the jobs as they were."""
        self._old_nodes()
        self._new_nodes()
        for name, text in JOBS.items():
            for side in ("before", "after"):
                folder = self.folder(side, name)
                known = {"JOB": str(folder), "MOUNTED": str(self.root / f"mounted-{side}")}
                job = re.sub(r"\b(JOB|MOUNTED)\b", lambda m, known=known: known[m[0]], text)
                for path, content in {**FILES, "job.sh": job}.items():
                    put(folder / path, content, 0o755 if path.endswith(".sh") else 0o644)
                wheel(folder / "wheels", "own")
                put(self.root / f"mounted-{side}/data/a.txt", "mounted\n")

    def _old_nodes(self) -> None:
        old = self.root / "old"
        for module, programs in PROGRAMS.items():
            self._programs(old / "modules" / module / "bin", [*programs, *(["python"] if module == "python" else [])])
        self._programs(old / "bin", ["python", "mdrun", "hosttool"])
        put(old / "torch/torch/distributed/run.py", SHOW)
        put(old / "modules.sh", MODULES.replace("OLD", str(old)))
        put(Path(RUN.environment["HOME"]) / "miniconda3/etc/profile.d/conda.sh", CONDA.replace("OLD", str(old)))

    def _programs(self, folder: Path, names: list[str]) -> None:
        for name in names:
            if name != "python":
                put(folder / name, f"#!/usr/bin/python3\n{SHOW}", 0o755)
                continue
            folder.mkdir(parents=True, exist_ok=True)
            for link in ("python", "python3"):
                (folder / link).symlink_to("/usr/bin/python3")

    def _new_nodes(self) -> None:
        new = self.root / "new"
        self._programs(new / "bin", ["hosttool"])
        self._programs(new / "gcc/bin", ["solver"])
        put(new / "gcc/enable", f"export PATH={new}/gcc/bin:$PATH GCC_IS=9.3\n")
        put(new / "show", f"#!/usr/bin/python3\n{SHOW}", 0o755)
        put(new / "run.py", SHOW)
        for image, programs in {"python": PROGRAMS["python"], "gromacs": PROGRAMS["gromacs"]}.items():
            files = [f"{new}/show /usr/local/bin/{name}" for name in programs]
            if image == "python":
                files += [f"{new}/run.py /usr/lib/python3/dist-packages/torch/distributed/run.py"]
            put(new / f"{image}.def", DEFINITION.format(base=LAB / "python.sif", files="\n".join(files)))
            done = subprocess.run(
                ["unshare", "-Ur", "apptainer", "build", str(new / f"{image}.sif"), str(new / f"{image}.def")],
                env=ENVIRONMENT,
                capture_output=True,
                text=True,
                check=False,
                timeout=180,
            )
            assert done.returncode == 0, done.stderr

    def migrate(self) -> dict[str, Any]:
        """The report of one run over all jobs of the new side, which it changes in their places."""
        put(self.root / "target.yaml", self.target())
        report = self.root / "report.json"
        command = ["rewrite", "--in-place", "--target", "target.yaml", "--output", str(report), "-j", "1", "after"]
        done = subprocess.run(
            [Path(sys.executable).with_name("sifmigrate"), *command],
            cwd=self.root,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode in {0, 1}, done.stderr
        found: dict[str, Any] = json.loads(report.read_text())
        return found

    def target(self) -> str:
        new = self.root / "new"
        python, gromacs = new / "python.sif", new / "gromacs.sif"
        return f"""\
id: lab
extends: slinky
mounts: [{self.root}, {LAB}/home]
home: {LAB}/home
environments:
  - {{name: py, match: {{modules: [python]}}, image: {python}}}
  - {{name: gromacs, match: {{modules: [gromacs]}}, image: {gromacs}}}
  - {{name: gcc, match: {{modules: [gcc]}}, lines: ["source {new}/gcc/enable"]}}
  - {{name: llama, match: {{conda: llama}}, image: {python}}}
  - {{name: venvs, match: {{venv: "*"}}, image: {python}}}
  - {{name: tools, match: {{programs: [hosttool]}}, provided: true}}
  - {{name: mdrun, match: {{programs: [mdrun]}}, image: {gromacs}}}
  - {{name: bare, match: {{programs: [python]}}, image: {python}}}
"""

    def shell(self, side: str, name: str, script: str) -> Done:
        """A line that a person types once, in a job's folder."""
        return subprocess.run(
            ["bash", "-c", script],
            cwd=self.folder(side, name),
            env={**ENVIRONMENT, **self._variables(side, name)},
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
        )

    def _variables(self, side: str, name: str) -> dict[str, str]:
        path = RUN.environment["PATH"]
        own = {
            "before": {"PATH": f"{self.root}/old/bin:{path}", "BASH_ENV": f"{self.root}/old/modules.sh"},
            "after": {"PATH": f"{path}:{self.root}/new/bin"},
        }
        common = {"RECORDS": str(self.folder(side, name) / "records"), "SBATCH_MEM_PER_NODE": "1G"}
        return {**common, **own[side]}

    def make_venvs(self, told: str) -> None:
        """Make the venv of both sides as the user did on the old nodes, and again on the new side as it is told."""
        for side in ("before", "after"):
            made = self.shell(
                side, "venv", "/usr/bin/python3 -m venv myvenv && myvenv/bin/pip install -q --no-index -f wheels own"
            )
            assert made.returncode == 0, made.stderr
        again = self.shell("after", "venv", told)
        assert again.returncode == 0, again.stderr

    def submit(self, side: str, name: str) -> Done:
        """Give a job in."""
        return RUN.submit(self.folder(side, name) / "job.sh", variables=self._variables(side, name))

    def ran(self, side: str, name: str) -> Ran:
        """What a job left, once it has ended."""
        folder = self.folder(side, name)
        jobs = RUN.finished(folder, seconds=240)
        outputs = {str(p.relative_to(folder)): self._plain(side, name, p.read_text()) for p in self._written(folder)}
        lines = (folder / "records").read_text().splitlines() if (folder / "records").exists() else []
        records = [json.loads(self._plain(side, name, line)) for line in lines]
        images = {(record["program"], record.pop("image")) for record in records}
        codes = [
            (job["exit_code"]["return_code"]["number"] or 0, job["exit_code"]["signal"]["id"]["number"] or 0)
            for job in jobs
        ]
        return Ran(outputs, sorted(records, key=lambda r: json.dumps(r, sort_keys=True)), images, codes)

    def _written(self, folder: Path) -> list[Path]:
        known = {folder / name for name in [*FILES, "job.sh", "records"]}
        skipped = ("wheels", "myvenv", "__pycache__")
        every = (p for p in folder.rglob("*") if p.is_file() and p not in known and not p.name.endswith(".orig"))
        return sorted(p for p in every if not any(part in skipped for part in p.relative_to(folder).parts))

    def _plain(self, side: str, name: str, text: str) -> str:
        text = text.replace(str(self.folder(side, name)), "JOB").replace(str(self.root / f"mounted-{side}"), "MOUNTED")
        text = re.sub(r"singularity exec (?:--nv )?(?:--bind \S+ )?\S+\.sif ", "", text)
        text = re.sub(
            r"(?<=/libs )/\S*|(?<=JOB/bin:)/\S*",
            lambda m: "IMAGE_PATH" if "/usr/local/sbin" in m[0] else "OLD_PATH",
            text,
        )
        text = re.sub(r"srun: error: n[12]:", "srun: error: NODE:", text)
        text = re.sub(
            r"line N: +\d+ ", "line N: PID ", re.sub(r"/[^ :]*/slurm_script: line \d+", "slurm_script: line N", text)
        )
        return re.sub(r"(?m)^(?:INFO: |WARNING: .*nv|real\t|user\t|sys\t).*\n", "", text)


@cache
def sides() -> Sides:
    """Both sides, furnished."""
    found = Sides()
    found.furnish()
    return found
