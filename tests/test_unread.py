"""Files beside job scripts that submit or describe jobs and are not looked at: named, with what they hold."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from migrate.files import discover as discovery
from migrate.files import reading
from migrate.files.discover import discover
from migrate.files.exclusion import Exclusion
from migrate.files.reading import MAX_SIZE
from migrate.files.unread import Reader
from migrate.model import Unread, UnreadLine, WorkflowFile
from migrate.reports import FORMATS
from migrate.reports.secrets import mask_of
from migrate.runs.batch import Settings, migrate
from migrate.runs.setup import Choice, make_plan
from migrate.schedulers import DIALECTS
from migrate.tables.load import rules_folder
from tests.conftest import Migrate

SCHEMA = json.loads((rules_folder() / "schemas/report.schema.json").read_bytes())
PLAN = make_plan("slinky")
TABLES = PLAN.rulebook.tables
FLOWS = TABLES.workflows
SCRIPT = "#!/bin/bash\n#SBATCH --time=1\nhostname\n"
OF_HF = "192 CPUs, 8 GPUs and 1920 GiB on abci3"
TOKEN = "hf_abcdefghijklmnopqrstuvwxyz1234"  # noqa: S105 - no token of anybody


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def put(files: Mapping[str, str | bytes]) -> None:
    for name, text in files.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(text.encode() if isinstance(text, str) else text)


def report(form: str, *paths: str) -> str:
    """A report on these folders."""
    return FORMATS[form](migrate(paths or ["."], Settings(Choice("slinky"), jobs=1), stdin=bytes).report())


def ran(*words: str) -> tuple[int, str]:
    """The exit code of a command, and what it prints."""
    done = subprocess.run([sys.executable, "-m", "migrate", *words], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


def looked(*paths: str, plan: Any = PLAN, **choice: Any) -> tuple[list[str], dict[str, Unread]]:
    """The scripts below these folders, and the files that matter and were not looked at."""
    reader = Reader(plan.rulebook.tables, plan.target, plan.sites, lambda data: mask_of(data).words)
    found, faults = discover(paths or ["."], plan.rulebook.tables, unread=reader, **choice)
    assert faults == []
    return [each.path for each in found], {each.path: each for each in reader.besides(found)}


def held(text: str, name: str) -> list[UnreadLine]:
    """What a file of this name holds, where it is listed."""
    put({name: text})
    scripts, unread = looked()
    assert scripts == []
    return [*unread[name].holds] if name in unread else []


def said(text: str, name: str) -> dict[str, str]:
    return {each.what: each.needs for each in held(text, name)}


# ------------------------------------------------------------------------------------------------ no change

ORDINARY = {
    "Makefile": "all: a.o\n\tgcc -o a a.o\n# sbatch job.sh\nimage:\n\tdocker build -t a .\n\tdocker push a\n",
    "train.py": '"""Start it by `sbatch job.sh`."""\n\npartition = 3\nqueue = Queue()\nprint("sbatch failed.")\n',
    "error.py": 'raise Error("qsub failed")\n',
    "loader.py": "import torch\n\nexecutor = ThreadPoolExecutor()\nqueue = [1]\nrun(['bread', 'srunner'])\n",
    "plot.R": "library(ggplot2)\npartition <- split(x)\n",
    "tool.pl": "#!/usr/bin/perl\nmy $#$x = 1;\nprint 'qsub';\n",
    "config.yaml": "model: {layers: 3}\npartition: disk\nscheduler: cosine\ncluster: k-means\nqueue: 5\nimage: nginx\n",
    "pyproject.toml": '[project]\nname = "a"\n',
    "app.config": "<configuration>\n</configuration>\n",
    "compose.yml": "services:\n  web:\n    image: nginx\n",
    "README.md": "```\n#SBATCH -p gp1d\nsbatch job.sh\n```\n",
    "notes.txt": "Submit it by\n  sbatch job.sh\n",
    "setup.cfg": "[metadata]\n[options.entry_points]\na = b.submit:main\n",
    ".github/workflows/ci.yml": "run: docker run --rm a\n",
    ".gitlab-ci.yml": "script:\n  - singularity exec a.sif x\n",
    "x.in": "a = @A@\n",
    "empty.py": "",
    "__init__.py": "",
    ".gitkeep": "",
    "LICENSE": "MIT\n",
    "a.json": '{"partition": "gp1d"}\n',
    "data.csv": "sbatch,1\n",
}


@pytest.mark.parametrize("form", FORMATS)
def test_a_project_without_files_that_matter_prints_what_its_scripts_alone_print(form: str) -> None:
    put({"job.sh": SCRIPT})
    alone = report(form)
    put(ORDINARY)
    assert report(form) == alone
    assert "ot looked at" not in alone
    assert "not_looked_at" not in alone


@pytest.mark.parametrize(("name", "text"), ORDINARY.items(), ids=ORDINARY)
def test_an_ordinary_file_is_not_listed(name: str, text: str) -> None:
    assert held(text, name) == []


# ------------------------------------------------------------------------------------------------ what they hold


def concrete(pattern: str) -> str:
    """A name that a pattern of the table fits."""
    return pattern.replace("*", "x")


def rows() -> list[Any]:
    return [pytest.param(row, concrete(name), id=name) for row in FLOWS.files for name in row.names]


DIRECTIVES = {
    "slurm": "#SBATCH --partition=gp1d",
    "pbs": "#PBS -q rt_HF",
    "grid_engine": "#$ -l rt_F=1",
    "lsf": "#BSUB -q normal",
}


def test_each_scheduler_is_tried() -> None:
    assert DIRECTIVES.keys() == DIALECTS.keys()


@pytest.mark.parametrize("directive", DIRECTIVES.values(), ids=DIRECTIVES)
@pytest.mark.parametrize("written", ["x\n{}\n", "x = '''\n{}\n", 'f.write("{}\\n")\n', "x\necho '{}' >> job\n"])
@pytest.mark.parametrize(("row", "name"), rows())
def test_a_directive_that_a_file_writes_is_told(row: WorkflowFile, name: str, written: str, directive: str) -> None:
    text = written.format(directive)
    assert [(m.what, m.line) for m in held(text, name)] == [("directive", text[: text.index("#")].count("\n") + 1)]
    assert looked()[1][name].kind == row.kind


QUOTED = [
    'subprocess.run(["{}", "-p", "gp1d", "job.sh"])',
    "subprocess.check_output(['/usr/bin/{}', f'job.sh'])",
    'os.system("{} job.sh")',
    'os.system("cd run && {} -A me job.sh")',
    "cmd = '{} %s' % script",
    'cmd = f"{} {{script}}"',
    'shutil.which("{}")',
    'os.system("{} job")',
    "subprocess.call('{} job', shell=True)",
    "Popen(['/opt/bin/{}', name])",
    'system("{} job");',
    'x = os.popen(f"{} job").read()',
    'snakemake --cluster "{} -p gp1d"',
]
LINES = [
    "out = `{} job.sh`",
    "\t@{} job.sh",
    "  {} -p gp1d job.sh",
    "time {} $job",
    "x && {} ${{job}}",
    "cmd: {} ./job.sh",
    "{} \\",
]


@pytest.mark.parametrize("program", FLOWS.submit)
@pytest.mark.parametrize("line", QUOTED)
def test_a_command_of_a_scheduler_in_a_program_is_told(line: str, program: str) -> None:
    for name in ("a.py", "a.R", "a.pl", "Snakefile", "main.nf", "config.yaml", "Makefile"):
        assert ("command", 1) in {(m.what, m.line) for m in held(line.format(program), name)}, name


@pytest.mark.parametrize("program", FLOWS.submit)
@pytest.mark.parametrize("line", LINES)
def test_a_command_of_a_scheduler_in_a_line_is_told(line: str, program: str) -> None:
    for row in FLOWS.files:
        name = concrete(row.names[0])
        found = {(m.what, m.line) for m in held(f"x\n{line.format(program)}\n", name)}
        assert (("command", 2) in found) or not row.lines, name


@pytest.mark.parametrize(
    "line",
    [
        'run("singularity exec a.img x")',
        'run(["apptainer", "run", image])',
        'sh "docker run --rm a"',
        "x='podman pull a'",
    ],
)
def test_a_command_of_a_container_is_told(line: str) -> None:
    for name in ("a.py", "Makefile", "a.smk", "a.nf", "a.csh"):
        assert "container" in said(line, name), name


@pytest.mark.parametrize("image", ["docker://ubuntu:24.04", "/work/a.sif", "img/b.simg", "oras://reg/a:1", "c.sqsh"])
def test_an_image_is_told(image: str) -> None:
    for name in ("a.py", "Makefile", "Snakefile", "a.config", "a.yml", "a.sh.j2"):
        assert "image" in said(f'x = "{image}"\n', name), name


def keys() -> list[Any]:
    return [
        pytest.param(row, key, what, id=f"{row.names[0]} {key}")
        for row in FLOWS.files
        for key, what in row.keys.items()
    ]


VALUES = {"command": "sbatch", "scheduler": "pbspro"}


@pytest.mark.parametrize(("row", "key", "what"), keys())
def test_each_key_of_the_table_is_told(row: WorkflowFile, key: str, what: str) -> None:
    value = VALUES.get(what, "some")
    forms = [f"  {key} = '{value}'\n", f"{key}: {value}\n", f'  "{key}": "{value}",\n', f'a({key}="{value}")\n']
    forms += [f"process.{key} = '{value}'\n", f"  {key} '{value}'\n", f"{key} {{ '{value}' }}\n"] if row.blanks else []
    for name in (concrete(name) for name in row.names):
        for form in forms:
            told = said(f"x = 'a.sif'\n{form}", name)
            assert ("options" if what == "command" else what) in told, form


@pytest.mark.parametrize(("name", "row"), [(concrete(r.names[0]), r) for r in FLOWS.files], ids=lambda v: str(v)[:20])
@pytest.mark.parametrize("key", FLOWS.keys)
def test_a_key_of_any_file_counts_where_its_value_is_a_known_partition(key: str, name: str, row: WorkflowFile) -> None:
    assert said(f'{key} = "gp1d"\n', name) == {"partition": "gp1d maps to slinky on slinky"}
    if key not in row.keys:
        assert said(f'{key} = "garden"\n', name) == {}


def test_names_of_libraries_that_submit_are_told() -> None:
    for row in FLOWS.files:
        for word in row.words:
            assert said(f"x <- {word}(a)\n", concrete(row.names[0])) == {"scheduler": ""}, word


@pytest.mark.parametrize("name", ["functions", "gen.cpp", "Gen.java", "a.f90", "unknown.xyz"])
def test_a_directive_that_a_file_of_another_kind_writes_is_told(name: str) -> None:
    for text in (
        'x\nprint("#SBATCH --time=1")\n',
        'x\n  out << "#PBS -q " << q;\n',
        "echo '#BSUB -n 4' > a\n",
        "x = '#SBATCH ' + y\n",
    ):
        assert "directive" in said(text, name)
    assert said('x\nprint("#SBATCH")\n', name) == {}


def test_what_stands_beside_is_told_and_makes_no_file_matter() -> None:
    beside = 'module load cuda\nopen("/groups/me/x")\n'
    assert held(beside, "Makefile") == []
    assert [m.what for m in held(f"{beside}\tsbatch a.sh\n", "Makefile")] == ["module", "path", "command"]


# ------------------------------------------------------------------------------------------------ what is needed


@pytest.mark.parametrize(
    ("line", "needs"),
    [
        ('run("sbatch -p gp1d a.sh")', "gp1d maps to slinky on slinky"),
        ('run("sbatch -pgp1d a.sh")', "gp1d maps to slinky on slinky"),
        ('run(["sbatch", "--partition=gp2d", "a.sh"])', "gp2d maps to slinky on slinky"),
        ('run(["sbatch", "-p", "gp4d", "a.sh"])', "gp4d maps to slinky on slinky"),
        ('run("sbatch -p garden a.sh")', ""),
        ('run("sbatch -p slinky a.sh")', ""),
        ('run("sbatch a.sh")', ""),
        ('run("qsub a.sh")', "sbatch stands for qsub on slinky"),
        ('run("bsub -q x ./a.sh")', "sbatch stands for bsub on slinky"),
        (
            'run("qsub -q rt_HF a.sh")',
            f"sbatch stands for qsub on slinky; slinky has no partition rt_HF ({OF_HF}); choose one of slinky",
        ),
    ],
)
def test_what_the_target_needs_is_told_where_a_table_knows_it(line: str, needs: str) -> None:
    assert said(line, "a.py") == {"command": needs}


def test_another_scheduler_in_a_known_key_is_told() -> None:
    assert said("executor = 'pbspro'\n", "nextflow.config") == {"scheduler": "slurm stands for pbspro on slinky"}
    assert said("process.executor = 'slurm'\n", "nextflow.config") == {"scheduler": ""}
    assert said("process.executor = 'local'\n", "nextflow.config") == {}


def test_an_answer_of_the_targets_file_is_told(here: Path) -> None:
    (here / "mine.yaml").write_text(
        "id: mine\nextends: slinky\nanswers: {partition: {gp1d: slinky, garden: slinky}, image: {a.sif: b.sif}}\n"
    )
    put({"a.py": 'run("sbatch -p garden x.sh")\nimage = "a.sif"\n'})
    noted = looked(plan=make_plan(str(here / "mine.yaml")))[1]["a.py"]
    assert [m.needs for m in noted.holds] == ["garden maps to slinky on mine", "maps to b.sif"]


# ------------------------------------------------------------------------------------------------ which files


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("name", ["job.sh", "job.sbatch", "job", "job.cmd"])
def test_text_in_utf_16_is_named(name: str, encoding: str) -> None:
    put({name: SCRIPT.encode(encoding)})
    scripts, unread = looked()
    assert scripts == []
    assert [(u.kind, [m.what for m in u.holds]) for u in unread.values()] == [("text in UTF-16", ["directive"])]


@pytest.mark.parametrize("name", ["image.sh", "a.py", "Makefile", "job"])
@pytest.mark.parametrize("data", [b"\x7fELF\0\0\0#SBATCH -N 1\n", b"sbatch a.sh\0", bytes(60), b"\xff\xfe" + bytes(9)])
def test_what_is_no_text_is_passed_over(name: str, data: bytes) -> None:
    put({name: data})
    assert looked() == ([], {})


def test_text_in_utf_16_is_named_where_it_is_a_script_or_matters() -> None:
    put(dict.fromkeys(["a.sh", "b.py", "c", "d.txt"], "echo hello\n".encode("utf-16")))
    put({"e.py": 'run("sbatch a.sh")\n'.encode("utf-16"), "f.txt": "sbatch it\n".encode("utf-16")})
    assert {path: [m.what for m in each.holds] for path, each in looked()[1].items()} == {
        "a.sh": [],
        "e.py": ["command"],
    }


def test_of_a_line_without_end_only_the_beginning_is_told() -> None:
    (mention,) = held("run('sbatch a.sh')" + " x" * 200_000, "a.py")
    assert mention.text.startswith("run('sbatch a.sh')")
    assert len(mention.text) < 1000
    assert held("x" * 200_000 + "run('sbatch a.sh')", "b.py") == []


def test_lines_are_counted_as_editors_count_them() -> None:
    assert [m.line for m in held("x = '\x0c\u2028'\r\nrun('sbatch a.sh')\r\n", "a.py")] == [2]


def test_empty_scripts_are_named() -> None:
    put(dict.fromkeys(["a.sh", "b.SBATCH", "c.pbs", "d.py", "e", "f.cmd"], ""))
    assert {path: u.kind for path, u in looked()[1].items()} == dict.fromkeys(
        ["a.sh", "b.SBATCH", "c.pbs"], "empty file"
    )


def test_what_is_left_out_is_not_listed(here: Path) -> None:
    command = "run('sbatch a.sh')\n"
    put({f"{folder}/a.py": command for folder in (".git", "old", "kept", "out", ".venv", "ignored")})
    put({".gitignore": "ignored\n", "large.py": command + "#" * discovery.LARGEST})
    exclusion = Exclusion(["old"], here)
    assert list(looked(".", exclude=Path("out"), exclusion=exclusion)[1]) == ["kept/a.py"]


def test_a_file_that_is_named_is_a_script_and_not_listed() -> None:
    put({"Snakefile": "shell: 'sbatch a.sh'\n", "sub/job.py": "#!/usr/bin/env python3\n#SBATCH -N 1\n"})
    assert looked("Snakefile", ".") == (["Snakefile", "sub/job.py"], {})


def test_a_link_to_what_is_taken_is_not_listed() -> None:
    put({"Snakefile": "shell: 'sbatch a.sh'\n"})
    Path("other.smk").symlink_to("Snakefile")
    assert list(looked()[1]) == ["Snakefile"] or list(looked()[1]) == ["other.smk"]
    assert looked("Snakefile", ".") == (["Snakefile"], {})


def test_a_dead_link_and_a_pipe_of_such_a_name_are_passed_over() -> None:
    Path("a.py").symlink_to("nowhere")
    assert looked() == ([], {})


def test_files_with_directives_are_taken_or_listed_or_passed_over_by_their_names() -> None:
    choose = random.Random(16)  # noqa: S311 - the same files in every run
    begins = ["", "#!/bin/bash\n", "#!/bin/csh -f\n", "#!/usr/bin/env python3\n", "# mine\n\n", "\ufeff", "import os\n"]
    middles = ["", "\n# of mine\n", "cd /tmp\n", "x = '''\n", "{% if a %}\n", "  "]
    suffixes = [
        "",
        ".sh",
        ".job",
        ".cmd",
        ".sl",
        ".q",
        ".tmpl",
        ".j2",
        ".py",
        ".pl",
        ".nf",
        ".xyz",
        ".txt",
        ".C",
        ".smk",
    ]
    files = {
        f"{n}{choose.choice(suffixes)}": choose.choice(begins) + choose.choice(middles) + directive + "\nhostname\n"
        for n, directive in enumerate(choose.choices(list(DIRECTIVES.values()), k=600))
    }
    put(files)
    scripts, unread = looked()
    assert not set(scripts) & set(unread)
    assert {*scripts, *unread} == set(files)
    assert min(len(scripts), len(unread)) > 100


def test_only_files_whose_name_or_beginning_asks_for_it_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    put(
        {
            "a.png": "x",
            "b.md": "x",
            "huge.xyz": "x" * (discovery.LARGEST + 1),
            "c.py": "x" * 100_000,
            "d.xyz": "y" * 100_000,
        }
    )
    seen: list[tuple[str, int]] = []
    real = reading.load

    def load(path: Any, limit: int = -1) -> Any:
        seen.append((Path(path).name, limit))
        return real(path, limit)

    monkeypatch.setattr(discovery, "load", load)
    monkeypatch.setattr("migrate.files.unread.load", load)
    assert looked() == ([], {})
    assert sorted(seen) == [
        ("c.py", discovery.HEAD_SIZE),
        ("c.py", discovery.LARGEST),
        ("d.xyz", discovery.HEAD_SIZE),
    ]
    assert discovery.LARGEST < MAX_SIZE


# ------------------------------------------------------------------------------------------------ reports

WORKFLOW = {
    "job.sh": SCRIPT,
    "Snakefile": 'rule a:\n    resources: slurm_partition="gp1d"\n    shell: "python a.py"\n',
    "submit.py": f'import os\nos.system("qsub -v HF_TOKEN={TOKEN} a.sh")\n',
}
TEXT = """\

Not looked at
  Snakemake workflow: `snakemake --executor slurm` submits its jobs:
  slurm_partition, slurm_account and slurm_extra under `resources` are the
  target's
    Snakefile: partition in line 2
      line 2: gp1d maps to slinky on slinky
  Python program: what it submits and writes is not migrated; change it by hand
    submit.py: command in line 2
      line 2: sbatch stands for qsub on slinky
"""
MARKDOWN = """\
## Not looked at

- Snakemake workflow: `snakemake --executor slurm` submits its jobs: slurm_partition, slurm_account and slurm_extra \
under `resources` are the target's
  - `Snakefile`: partition in line 2
    - line 2: gp1d maps to slinky on slinky
- Python program: what it submits and writes is not migrated; change it by hand
  - `submit.py`: command in line 2
    - line 2: sbatch stands for qsub on slinky
"""


def test_the_text_lists_them() -> None:
    put(WORKFLOW)
    assert report("text").endswith(TEXT)
    assert "2 files beside them were not looked at." in " ".join(report("text").split())


def test_the_text_lists_some_and_says_how_many_there_are() -> None:
    put(WORKFLOW | {f"{n}.py": WORKFLOW["submit.py"] for n in range(20)})
    assert report("text").endswith("  and 12 more; report.md and -v have them all\n")
    assert all(f"`{n}.py`" in report("markdown") for n in range(20))


def test_the_page_lists_them() -> None:
    put(WORKFLOW)
    assert MARKDOWN in report("markdown")


def test_the_record_lists_them_without_their_secrets() -> None:
    put(WORKFLOW)
    found = json.loads(report("json"))
    Draft202012Validator(SCHEMA).validate(found)
    assert [(each["path"], each["holds"][0]["what"]) for each in found["not_looked_at"]] == [
        ("Snakefile", "partition"),
        ("submit.py", "command"),
    ]
    assert found["not_looked_at"][0]["holds"][0]["text"] == 'resources: slurm_partition="gp1d"'
    assert not any(TOKEN in report(form) for form in FORMATS)


def test_a_diff_says_nothing_of_them() -> None:
    put({"job.sh": SCRIPT})
    alone = report("diff")
    put(WORKFLOW)
    assert report("diff") == alone


def test_exit_codes_and_outputs_stay_as_they_are() -> None:
    put({"job.sh": SCRIPT})
    code, _ = ran("rewrite", ".", "--target", "slinky", "--out", "one")
    put(WORKFLOW)
    beside, out = ran("rewrite", ".", "--target", "slinky", "--out", "two")
    assert (code, Path("one/job.sh").read_bytes()) == (beside, Path("two/job.sh").read_bytes())
    assert out.endswith(TEXT)
    assert sorted(p.name for p in Path("two").iterdir()) == ["job.sh", "report.json", "report.md"]


def test_a_folder_without_scripts_has_them_named_too() -> None:
    put({"submit.py": WORKFLOW["submit.py"]})
    code, out = ran("scan", ".")
    assert code == 2
    assert "submit.py: command in line 2" in out


def test_a_pack_adds_a_kind_of_file(here: Path) -> None:
    (here / "pack").mkdir()
    row = "files: [{names: ['*.oak'], kind: recipe of Oak, advice: ask Oak, keys: {oakqueue: partition}}]\n"
    (here / "pack/workflows.yaml").write_text(row)
    put({"run/a.oak": "oakqueue = x\n", "run/b.py": "run('sbatch a.sh')\n"})
    assert list(looked("run")[1]) == ["run/b.py"]
    assert list(looked("run", plan=make_plan("slinky", rules=[here / "pack"]))[1]) == ["run/a.oak", "run/b.py"]


def test_what_several_processes_find_is_what_one_finds() -> None:
    put(WORKFLOW | {f"{n}.sh": SCRIPT for n in range(60)})
    settings = [Settings(Choice("slinky"), jobs=jobs, cache=False) for jobs in (1, 2)]
    one, two = (migrate(["."], each, stdin=bytes) for each in settings)
    assert one.unread == two.unread
    assert [each.path for each in one.unread] == ["Snakefile", "submit.py"]


# ------------------------------------------------------------------------------------------------ on a command line


@pytest.mark.parametrize("option", ["--cluster", "--cluster-sync", "--cluster-generic-submit-cmd"])
@pytest.mark.parametrize("form", ['{} "{}"', "{}='{}'", "-j 4 {} '{}' --latency-wait 60 all"])
def test_the_command_by_which_snakemake_submits_is_migrated(option: str, form: str, migrate_text: Migrate) -> None:
    old, new = (form.format(option, f"sbatch -p {name} -t 60 -c {{threads}}") for name in ("gp1d", "slinky"))
    result = migrate_text(f"#!/bin/bash\nsnakemake {old}\n")
    assert result.output.decode() == f"#!/bin/bash\nsnakemake {new}\n"


@pytest.mark.parametrize(
    "words",
    [
        "snakemake --default-resources slurm_partition=gp1d mem_mb=100",
        "snakemake --set-resources a:slurm_partition='gp1d'",
        "nextflow run main.nf -process.queue gp1d",
        "nextflow -process.executor=pbspro run main.nf",
        "nextflow run a -process.clusterOptions '-A me -q rt_HF'",
        "snakemake --drmaa ' -q gp1d' all",
    ],
)
def test_options_for_the_jobs_of_a_workflow_wait_for_a_person(words: str, migrate_text: Migrate) -> None:
    result = migrate_text(f"#!/bin/bash\n{words}\n")
    assert not result.changed
    assert [e.text for e in result.entries if e.fate == "review"] != []
    assert result.readiness != "unchanged"


@pytest.mark.parametrize(
    "words", ["snakemake -j 8 --use-conda -np --configfile a.yml all", "nextflow run a.nf -resume"]
)
def test_other_options_of_a_workflow_stay_without_a_word(words: str, migrate_text: Migrate) -> None:
    result = migrate_text(f"#!/bin/bash\n{words}\n")
    assert not result.changed
    assert [e for e in result.entries if e.fate != "kept"] == []
