"""A site's own files: rules, sites, targets and settings that are shipped nowhere, and every file of the docs."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from migrate.engine import Plan, run
from migrate.model import Result, SifmigrateError, Source
from migrate.runs.describe import Answers, check_target, target_file
from migrate.runs.setup import make_plan
from migrate.schedulers import DIALECTS
from migrate.tables import profiles
from migrate.tables.config import read_config
from migrate.tables.load import TABLES, fault, rules_folder
from migrate.tables.profiles import merged

Migrate = Callable[..., Result]
ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = (ROOT / "README.md", *sorted(DOCS.glob("*.md")))
_FILE = re.compile(r"<!-- file: (?P<name>\S+) -->\n```(?:yaml|bash)\n(?P<text>.*?)```", re.DOTALL)
_SCHEMAS = ("site", "common")
_OUTPUT = re.compile(r"<!-- output: (?P<words>[^\n]+) -->\n```(?:diff)?\n(?P<text>.*?)```", re.DOTALL)

OAK_SCRIPT = b"""#!/bin/bash
#SBATCH --partition=debug
#SBATCH --account=oak-bio
#SBATCH --gres=gpu:2
module load oak-setup singularity
export DATA=/oak/home/$USER/data
singularity exec --nv a.sif python3 train.py
python3 summary.py
"""
# 192G a node and 4 GPUs: 48G for each, less than the 64G of the old site
FIR_SCRIPT = b"""#!/bin/bash
#SBATCH --partition=short
#SBATCH --account=fir-bio
#SBATCH --gres=gpu:2
#SBATCH --mem-per-gpu=48G
#SBATCH --time=01:00:00
export DATA=/home/$USER/data
apptainer exec --nv a.sif python3 train.py
python3 summary.py
"""


@pytest.fixture
def documented(tmp_path: Path) -> Path:
    """A folder with every file that the docs show, also those of which they show the difference alone."""
    for page in PAGES:
        for match in _FILE.finditer(page.read_text()):
            place = tmp_path / match["name"]
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(match["text"])
        for match in _OUTPUT.finditer(page.read_text()):
            head, *lines = match["text"].splitlines()[:1] + match["text"].splitlines()[3:]
            place = tmp_path / head.removeprefix("--- a/")
            if head.startswith("--- a/") and not place.exists():
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_text("".join(f"{line[1:]}\n" for line in lines if line[:1] in "- "))
    return tmp_path


def sifmigrate(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "migrate", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)


# ---------------------------------------------------------------------------------------------------- no change


def test_a_folder_without_settings_has_the_defaults(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    assert {s.place for s in read_config(tmp_path).values()} == {"default"}


def test_another_tool_in_pyproject_is_none_of_ours(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "pyproject.toml").write_text("[tool.other]\ntarget = 'x'\n")
    assert read_config(tmp_path)["target"].value is None


def test_the_settings_of_the_nearest_file_are_in_force_and_those_above_a_repository_are_not(tmp_path: Path) -> None:
    project, inner = tmp_path / "project", tmp_path / "project" / "a" / "b"
    inner.mkdir(parents=True)
    (tmp_path / "sifmigrate.yaml").write_text("target: slinky\n")
    assert read_config(inner)["target"].value == "slinky"
    (project / ".git").mkdir()
    assert read_config(inner)["target"].place == "default"
    (project / "pyproject.toml").write_text("[tool.sifmigrate]\ntarget = 'slinky'\n")
    assert read_config(inner).file == project / "pyproject.toml"
    (project / "sifmigrate.yaml").write_text("target: slinky-pyxis\n")
    assert read_config(inner)["target"].value == "slinky-pyxis"


def test_a_script_without_ignore_comments_has_its_findings() -> None:
    plan = make_plan("slinky")
    result = run(Source("job.sh", b"#!/bin/bash\n#SBATCH -p gtest\n# sifmigrate is a word here\n"), plan)
    assert {o.finding.rule for o in result.outcomes} == {"rewrite-partition", "add-old-time-limit"}


# ------------------------------------------------------------------------------------- sites, targets, rules


def test_a_site_and_a_target_in_yaml_alone_migrate_a_script(documented: Path) -> None:
    (documented / "job.sh").write_bytes(OAK_SCRIPT)
    done = sifmigrate(documented, "rewrite", "job.sh", "--in-place", "--rules", "rules")
    assert (documented / "job.sh").read_bytes() == FIR_SCRIPT, done.stdout + done.stderr
    assert "from oak" in done.stdout


def test_the_documented_commands_print_what_the_docs_show(documented: Path) -> None:
    shown = [m for page in PAGES for m in _OUTPUT.finditer(page.read_text())]
    (documented / "sifmigrate.yaml").unlink()  # of one page alone; the run would say that it goes by it
    for match in shown:
        done = sifmigrate(documented, *match["words"].split())
        assert done.stdout + done.stderr == match["text"], match["words"]
    assert len(shown) >= 4


def test_every_word_that_a_target_may_say_is_explained() -> None:
    page = (DOCS / "describe-your-cluster.md").read_text()
    target = json.loads((rules_folder() / "schemas" / "target.schema.json").read_bytes())["properties"]
    words = [*target, *target["partitions"]["additionalProperties"]["properties"], *target["limits"]["properties"]]
    words += [*target["images"]["properties"], *target["answers"]["properties"]]
    assert [w for w in dict.fromkeys(words) if not re.search(rf"`{w}`|`{w}:|[{{ ]{w}:|^{w}:", page, re.MULTILINE)] == []


def test_every_word_that_a_site_may_say_is_explained() -> None:
    page = (DOCS / "describe-your-cluster.md").read_text()
    schemas = {name: json.loads((rules_folder() / "schemas" / f"{name}.schema.json").read_bytes()) for name in _SCHEMAS}
    site, resource = schemas["site"]["properties"], schemas["common"]["$defs"]["resource"]["properties"]
    option = schemas["common"]["$defs"]["option"]["properties"]
    words = [*site, *site["resource_types"]["additionalProperties"]["properties"], *resource]
    words += [*site["evidence"]["items"]["properties"], *option["need"]["enum"], *option["per"]["enum"]]
    words += DIALECTS
    assert [w for w in dict.fromkeys(words) if not re.search(rf"`{w}`|^  ?{w}:|^{w}:", page, re.MULTILINE)] == []


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("rules/drop-oak-setup.yaml", "1 rule, 2 examples, 0 failed\n"),
        ("rules", "2 rules, 4 examples, 0 failed\n"),
    ],
)
def test_the_documented_rules_pass_their_examples(documented: Path, path: str, says: str) -> None:
    done = sifmigrate(documented, "rules", "test", path)
    assert (done.returncode, done.stdout) == (0, says)


def test_the_page_about_rules_has_every_key_relation_action_verdict_and_table() -> None:
    page = (DOCS / "write-a-rule.md").read_text()
    own = json.loads((rules_folder() / "schemas" / "rule.schema.json").read_text())["properties"]
    verdicts = next(kind["properties"] for kind in own["advice"]["anyOf"] if "properties" in kind)
    words = [*own, *own["match"]["properties"], *own["fix"]["properties"], *verdicts, *DIALECTS, *TABLES]
    assert [w for w in words if not re.search(rf"`{w}(?:`|[:/.] ?)|^ *{w}:|[{{, ]{w}: ", page, re.MULTILINE)] == []


_SPOILS = """\
id: spoil-setting
title: A setting
category: potential
safety: safe
sources: [any]
targets: [any]
why: It has another form.
message: "{value} has another form"
advice: Look at it.
match: {item: environment, name: NCCL_DEBUG}
fix: {text: "NCCL_DEBUG=NEW"}
examples:
  - {name: none, unchanged: "#!/bin/bash\\nhostname\\n"}
  - {name: one, reported: "#!/bin/bash\\nexport NCCL_DEBUG=1\\n"}
"""


@pytest.mark.parametrize(
    ("new", "above", "good"),
    [
        pytest.param("2", "", True, id="what can be read"),
        pytest.param("2", "echo $((1 +\n", True, id="what can be read, beside what could not"),
        pytest.param("$((1 +", "", False, id="what can not be read"),
    ],
)
def test_a_private_rule_cannot_make_a_script_unreadable(tmp_path: Path, *, new: str, above: str, good: bool) -> None:
    (tmp_path / "spoil-setting.yaml").write_text(_SPOILS.replace("=NEW", f"={new}"))
    script = f"#!/bin/bash\nexport NCCL_DEBUG=1\n./a\n{above}"
    result = run(Source("job.sh", script.encode()), make_plan("slinky", rules=(tmp_path,)))
    if good:
        assert (result.fault, result.output.decode()) == ("", script.replace("=1\n", f"={new}\n"))
    else:
        assert (result.output.decode(), result.readiness) == (script, "blocked")
        assert result.fault == "the rewritten script would hold a part that can no longer be read"


def test_the_documented_target_is_good(documented: Path) -> None:
    assert check_target(str(documented / "fir.yaml"))[0] == []
    assert check_target(str(documented / "alder.yaml"))[0] == []


def test_extending_merges_mappings_replaces_lists_and_takes_nulls_away() -> None:
    base = {"partitions": {"a": {"gpus": 1}, "b": {}}, "mounts": ["/home", "/work"], "host_programs": ["bash"]}
    changes = {"partitions": {"a": {"gpus": 2}, "b": None}, "mounts": ["/home"], "host_programs": ["R", "bash"]}
    assert merged(base, changes) == {
        "partitions": {"a": {"gpus": 2}},
        "mounts": ["/home"],
        "host_programs": ["bash", "R"],
    }


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        ("id: x\nextends: slinkyy\n", "2:1", "did you mean `slinky`?"),
        ("id: x\nextends: x.yaml\n", "2:1", "may not extend itself: x.yaml extends x.yaml"),
        ("id: x\nextends: slinky\ndefault_partition: slinki\n", "3:1", "did you mean `slinky`?"),
        ("id: x\nextends: slinky\npartition: {}\n", "3:1", "did you mean `partitions`?"),
        ("id: x\nextends: slinky\nanswers: {partition: {ct56: cpu}}\n", "3:23", "is no partition"),
        ("id: x\nextends: slinky\nanswers: {account: {a: b, b: c}}\n", "3:21", "and `b` goes to `c`"),
        ("id: x\nextends: slinky\nanswers: {path: {/a: /b/x, /b: /c}}\n", "3:18", "and `/b` goes to `/c`"),
        ("id: x\nextends: slinky\nanswers: {partition: {'a,b': slinky}}\n", "3:23", "`a,b` is a list of partitions"),
        ("id: x\nextends: slinky\nanswers: {path: {/work: /w}}\n", "3:18", "`/work` is mounted"),
        (
            "id: x\nextends: slinky\npartitions:\n  two:\n    replaces: {taiwania2: [gtest]}\n",
            "5:16",
            "`gtest` of taiwania2 is replaced by `slinky` already",
        ),
        (
            "id: x\nextends: slinky\npartitions: {two: {}}\nanswers: {partition: {gtest: two}}\n",
            "4:23",
            "`gtest` goes to `two` here, and partition `slinky` replaces it",
        ),
        ("id: x\nextends: slinky\nfabric: [\n", "4:1", "not valid YAML"),
        (
            "id: x\ntitle: X\n",
            "1:1",
            "`accounting`, `fabric`, `default_partition`, `partitions` are missing; or `extends`",
        ),
        ("id: x\nextends: slinky\nmounts: /home\n", "3:1", "`/home` is none of: a list, such as [a, b], keys with"),
        ("id: x\nextends: slinky\nmounts: [home]\n", "3:10", "`home` does not fit; wanted: an absolute path, such as"),
        ("id: x\nextends: slinky\nmounts: {home: {}}\n", "3:10", "`home` does not fit; wanted: an absolute path"),
        ("id: x\nextends: slinky\npartitions: {slinky: {gpus: '8'}}\n", "3:23", '`"8"` does not fit; wanted: a whole'),
        ("id: x\nextends: slinky\nfabric: {kind: host, interfaces: []}\n", "3:22", "nothing is said here; wanted: Net"),
        ("id: x\nextends: slinky\npartitions: {slinky: null}\n", "1:1", "no partition `slinky`; known: none"),
    ],
    ids=lambda v: v if isinstance(v, str) and ":" in v and len(v) < 6 else None,
)
def test_a_wrong_target_is_refused_with_its_place(tmp_path: Path, text: str, place: str, says: str) -> None:
    file = tmp_path / "x.yaml"
    file.write_text(text)
    with pytest.raises(SifmigrateError) as caught:
        profiles.target(str(file))
    assert str(caught.value).startswith(f"{file}:{place}: ")
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        ("partitions: {slinky: {max_nodes: 0}}\n", "3:23", "`0` does not fit; wanted: 1 or more"),
        ("partitions: {slinky: {gpus: four}}\n", "3:23", "`four` does not fit; wanted: a whole number"),
        ("partitions: {slinky: {memory: 0G}}\n", "3:23", "`0G` does not fit; wanted: Memory of a node, with M, G or T"),
        (
            "partitions: {slinky: {max_time: 72h}}\n",
            "3:23",
            "`72h` does not fit; wanted: MaxTime: unlimited, or [D-]HH:M",
        ),
        ("partitions: {slinky: {nodes: 4, max_nodes: 8}}\n", "3:33", "8 nodes, and the partition has 4"),
        ('partitions: {slinky: {max_time: "00:00:00"}}\n', "3:23", "ends every job at once"),
        (
            "partitions:\n  slinky: {gpus: 8, memory: 512G, default_memory_per_gpu: 90G}\n",
            "4:35",
            "8 GPUs with 90G each are 720G, more than the 512G of a node",
        ),
        ("partitions: {slinky: {gpus: 0, default_memory_per_gpu: 9G}}\n", "3:32", "the nodes have none"),
        ("partitions: {slinky: {gpus: 0, gpu_type: h100}}\n", "3:32", "the nodes have none"),
        ("partitions: {slinky: {gpu_type: gb200}}\narchitecture: x86_64\n", "3:23", "are aarch64"),
        ("partitions: {slinky: {share: half}}\n", "3:23", "shared, exclusive"),
        ("mounts: [/home, /work, /home/]\n", "3:24", "named twice"),
        ("mounts:\n  /home: {mode: ro}\n", "4:3", "`home` (/home/%u) is there"),
        ("mounts:\n  /data: {mode: ro}\nlocal_scratch: /data/x\n", "4:3", "`local_scratch` (/data/x) is there"),
        ("mounts:\n  /data: {mod: ro}\n", "4:11", "did you mean `mode`?"),
        ("provides: [gcc/12]\n", "3:1", "`modules` is none"),
        ("qos: [high]\n", "3:1", "only where `accounting` is slurmdbd"),
        ("fabric: infiniband\n", "3:1", "none of: unknown, none, {kind, interfaces, devices, gid_index}"),
        ("fabric: {kind: none, devices: [mlx5_0]}\n", "3:22", "the ordinary pod network has no RDMA devices (mlx5_0)"),
        ("fabric: {kind: unknown, interfaces: [ib0]}\n", "3:25", "names (ib0) of a network that is unknown"),
        ("fabric: {kind: sriov, interfaces: [net1]}\n", "3:1", "`devices` is missing: `ls /sys/class/infiniband`"),
        ("fabric: {kind: rdma, devices: [mlx5_0]}\n", "3:1", "`interfaces` is missing: `ls /sys/class/net`"),
        ("fabric: {kind: host, interfaces: [eno1], gid_index: 3}\n", "3:42", "`devices` names none"),
        ("images: {files: [a.sif]}\n", "3:10", "Say `folder` too"),
        ("mpi: pmi3\n", "3:1", "none, pmix, pmi2"),
        ("limits: {memlock: 64}\n", "3:10", "`64` does not fit; wanted: Memory that a job may lock (ulimit -l): unl"),
        ("mail: no\n", "3:1", "`no` does not fit; wanted: true or false"),
        ("qos: normal\n", "3:1", "`normal` does not fit; wanted: a list, such as [a, b]"),
        ("proxy: proxy.example:3128\n", "3:1", "proxy"),
    ],
    ids=lambda v: v if isinstance(v, str) and ":" in v and len(v) < 6 else None,
)
def test_a_target_that_contradicts_itself_is_refused_with_its_place(
    tmp_path: Path, text: str, place: str, says: str
) -> None:
    file = tmp_path / "x.yaml"
    file.write_text(f"id: x\nextends: slinky\n{text}")
    with pytest.raises(SifmigrateError) as caught:
        profiles.target(str(file))
    assert str(caught.value).startswith(f"{file}:{place}: ")
    assert says in str(caught.value)


def test_a_full_target_contradicts_nothing(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_text(FULL_TARGET)
    found = profiles.target(str(file))
    gpu = found.partitions["gpu"]
    assert (gpu.gpus, gpu.gpu_type, gpu.cpus, gpu.nodes, gpu.max_nodes, gpu.share) == (4, "a100", 64, 8, 4, "shared")
    assert (found.mounts, found.read_only) == (("/home", "/work", "/opt/images"), {"/opt/images": "images of the site"})
    assert (found.qos, found.mpi, found.shm, found.memlock) == (("normal", "high"), "pmix", 16384, float("inf"))
    assert (found.proxy, found.mail, found.architecture, found.image_files) == ("", False, "x86_64", ("a.sif",))
    network = (found.fabric, found.interfaces, found.devices, found.gid_index)
    assert network == ("sriov", ("net1",), ("mlx5_10", "mlx5_11"), "3")


FULL_TARGET = """\
id: x
extends: slinky
accounting: slurmdbd
default_partition: gpu
partitions:
  slinky: null
  gpu:
    {max_time: "3-00:00:00", gpus: 4, gpu_type: a100, cpus: 64, memory: 512G, nodes: 8, max_nodes: 4, share: shared,
     default_memory_per_gpu: 128G}
  dev: {max_time: "00:30:00", gpus: 4, test: true}
mounts:
  /home: {mode: rw}
  /work: {}
  /opt/images: {mode: ro, note: images of the site}
images: {folder: /opt/images, files: [a.sif]}
qos: [normal, high]
mpi: pmix
shm: 16G
limits: {memlock: unlimited}
proxy: none
mail: false
architecture: x86_64
fabric: {kind: sriov, interfaces: [net1], devices: [mlx5_10, mlx5_11], gid_index: 3}
"""


def test_a_list_of_mounts_says_that_all_can_be_written_to() -> None:
    assert (profiles.target("slinky").mounts, profiles.target("slinky").read_only) == (("/home", "/work"), {})


def test_the_shipped_targets_know_no_limits() -> None:
    for name in profiles.profiles("targets"):
        partition = profiles.target(name).partitions["slinky"]
        known = (partition.gpus, partition.cpus, partition.memory, partition.nodes, partition.max_nodes)
        assert (known, partition.max_time) == ((None,) * 5, "unlimited")


def test_what_a_target_leaves_open_is_told(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_text('id: x\nextends: slinky\npartitions: {slinky: {max_time: "1-00:00:00", gpus: 4}}\n')
    faults, opened = check_target(str(file))
    assert faults == []
    assert any("`gp4d`, which it replaces, after 4-00:00:00: longer jobs are blocked" in o for o in opened)
    assert any("`cpus`, `nodes` not stated" in o for o in opened)
    assert any("no `default_memory_per_gpu` of `slinky`: " in o for o in opened)


def test_old_partitions_that_nobody_knows_are_told_and_nodes_without_gpus_need_no_memory_for_them(
    tmp_path: Path,
) -> None:
    file = tmp_path / "x.yaml"
    replaces = "{taiwania2: [gp1d, gp2x], abci2: [rt_F], taiwania: [gtest]}"
    file.write_text(f"id: x\nextends: slinky\npartitions: {{slinky: {{gpus: 0, replaces: {replaces}}}}}\n")
    faults, opened = check_target(str(file))
    assert faults == []
    assert [o for o in opened if " replaces " in o] == [
        "partition `slinky` replaces `gp2x`, which taiwania2 is not known to have (did you mean `gp2d`?)",
        (
            "partition `slinky` replaces partitions of `taiwania`, which is no shipped site "
            "(did you mean `taiwania3`?); right where `--site` names the file of a site with this id"
        ),
    ]
    assert not any("per_gpu" in o or "of a node" in o for o in opened)


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        ("parallel_enviroments: {}\n", "4:1", "did you mean `parallel_environments`?"),
        ("parallel_environments: {smp: cpu}\n", "4:25", "none of: cpus, tasks, a number (did you mean `cpus`?)"),
        ("resources:\n  gpu: {needs: gpus}\n", "5:9", "did you mean `need`?"),
        ("resources:\n  gpu: {need: gpu}\n", "5:9", "did you mean `gpus`?"),
        ("resources:\n  gpu: {need: gpus, per: slots}\n", "5:21", "did you mean `slot`?"),
        ("resources:\n  bigdisk: {fate: remove}\n", "5:13", "did you mean `removed`?"),
        ("resource_types: {big: {memory: 3G}}\n", "4:18", "`cpus` is missing"),
        ("resource_types: {big: {cpu: 3, memory: 3G}}\n", "4:24", "did you mean `cpus`?"),
        ("resource_types: {big: {cpus: 3, memory: 3 GB}}\n", "4:33", "wanted: a number with M, G or T"),
        ("default_time: 8h\n", "4:1", "wanted: [D-]HH:MM:SS"),
        ("home: ~\n", "4:1", "the value is empty; wanted: a whole path"),
        ("evidence: [{item: directive, names: -q}]\n", "4:30", "did you mean `name`?"),
        ("evidence: [{item: directiv, name: -q}]\n", "4:13", "did you mean `directive`?"),
    ],
    ids=lambda v: v if isinstance(v, str) and ":" in v and len(v) < 6 else None,
)
def test_a_wrong_site_is_refused_with_its_place(tmp_path: Path, text: str, place: str, says: str) -> None:
    file = tmp_path / "x.yaml"
    file.write_text(f"id: x\ntitle: X\nscheduler: grid_engine\n{text}")
    with pytest.raises(SifmigrateError) as caught:
        profiles.site(str(file))
    assert str(caught.value).startswith(f"{file}:{place}: ")
    assert says in str(caught.value)


def test_what_shows_a_site_twice_is_told_once() -> None:
    script = b"#!/bin/bash\n#SBATCH -p gtest\nsingularity exec /work/TWCC_cntr/tf.sif true\n"
    found = run(Source("job.sh", script), make_plan("slinky"))
    assert found.evidence == "line 2: -p gtest; line 3: /work/TWCC_cntr/tf.sif"


@pytest.mark.parametrize(("data", "byte"), [(b"\x7fELF\0", 1), (b"id: x\xff\n", 6)], ids=["binary", "Latin-1"])
def test_a_file_that_is_no_text_is_told_as_that(tmp_path: Path, data: bytes, byte: int) -> None:
    (tmp_path / "x.yaml").write_bytes(data)
    with pytest.raises(SifmigrateError, match=f"x.yaml: byte {byte} is no text"):
        profiles.target(str(tmp_path / "x.yaml"))


def test_a_site_where_a_target_is_wanted_is_told_as_a_site() -> None:
    with pytest.raises(SifmigrateError, match="no target `taiwania2`; it is a site: `--site taiwania2`"):
        profiles.target("taiwania2")
    with pytest.raises(SifmigrateError, match="no site `slinky`; it is a target: `--target slinky`"):
        profiles.site("slinky")


@pytest.mark.parametrize(("name", "right"), [("fir.yaml", "`fir.yaml`"), ("fir", "`./fir`")])
def test_a_file_that_is_named_like_a_shipped_target_is_told_as_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, right: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).write_text("id: fir\nextends: slinky\n")
    with pytest.raises(SifmigrateError, match=f"no target `fir`; a file is named with its suffix or folder: {right}"):
        profiles.target("fir")


def test_a_file_that_extends_itself_through_another_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("id: a\nextends: b.yaml\n")
    (tmp_path / "b.yaml").write_text("id: b\nextends: a.yaml\n")
    with pytest.raises(SifmigrateError, match="may not extend itself"):
        profiles.site(str(tmp_path / "a.yaml"))


# --------------------------------------------------------------------------------------------- target init


def test_a_written_target_is_good_and_migrates(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    done = sifmigrate(tmp_path, "target", "init", "mine.yaml", "--partition", "gpu", "--gpus", "8", "--memory", "2000G")
    assert done.returncode == 0, done.stderr
    assert check_target(str(file))[0] == []
    said = re.sub(r"(?m)^( *)# (?=[a-z_]+: )", r"\1", file.read_text())
    (tmp_path / "all.yaml").write_text(said.replace("accounting: none", "accounting: slurmdbd"))
    assert check_target(str(tmp_path / "all.yaml"))[0] == []  # also with all that it leaves open
    assert profiles.target(str(tmp_path / "all.yaml")).fabric == "rdma"
    result = run(Source("job.sh", b"#!/bin/bash\n#SBATCH -p gtest -t 5\n"), make_plan(str(file)))
    assert result.output == b"#!/bin/bash\n#SBATCH -p gpu -t 5\n"


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """For a target of which one partition has pyxis: one plan, as a run over many scripts has it."""
    file = tmp_path_factory.mktemp("mixed") / "mixed.yaml"
    file.write_text(
        "id: mixed\nextends: slinky\ndefault_partition: cpu\n"
        "partitions: {slinky: null, cpu: {}, gpu: {runtime: pyxis, replaces: {taiwania2: [gp1d]}}}\n"
    )
    return make_plan(str(file), site="taiwania2")


PYXIS = (  # Apptainer has an empty home with --contain, in which it starts
    'srun --container-mounts=tmpfs:"$HOME" --no-container-mount-home --container-workdir="$HOME" '
    "--container-image=ubuntu:22.04 ls"
)
STEP = "srun --no-container-mount-home --container-image=ubuntu:22.04 ls"
APPTAINER = "srun singularity exec --contain docker://ubuntu:22.04 ls"


@pytest.mark.parametrize(
    ("header", "step", "becomes"),
    [
        pytest.param("-N 1", APPTAINER, APPTAINER, id="the default partition"),
        pytest.param("-p gpu", STEP, STEP, id="pyxis stays pyxis"),
        pytest.param("-p gp1d", APPTAINER, PYXIS, id="the partition that stands for the old one"),
        pytest.param("-p cpu", STEP, "srun singularity exec --nv --no-home docker://ubuntu:22.04 ls", id="named"),
        pytest.param("-p gpu", APPTAINER, PYXIS, id="another job of the same run"),
    ],
)
def test_the_partition_of_a_job_says_how_its_containers_start(
    header: str, step: str, becomes: str, mixed: Plan, migrate_text: Migrate
) -> None:
    result = migrate_text(f"#!/bin/bash\n#SBATCH {header} --mem=1G -t 5\n{step}\n", plan=mixed)
    assert result.fault == ""
    assert result.output.decode().splitlines()[-1] == becomes


def test_each_job_of_a_file_has_the_runtime_of_its_own_partition(mixed: Plan, migrate_text: Migrate) -> None:
    inner = f"#!/bin/bash\n#SBATCH -p gpu -t 5 --mem=1G\n{APPTAINER}\n"
    result = migrate_text(f"#!/bin/bash\n#SBATCH -p cpu -t 5\nsbatch <<'EOF'\n{inner}EOF\n{APPTAINER}\n", plan=mixed)
    assert [line for line in result.output.decode().splitlines() if line.startswith("srun")] == [PYXIS, APPTAINER]


def test_a_target_file_that_is_there_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("mine\n")
    done = sifmigrate(tmp_path, "target", "init", "mine.yaml")
    assert (done.returncode, (tmp_path / "mine.yaml").read_text()) == (2, "mine\n")
    assert "is there already" in done.stderr


@pytest.mark.parametrize(
    "answers",
    [
        Answers(id="X Y", partition="gpu"),
        Answers(id="x", partition="gpu: {"),
        Answers(id="x", partition="gpu", max_time="1 day"),
        Answers(id="x", partition="gpu", memory="lots"),
        Answers(id="x", partition="gpu", mounts=("work]",)),
        Answers(id="x", partition="gpu", command="docker"),
    ],
)
def test_an_answer_that_cannot_be_is_refused(answers: Answers) -> None:
    with pytest.raises(SifmigrateError):
        target_file(answers)


def test_a_target_file_has_the_name_of_one(tmp_path: Path) -> None:
    ran = sifmigrate(tmp_path, "target", "init", "fir")
    assert (ran.returncode, ran.stderr) == (
        2,
        "sifmigrate: fir: the file of a target ends in .yaml: name it fir.yaml\n",
    )


@pytest.mark.parametrize("key", [b"\x03", b"\x04"], ids=["Ctrl-C", "Ctrl-D"])
def test_a_question_that_is_not_answered_makes_130_and_no_file(tmp_path: Path, key: bytes) -> None:
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(tmp_path)
        os.execv(sys.executable, [sys.executable, "-m", "migrate", "target", "init", "fir.yaml"])  # noqa: S606 - as the test
    shown = b""
    while b"[slinky]:" not in shown:
        shown += os.read(terminal, 1)
    os.write(terminal, key)
    while b"interrupted" not in shown:
        shown += os.read(terminal, 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 130
    assert b"Traceback" not in shown
    assert list(tmp_path.iterdir()) == []


def test_a_question_is_asked_again_until_its_answer_is_right(tmp_path: Path) -> None:
    said = ["a b", "batch", "3 days", "3-00:00:00", "four", "4", "lots", "", "/home work", "/home /scratch"]
    said += ["maybe", "yes", "docker", "apptainer"]
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "migrate", "target", "init", "fir.yaml"],
        cwd=tmp_path,
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as running:
        os.write(ours, "".join(f"{each}\n" for each in said).encode())
        shown, _ = running.communicate(timeout=60)
    os.close(ours)
    os.close(theirs)
    assert running.returncode == 0, shown
    assert shown.count("Error: ") == 7
    assert "memory `lots`: a whole number with M, G or T, such as 512G" in shown
    written = profiles.target(str(tmp_path / "fir.yaml"))
    partition = written.partitions["batch"]
    assert (written.default_partition, partition.max_time, partition.gpus) == ("batch", "3-00:00:00", 4)
    assert (partition.memory, written.mounts) == (None, ("/home", "/scratch"))
    assert (written.accounting, written.command) == ("slurmdbd", "apptainer")


# ---------------------------------------------------------------------------------------------- settings


def test_the_nearest_settings_count_and_the_command_line_counts_more(tmp_path: Path) -> None:
    (tmp_path / "sifmigrate.yaml").write_text("target: nowhere\n")
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "pyproject.toml").write_text('[tool.sifmigrate]\ntarget = "slinky"\njobs = 1\n')
    (inner / "job.sh").write_bytes(b"#!/bin/bash\n#SBATCH -p gtest\n")
    assert sifmigrate(inner, "rewrite", "--check").returncode == 1
    assert "nowhere" in sifmigrate(inner, "rewrite", "--check", "--target", "nowhere").stderr
    shown = sifmigrate(inner, "config").stdout
    assert f"target     slinky  ({inner / 'pyproject.toml'}:2:1)" in shown
    assert "annotate   false  (default)" in shown


@pytest.mark.parametrize(
    "text",
    [
        "[tool]\nsifmigrate.target = 'slinky'\n",
        "[tool]\nsifmigrate = {target = 'slinky'}\n",
        "[tool.'sifmigrate']\ntarget = 'slinky'\n",
        "[ tool . sifmigrate ]\ntarget = 'slinky'\n",
    ],
)
def test_settings_in_a_project_count_however_toml_writes_their_table(tmp_path: Path, text: str) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    assert read_config(tmp_path)["target"].value == "slinky"


def test_a_project_that_only_names_the_program_does_not_hide_the_settings_above(tmp_path: Path) -> None:
    (tmp_path / "sifmigrate.yaml").write_text("target: slinky\n")
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "pyproject.toml").write_text(
        "# see [tool.sifmigrate]\n[project]\ndependencies = ['sifmigrate']\n"
    )
    assert read_config(tmp_path / "inner")["target"].value == "slinky"


@pytest.mark.parametrize(
    ("name", "text", "place", "says"),
    [
        ("sifmigrate.yaml", "out: ''\n", "1:1", "nothing is said here; wanted: Folder"),
        ("pyproject.toml", "[tool]\nsifmigrate = 'slinky'\n", "1:1", "must be a mapping"),
        ("pyproject.toml", "[tool.sifmigrate]\ntarget = slinky\n", "2:10", "not valid TOML"),
        ("sifmigrate.yaml", "target: slinky\nannotat: true\n", "2:1", "did you mean `annotate`?"),
        ("sifmigrate.yaml", "jobs: many\n", "1:1", "`many` does not fit; wanted: a whole number"),
        (
            "pyproject.toml",
            "[tool.sifmigrate]\ntarget = 'slinky'\nsafe_only = true\n",
            "3:1",
            "did you mean `safe-only`?",
        ),
    ],
)
def test_wrong_settings_are_refused_with_their_place(
    tmp_path: Path, name: str, text: str, place: str, says: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(SifmigrateError) as caught:
        read_config(tmp_path)
    assert str(caught.value).startswith(f"{tmp_path / name}:{place}: ")
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("jobs: 1\ntarget: slinki\n", "2:1: no target `slinki` (did you mean `slinky`?)"),
        ("target: slinky\nsite: nowhere.yaml\n", "2:1: "),
        ("target: slinky\n\nignore: [note-acount]\n", "3:1: no rule `note-acount` (did you mean `note-account`?)"),
    ],
)
def test_a_name_in_the_settings_that_stands_for_nothing_is_told_with_its_place(
    tmp_path: Path, text: str, says: str
) -> None:
    (tmp_path / "sifmigrate.yaml").write_text(text)
    (tmp_path / "job.sh").write_bytes(OAK_SCRIPT)
    for command in ("scan", "rewrite"):
        ran = sifmigrate(tmp_path, command)
        assert (ran.returncode, ran.stdout) == (2, "")
        assert ran.stderr.startswith(f"sifmigrate: {tmp_path}/sifmigrate.yaml:{says}")
    right = ("--target", "slinky", "--site", "generic", "--ignore", "note-account", "--check")
    assert sifmigrate(tmp_path, "rewrite", *right).returncode == 1


def test_the_rules_of_the_settings_are_listed_shown_and_explained(documented: Path) -> None:
    (documented / "sifmigrate.yaml").write_text("rules: [rules]\n")
    assert "drop-oak-setup " in sifmigrate(documented, "rules", "list").stdout
    for words in (("rules", "show"), ("explain",)):
        assert sifmigrate(documented, *words, "drop-oak-setup").stdout.startswith("drop-oak-setup: ")


def test_the_documented_settings_fit_their_schema(documented: Path) -> None:
    assert read_config(documented)["ignore"].value == ["startup-file"]
    assert {p.name.split(".")[0] for p in (rules_folder() / "schemas").glob("*.json")} >= {
        "rule",
        "site",
        "target",
        "config",
    }
    assert fault({"target": 3}, "config") is not None


@pytest.mark.parametrize(("option", "kept"), [("select", {"rewrite-partition"}), ("ignore", {"add-old-time-limit"})])
def test_rules_can_be_chosen(option: str, kept: set[str]) -> None:
    plan = make_plan("slinky", **{option: ("rewrite-partition",)})
    result = run(Source("job.sh", b"#!/bin/bash\n#SBATCH -p gtest\n"), plan)
    assert {o.finding.rule for o in result.outcomes} == kept


def test_choosing_an_unknown_rule_names_the_nearest() -> None:
    with pytest.raises(SifmigrateError, match="did you mean `rewrite-partition`"):
        make_plan("slinky", select=("rewrite-partitions",))


# ---------------------------------------------------------------------------------------- ignore comments


@pytest.mark.parametrize(
    "script",
    [
        b"#!/bin/bash\n#SBATCH -p ct56   # sifmigrate: ignore[unknown-partition] stays on the old cluster\n",
        b"#!/bin/bash\n# sifmigrate: ignore[unknown-partition] stays on the old cluster\n#SBATCH -p ct56\n",
        b"#!/bin/bash\n#SBATCH -p ct56\n# sifmigrate: ignore-file[unknown-partition] stays on the old cluster\n",
    ],
    ids=["on the line", "above it", "for the file"],
)
def test_a_comment_silences_a_rule_and_is_told(script: bytes) -> None:
    result = run(Source("job.sh", script), make_plan("slinky"))
    (outcome,) = result.outcomes
    assert (result.readiness, outcome.finding.fate) == ("unchanged", "kept")
    assert "stays on the old cluster" in outcome.finding.message


@pytest.mark.parametrize(
    "between", ["", "# sifmigrate: ignore[note-account] old\n" * 2, "  # sifmigrate: ignore[no-rule]\n"]
)
@pytest.mark.parametrize(
    ("below", "fate"), [("", "kept"), ("\n", "review"), ("# prose\n", "review"), ("ls\n", "review")]
)
def test_a_comment_is_about_the_line_below_it_and_other_such_comments(between: str, below: str, fate: str) -> None:
    script = f"#!/bin/bash\n# sifmigrate: ignore[ucx-transports] later\n{between}{below}export UCX_TLS=rc\n"
    outcomes = run(Source("job.sh", script.encode()), make_plan("slinky")).outcomes
    assert [o.finding.fate for o in outcomes if o.finding.rule == "ucx-transports"] == [fate]


def test_a_comment_above_a_continued_command_is_about_all_of_it() -> None:
    script = b"#!/bin/bash\n# sifmigrate: ignore[ucx-transports] measured\nsrun \\\n  env UCX_TLS=rc \\\n  hostname\n"
    result = run(Source("job.sh", script), make_plan("slinky"))
    assert [o.finding.fate for o in result.outcomes] == ["kept"]


def test_a_comment_keeps_a_fix_from_being_made() -> None:
    script = b"#!/bin/bash\n#SBATCH -p gtest -t 5 # sifmigrate: ignore[rewrite-partition] later\n"
    assert run(Source("job.sh", script), make_plan("slinky")).output == script


def test_a_comment_about_a_rule_that_this_run_does_not_ask_is_not_called_useless() -> None:
    script = b"#!/bin/bash\n#SBATCH -p gtest -t 5 # sifmigrate: ignore[note-account] later\n"
    told = {o.finding.rule for o in run(Source("job.sh", script), make_plan("slinky")).outcomes}
    elsewhere = run(Source("job.sh", script), make_plan("slinky", select=("rewrite-partition",)))
    assert told == {"rewrite-partition", "unused-ignore"}
    assert [o.finding.rule for o in elsewhere.outcomes] == ["rewrite-partition"]


def test_a_note_of_an_earlier_run_is_no_ignore_comment() -> None:
    script = b"#!/bin/bash\n# sifmigrate: [note-account] told before\n#sifmigrate is good\nhostname\n"
    assert run(Source("job.sh", script), make_plan("slinky")).outcomes == ()


@pytest.mark.parametrize(
    ("comment", "says"),
    [
        ("ignore[note-account] old", "`ignore[note-account]` in line 2 serves nothing: note-account says nothing here"),
        ("ignore[note-acount] old", "is no rule (did you mean `note-account`?)"),
        ("ignore-file[note-account] old", "`ignore-file[note-account]` in line 2 serves nothing"),
        ("ignroe[note-account] old", "`ignroe[note-account] old` in line 2 is nothing that sifmigrate reads"),
        ("ignore", "`ignore` in line 2 is nothing that sifmigrate reads"),
        ("ignore[ ] all", "`ignore[ ] all` in line 2 is nothing that sifmigrate reads"),
    ],
)
def test_a_comment_that_silences_nothing_is_reported(comment: str, says: str) -> None:
    script = f"#!/bin/bash\n# sifmigrate: {comment}\nhostname\n".encode()
    (outcome,) = run(Source("job.sh", script), make_plan("slinky")).outcomes
    assert outcome.finding.rule == "unused-ignore"
    assert says in outcome.finding.message


# ------------------------------------------------------------------------------------------------ decisions


def test_an_answer_releases_what_waited_for_it(tmp_path: Path) -> None:
    script = b"#!/bin/bash\n#SBATCH -p ct56\nsrun hostname\n"
    waiting = run(Source("job.sh", script), make_plan("slinky"))
    assert {o.finding.decision for o in waiting.outcomes} == {"partition:ct56"}
    (tmp_path / "x.yaml").write_text("id: x\nextends: slinky\nanswers: {partition: {ct56: slinky}}\n")
    released = run(Source("job.sh", script), make_plan(str(tmp_path / "x.yaml")))
    assert (released.readiness, released.output) == ("migrated", script.replace(b"ct56", b"slinky"))


def test_a_report_says_what_decisions_release(tmp_path: Path) -> None:
    (tmp_path / "a.sh").write_bytes(b"#!/bin/bash\n#SBATCH -p ct56\nsrun hostname\n")
    (tmp_path / "b.sh").write_bytes(b"#!/bin/bash\n#SBATCH -p ct56\nsrun hostname\n")
    done = sifmigrate(tmp_path, "scan")
    assert "1 decision releases 2 scripts" in done.stdout.replace("\n", " ")
