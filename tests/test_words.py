"""What a target's file, a site's or a pack says is written into scripts as words, or refused with its place."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from migrate.engine import run
from migrate.model import SifmigrateError, Source
from migrate.rulebook.rule import read_rule
from migrate.runs.setup import make_plan
from migrate.tables.profiles import site, target
from tests.test_rules import GOOD

NO_WORDS = [
    *("a b", "a;b", "a$(id)", "a`id`", "a\nb", "a\n", "a*", "a?b", "a[b]", "{a,b}", "a&b", "a|b", "a>b", "a<b", "a\\b"),
    *("a'b", 'a"b', "a\tb", "a\u00a0b", "a\u2028b", "a\u202eb", "a$b", "$HOME/a", "", "-a", "#a", "a!b", "(a)", "a\rb"),
]
WORDS = ["a", "a.b", "a-b", "a_b", "Ab1", "été", "資料", "a+b", "a@b", "0112"]
SCRIPT = b"""#!/bin/bash
#SBATCH -A MST1
#SBATCH --chdir=/opt/ohpc/run
#SBATCH -o /opt/ohpc/out.%j
p() { printf '%s\\0' "$@"; }
X=/opt/ohpc/x:/opt/ohpc
p /opt/ohpc/u "/opt/ohpc/u/x y" '/opt/ohpc' --bind=/opt/ohpc:/data,/opt/ohpc/v=b "$X" $X "${X}s"
cat <<EOF
/opt/ohpc/in text
EOF
p "$(echo "/opt/ohpc/in")" pre="/opt/ohpc/q"'/r s'
"""


def words(script: bytes) -> list[str]:
    """What bash hands to the script's commands, with the texts of its here-documents."""
    done = subprocess.run(["bash", "-c", script], capture_output=True, check=True, env={"LC_ALL": "C.UTF-8"})
    return done.stdout.decode().split("\0")


def answered(kind: str, old: str, new: str) -> str:
    """A target's file with this answer in its fourth line, as JSON, which is YAML whatever the text is."""
    return f"id: x\nextends: slinky\naccounting: slurmdbd\nanswers: {json.dumps({kind: {old: new}})}\n"


def migrated(text: str, script: bytes) -> bytes | str:
    """The script as the target of this file wants it; or why the file is refused."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "x.yaml"
        file.write_text(text, encoding="utf-8", errors="surrogatepass")
        try:
            plan = make_plan(str(file), site="taiwania2")
        except SifmigrateError as error:
            return str(error).removeprefix(str(file))
    return run(Source("job.sh", script), plan).output


ANY = st.text(max_size=12)
NEAR = st.from_regex(r"[A-Za-z0-9_./ +=@~:,%#é$-]{0,12}", fullmatch=True)


@given((ANY | NEAR).map(lambda text: f"/{text}"))
@example("/mnt/my work")
@example("/mnt/$USER")
@example("/資料/a+b")
@example("/data/")
@settings(max_examples=100, deadline=None)
def test_an_answered_path_is_refused_or_changes_that_path_alone(new: str) -> None:
    found = migrated(answered("path", "/opt/ohpc", new), SCRIPT)
    if isinstance(found, str):
        assert re.match(r":4:\d+: ", found)
        return
    new = new.rstrip("/") or new  # a slash at its end is no part of a folder's name
    assert words(found) == [word.replace("/opt/ohpc", new) for word in words(SCRIPT)]
    header = [line for line in found.decode().splitlines() if line.startswith("#SBATCH")]
    assert header[1:3] == [f"#SBATCH --chdir={new}/run", f"#SBATCH -o {new}/out.%j"]


@given(ANY | NEAR)
@example("-A")
@example("bio-lab")
@settings(max_examples=100, deadline=None)
def test_an_answered_account_is_refused_or_changes_that_account_alone(new: str) -> None:
    script = b"#!/bin/bash\n#SBATCH -A MST1\nsbatch() { printf '%s\\0' \"$@\"; }\nsbatch -A MST1 a.sh\n"
    found = migrated(answered("account", "MST1", new), script)
    if isinstance(found, str):
        assert re.match(r":4:\d+: ", found)
        return
    assert found.decode().splitlines()[1] == f"#SBATCH -A {new}"
    assert words(found)[:2] == ["-A", new]


@given((ANY | NEAR) | NEAR.map(lambda text: f"docker://{text}"))
@example("docker://reg.example.org:5000/a/b:1")
@settings(max_examples=100, deadline=None)
def test_an_answered_image_is_refused_or_changes_that_image_alone(new: str) -> None:
    script = b"""#!/bin/bash
singularity() { printf '%s\\0' "$@"; }
I=/old/b.sif
singularity exec /old/b.sif true
singularity exec "$I" true
singularity exec "/old/b.sif" 'true x'
"""
    found = migrated(answered("image", "/old/b.sif", new), script)
    if isinstance(found, str):
        assert re.match(r":4:\d+: ", found)
        return
    assert words(found) == [new if word == "/old/b.sif" else word for word in words(script)]


# --------------------------------------------------------------------------------------------------- each key

KEYS = {
    "account": "answers: {{account: {{a: {}}}}}",
    "image": "answers: {{image: {{a: {}}}}}",
    "path": "answers: {{path: {{/a: {}}}}}",
    "folder": "images: {{folder: {}}}",
    "workdir": "images: {{workdirs: {{a: {}}}}}",
    "local scratch": "local_scratch: {}",
    "home": "home: {}",
    "proxy": "proxy: {}",
    "interface": "fabric: {{kind: host, interfaces: [{}]}}",
    "device": "fabric: {{kind: rdma, interfaces: [eth0], devices: [{}]}}",
    "GPU type": "partitions: {{slinky: {{gpus: 1, gpu_type: {}}}}}",
    "partition": "partitions: {{{}: {{}}}}",
    "default partition": "default_partition: {}",
    "time": "partitions: {{slinky: {{max_time: {}}}}}",
    "memory": "partitions: {{slinky: {{memory: {}}}}}",
}
PREFIX = {**dict.fromkeys(("path", "folder", "workdir", "local scratch", "home"), "/"), "proxy": "http://"}
CAN_BEGIN = {"", "-a", "#a"}  # behind a prefix these may stand


@pytest.mark.parametrize("key", KEYS)
def test_a_value_of_a_target_that_is_no_word_is_refused_with_its_place(tmp_path: Path, key: str) -> None:
    file = tmp_path / "x.yaml"
    for text in NO_WORDS:
        if key in PREFIX and text in CAN_BEGIN:
            continue
        value = json.dumps(PREFIX.get(key, "") + text)
        file.write_text(f"id: x\nextends: slinky\n{KEYS[key].format(value)}\n")
        with pytest.raises(SifmigrateError) as caught:
            target(str(file))
        assert re.match(rf"{re.escape(str(file))}:3:\d+: [^\0]*; wanted: ", str(caught.value))


@pytest.mark.parametrize("key", ["account", "image", "path", "folder", "workdir", "local scratch", "home", "partition"])
@pytest.mark.parametrize("text", WORDS)
def test_a_value_of_a_target_that_is_a_word_is_taken(tmp_path: Path, key: str, text: str) -> None:
    file = tmp_path / "x.yaml"
    if key == "image" and "@b" in text:
        text = "a:1@sha256:0"
    value = json.dumps(PREFIX.get(key, "") + text)
    file.write_text(f"id: x\nextends: slinky\n{KEYS[key].format(value)}\n")
    target(str(file))


def test_an_old_name_may_be_anything(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    olds = {"$ACCOUNT": "lab", "${ACCOUNT}": "lab", "a b": "lab", "*": "lab"}
    file.write_text(f"id: x\nextends: slinky\nanswers: {json.dumps({'account': olds, 'image': {'a b*': 'c.sif'}})}\n")
    assert target(str(file)).answers["account"] == olds


def test_what_an_option_of_a_site_becomes_is_an_option(tmp_path: Path) -> None:
    file = tmp_path / "here.yaml"
    for text in ["--x y", "--x;y", "--x=$(id)", "x", "--x\n", '--x="a b"', ""]:
        file.write_text(f"id: here\nextends: abci2\nresources: {{a: {{to: {json.dumps(text)}}}}}\n")
        with pytest.raises(SifmigrateError, match=rf"\A{re.escape(str(file))}:3:\d+: [^\0]*wanted: an option of Slurm"):
            site(str(file))
    file.write_text("id: here\nextends: abci2\nresources: {a: {to: --constraint}}\n")
    assert site(str(file)).resources["a"].to == "--constraint"


# ----------------------------------------------------------------------------------------------------- packs


@pytest.mark.parametrize(
    "fix",
    [
        *({"value": t} for t in ["a b", "a;b", "a\nb", "a`id`", "a'b", 'a"b', "", "$(a", "a*", "{target} x", "#a"]),
        *({"name": t} for t in ["a b", "a\n", ""]),
        *({"insert": t} for t in ["A=b c", "a\nb"]),
        *({"add": t} for t in ["y z", "--a\nc", "rm -rf /"]),
        *({"become": t} for t in ["--a\nrm x", "rm x"]),
        *({"begin": t} for t in ["echo 'a", "a\nb", 'echo "{target}', "a\x0bb"]),
        *({"text": t} for t in ["'", "a\nb"]),
        *({"top": t} for t in ["rm x", "#!/bin/sh\nrm x"]),
    ],
    ids=json.dumps,
)
def test_a_fix_that_cannot_stand_in_a_script_is_refused_with_its_place(tmp_path: Path, fix: dict[str, str]) -> None:
    file = tmp_path / "drop-thing.yaml"
    file.write_text(GOOD.replace("{remove: item}", json.dumps(fix)))
    line = GOOD[: GOOD.index("fix: ")].count("\n") + 1
    with pytest.raises(SifmigrateError, match=rf"\A{re.escape(str(file))}:{line}:\d+: `[^\0]*cannot stand") as caught:
        read_rule(file)
    assert "wanted: " in str(caught.value)


@pytest.mark.parametrize(
    "fix",
    [
        *(
            {"value": t}
            for t in ["a", "{target}", "a/{old_partition.name}-1", "$X", "${X:-{value}}", "$(id -u)", "^a,b", "a#b"]
        ),
        *({"insert": t} for t in ["--time={old_partition.time}", "A=b"]),
        *({"add": t} for t in ["--time=1", "{old_default.output}", '--comment="a b"']),
        *({"become": t} for t in ["", "comment", "{value}", "--a\n--b x"]),
        *({"begin": t} for t in ['cd "$HOME"', '[ -n "$X" ] || exec {command} x', "echo 'a b'"]),
        *({"top": t} for t in ["#!/bin/bash", "{interpreter}"]),
    ],
    ids=json.dumps,
)
def test_a_fix_that_can_stand_in_a_script_is_taken(tmp_path: Path, fix: dict[str, str]) -> None:
    file = tmp_path / "drop-thing.yaml"
    file.write_text(GOOD.replace("{remove: item}", json.dumps(fix)))
    assert read_rule(file).fix == fix


@pytest.mark.parametrize(("value", "made"), [("a", True), ('"a; touch x"', False), ("'a b'", False), ("a\\`b", False)])
def test_a_fix_does_not_carry_words_out_of_the_scripts_quotes(tmp_path: Path, value: str, *, made: bool) -> None:
    rule = GOOD.replace("item: module\n  value: thing", "item: environment\n  name: NCCL_DEBUG\n  value: /[^$]*/")
    rule = rule.replace("{remove: item}", '{text: "NCCL_DEBUG=${X:-{value}}"}')
    (tmp_path / "drop-thing.yaml").write_text(rule)
    script = f"#!/bin/bash\n#SBATCH -N 1\nexport NCCL_DEBUG={value}\nsrun true\n".encode()
    found = run(Source("job.sh", script), make_plan("slinky", rules=(tmp_path,)))
    assert found.changed == made
    assert (b"NCCL_DEBUG=${X:-a}\n" in found.output) == made
    assert [o.applied for o in found.outcomes if o.finding.rule == "drop-thing"] == [made]
