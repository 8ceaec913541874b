"""Reports tell everything once, the same every time, and nothing that they quote can do harm."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cmarkgfm import github_flavored_markdown_to_html
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from markdown_it import MarkdownIt
from rich.console import Console
from rich.text import Text as RichText
from ruamel.yaml import YAML

from migrate.engine import run
from migrate.model import Fault, Gap, Report, RuleText, Source, Span
from migrate.reports import FORMATS, Style
from migrate.reports.markdown import code, prose
from migrate.reports.secrets import masked
from migrate.reports.summary import Decision, account, answers, headline, summarize
from migrate.reports.text import wrapped
from migrate.runs.setup import make_plan

RULES = Path(__file__).parents[1] / "rules"
SCHEMA = json.loads((RULES / "schemas/report.schema.json").read_bytes())
PLAN = make_plan("slinky")

# The goldens hold a few rules only, so that a new rule does not change them.
FEW = {"rewrite-partition", "add-old-time-limit", "drop-module-housekeeping", "note-account", "undecided-environment"}
FEW_RULES = replace(PLAN.rulebook, rules=tuple(r for r in PLAN.rulebook.rules if r.id in FEW))

TWCC = b"""\
#!/bin/bash
#SBATCH --account=GOV109199
#SBATCH --partition=gp1d
#SBATCH --gres=gpu:2
module purge
module load gcc
./solver $SLURM_JOB_ID
"""


def report_of(*sources: Source, plan: Any = PLAN, faults: tuple[Fault, ...] = (), **written: str) -> Report:
    rules = {r.id: r.text for r in plan.rulebook.rules}
    results = tuple(run(source, plan) for source in sources)
    return Report(plan.target, results, faults, rules, {name.replace("_", "."): to for name, to in written.items()})


def of(data: bytes, path: str = "job.sh") -> Report:
    return report_of(Source(path, data))


def few() -> Report:
    report = report_of(Source("job.sh", TWCC), plan=replace(PLAN, rulebook=FEW_RULES), job_sh="out/job.sh")
    told = [
        RuleText("note-account", "A title", "Why `a|b`.", "", (), ()),
        RuleText(
            "undecided-environment", "Drop <it>", "Why.", "Ask {value}.", ("not | found",), ("https://a.b/c", "x y")
        ),
        RuleText("silent", "It did not speak", "", "", (), ()),
    ]
    return replace(report, rules={rule.id: rule for rule in told})


def document(report: Report) -> Any:
    return json.loads(FORMATS["json"](report))


# ------------------------------------------------------------------------------------------------ goldens

TEXT = """\
1 script for slinky: 0 unchanged, 0 migrated, 0 review, 1 blocked. 1 decision
releases 1 script.

Decisions, and the scripts that wait for them
  environment:gcc: 1 script (1 waits for nothing else)
    proposed: `environments: [{name: gcc-13, match: {modules: [gcc]}, image:
    docker://gcc:13}]`, gcc: gcc:13 has GCC 13. Programs that were built on the
    old system must be built again in the image.

How to answer, in the target's file
  the file: `sifmigrate target init mine.yaml --extends slinky` writes one that
  is yours; then `--target mine.yaml`
  environment: `environments: [{match: {modules: [NAME]}, image:
  docker://NAME:TAG}]`, or `provided: true` in place of `image` where the nodes
  have it

job.sh: blocked
  from taiwania2 (line 3: --partition=gp1d)
  Changed
    line 3: --partition=gp1d → --partition=slinky
      gp1d is no partition of slinky; its file names the one that replaces it
  Added
    line 5: #SBATCH --time=1-00:00:00
      partition gp1d ended a job without --time after 1-00:00:00; the new
      partition does not
  For you to decide
    line 5: module purge
    line 6: gcc
      `solver` runs with gcc: nothing says what stands for that on slinky
      What to do: Say once in the target's file what stands for it, under
      `environments`: an `image` in which such programs run (`singularity exec
      IMAGE …`), `provided: true` where the nodes have it, or `lines` in place
      of the module lines.
      You would see: not | found
      The script is blocked until this is decided.
  Good to know
    line 2: --account=GOV109199
      kept: slinky runs no accounting, so any account name is accepted
      What to do: Nothing to do until the cluster turns accounting on.
  2 items kept as they are
"""

MARKDOWN = """\
# Migration to Slinky (Slurm operator on Kubernetes), Apptainer in the slurmd image

1 script for slinky: 0 unchanged, 0 migrated, 0 review, 1 blocked. 1 decision releases 1 script.

## Decisions

| Decision | Scripts that wait for it | for nothing else | Why |
| --- | --- | --- | --- |
| `environment:gcc` | 1 | 1 | [undecided-environment](#undecided-environment) |

Proposed, for the target's file:

```yaml
# environment:gcc, 1 script: gcc: gcc:13 has GCC 13. Programs that were built on the old system must be built again in the image.
environments:
  - name: gcc-13
    match: {modules: [gcc]}
    image: docker://gcc:13
```

How to answer, in the target's file:

- the file: `sifmigrate target init mine.yaml --extends slinky` writes one that is yours; then `--target mine.yaml`
- environment: `environments: [{match: {modules: [NAME]}, image: docker://NAME:TAG}]`, or `provided: true` in place of `image` where the nodes have it

## Scripts

| Script | Readiness | From |
| --- | --- | --- |
| `job.sh` | blocked | taiwania2 |

## `job.sh`

**blocked**, from taiwania2 (line 3: --partition=gp1d)

Written to `out/job.sh`.

### Changed

- line 3: `--partition=gp1d` → `--partition=slinky`
  - gp1d is no partition of slinky; its file names the one that replaces it ([rewrite-partition](#rewrite-partition))

### Added

- line 5: `#SBATCH --time=1-00:00:00`
  - partition gp1d ended a job without --time after 1-00:00:00; the new partition does not ([add-old-time-limit](#add-old-time-limit))

### For you to decide

- line 5: `module purge`; line 6: `gcc`
  - `solver` runs with gcc: nothing says what stands for that on slinky ([undecided-environment](#undecided-environment))
  - What to do: Say once in the target's file what stands for it, under `environments`: an `image` in which such programs run (`singularity exec IMAGE …`), `provided: true` where the nodes have it, or `lines` in place of the module lines.
  - You would see: `not | found`
  - **The script is blocked until this is decided.**

### Good to know

- line 2: `--account=GOV109199`
  - kept: slinky runs no accounting, so any account name is accepted ([note-account](#note-account))
  - What to do: Nothing to do until the cluster turns accounting on.

2 items kept as they are.

## What the rules mean

### note-account

**A title**

Why `a|b`.

### undecided-environment

**Drop \\<it\\>**

Why.

You would see:

- `not | found`

What to do: Ask VALUE.

See <https://a.b/c>, `x y`.
"""  # noqa: E501 - a paragraph of Markdown is one line


def test_text_at_80_columns_is_byte_exact() -> None:
    assert FORMATS["text"](few()) == TEXT


def test_markdown_is_byte_exact() -> None:
    assert FORMATS["markdown"](few()) == MARKDOWN


# ------------------------------------------------------------------------------------------------ all formats


@pytest.mark.parametrize("name", FORMATS)
def test_the_same_run_gives_the_same_bytes(name: str) -> None:
    assert FORMATS[name](of(TWCC)) == FORMATS[name](of(TWCC))


@pytest.mark.parametrize("name", FORMATS)
def test_no_script_at_all_is_a_report_too(name: str) -> None:
    text = FORMATS[name](report_of())
    assert text == "" if name == "diff" else text.endswith("\n")


@pytest.mark.parametrize("name", ["text", "json", "markdown"])
def test_a_report_is_utf_8_and_ends_its_last_line(name: str) -> None:
    text = FORMATS[name](report_of(Source("\udcff\ud800.sh", b"#!/bin/bash\n#SBATCH -J \xff\xfe\n")))
    text.encode()
    assert text.endswith("\n")
    assert not text.endswith("\n\n")


def test_only_text_imports_rich() -> None:
    script = "import sys, migrate.reports; sys.exit('rich' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], cwd=Path(__file__).parents[1], check=False)
    assert done.returncode == 0


# ------------------------------------------------------------------------------------------------ counts


def test_a_script_that_waits_for_nothing_is_not_released() -> None:
    summary = summarize(of(b"#!/bin/bash\n#SBATCH -p slinky\nsrun hostname\n"))
    assert (summary.deciding, summary.released) == (0, 0)
    assert "release" not in headline(summary)


def test_a_script_with_a_gap_is_not_released_by_a_decision() -> None:
    with_gap = replace(of(TWCC).results[0], gaps=_gaps())
    report = replace(of(TWCC), results=(with_gap,))
    assert summarize(report).released == 0
    assert [d.releases for d in summarize(report).decisions] == [0]


def test_a_line_that_is_a_comment_until_somebody_decides_waits_for_it() -> None:
    summary = summarize(of(b"#!/bin/bash\n#PBS -q fast -k oe\ncd $PBS_O_WORKDIR\nhostname\n"))
    assert [(d.id, d.scripts, d.releases) for d in summary.decisions] == [("partition:fast", 1, 1)]
    assert "1 decision releases 1 script." in headline(summary)


def test_each_kind_of_decision_is_told_how_to_answer() -> None:
    asked = re.findall(r'^decision: "?(\w+)', "\n".join(p.read_text() for p in RULES.rglob("*.yaml")), re.MULTILINE)
    asked += ["environment"]  # by a translator
    page = (RULES.parent / "docs" / "describe-your-cluster.md").read_text()
    assert set(asked) == {"account", "path", "image", "environment", "module", "partition", "fabric"}
    for kind in set(asked):
        summary = replace(summarize(report_of()), decisions=(Decision(f"{kind}:x", (), 1, 0),))
        assert list(answers(summary)) == ["the file", kind], "that of a shipped target is nobody's to write in"
        assert list(answers(replace(summary, target="fir"))) == [kind]
        assert re.search(rf"^\| `{kind}[:`]", page, re.MULTILINE)


def test_a_decision_is_counted_once_a_script() -> None:
    plan = replace(PLAN, rulebook=FEW_RULES)
    report = report_of(Source("a.sh", TWCC), Source("b.sh", TWCC + b"module load gcc\n"), plan=plan)
    summary = summarize(report)
    assert [(d.id, d.scripts, d.releases) for d in summary.decisions] == [("environment:gcc", 2, 2)]
    assert "1 decision releases 2 scripts." in headline(summary)


def test_a_decision_says_how_many_of_its_scripts_each_partition_takes() -> None:
    plan = make_plan(str(RULES.parent / "tests/cluster/model.yaml"), site="generic")
    asked = ["--gres=gpu:1", "--gres=gpu:4 -t 48:00:00", "--gres=gpu:8", "--gres=gpu:9", "--gres=gpu:$N"]
    scripts = [f"#!/bin/bash\n#SBATCH -p fast {each}\nsrun hostname\n".encode() for each in asked]
    report = report_of(*(Source(f"{n}.sh", data) for n, data in enumerate(scripts)), plan=plan)
    [found] = summarize(report).decisions
    assert (found.scripts, list(found.fits.items()), found.unfit) == (5, [("gpu", 2), ("big", 2)], 1)
    assert "by what they ask for: `gpu` takes 2, `big` takes 2, no partition takes 1\n" in FORMATS["text"](
        report, Style()
    )
    assert "- `partition:fast`: `gpu` takes 2, `big` takes 2, no partition takes 1\n" in FORMATS["markdown"](
        report, Style()
    )
    told = json.loads(FORMATS["json"](report, Style()))
    Draft202012Validator(SCHEMA).validate(told)
    [decided] = told["summary"]["decisions"]
    assert (decided["fits"], decided["unfit"]) == ({"gpu": 2, "big": 2}, 1)


def test_a_decision_of_which_no_partition_is_known_to_fit_says_nothing_of_it() -> None:
    report = of(b"#!/bin/bash\n#SBATCH -p fast --gres=gpu:1\nsrun hostname\n")
    [found] = summarize(report).decisions
    assert (found.fits, found.unfit) == ({}, 0)
    assert "what they ask for" not in FORMATS["text"](report, Style())
    assert "what the scripts ask for" not in FORMATS["markdown"](report, Style())
    assert "fits" not in json.loads(FORMATS["json"](report, Style()))["summary"]["decisions"][0]


def test_findings_of_one_rule_are_folded_and_their_lines_listed() -> None:
    data = b"#!/bin/bash\n#SBATCH -p gp1d\nmodule purge\ntrue\nmodule purge\n"
    text = FORMATS["text"](of(data))
    assert "    lines 3, 5: module purge\n" in text


GRID_ENGINE = b"""\
#!/bin/bash
#$ -N fit -j y
#$ -pe smp 4
#$ -l h_rt=90,h_vmem=2G,foo=1
cd /tmp
"""


def test_what_stands_beside_a_place_is_not_said_again() -> None:
    text = FORMATS["text"](of(GRID_ENGINE))
    assert "    line 2: -N fit → --job-name=fit\n    line 3: -pe smp 4 → --cpus-per-task=4\n" in text
    assert "    line 4: -l h_rt=90 → --time=00:01:30\n      h_rt=90 = 90 s\n" in text
    assert "    line 2: -j y\n      Slurm writes both streams into one file" in text


def test_a_resource_behind_a_comma_is_told_with_its_option() -> None:
    for name in ("text", "markdown"):
        text = FORMATS[name](of(GRID_ENGINE)).replace("`", "")
        assert "line 4: -l h_vmem=2G → --mem=8G" in text
        assert "line 4: -l foo=1" in text


def test_markdown_tells_general_advice_with_the_targets_own_names() -> None:
    rule = next(r.text for r in PLAN.rulebook.rules if r.id == "undecided-environment")
    page = FORMATS["markdown"](replace(of(b"#!/bin/bash\n#SBATCH -p gtest\npython train.py\n"), rules={rule.id: rule}))
    rules = page[page.index("## What the rules mean") :]
    assert "an `image` in which such programs run (`singularity exec IMAGE …`)" in rules


def test_markdown_names_the_rule_of_a_place_without_more_words() -> None:
    told = FORMATS["markdown"](of(GRID_ENGINE))
    assert "- line 2: `-N fit` → `--job-name=fit` ([translate-option](#translate-option))\n" in told


def test_every_item_is_told_or_counted() -> None:
    report = of(TWCC)
    told = account(report.results[0], report)
    rules = {p.rule for points in told.sections.values() for p in points}
    assert {e.rule for e in report.results[0].entries if e.rule} <= rules
    assert told.kept_items == sum(e.fate == "kept" and not e.rule for e in report.results[0].entries)


def test_verbose_lists_what_is_kept() -> None:
    assert "--gres=gpu:2" not in FORMATS["text"](few())
    assert "    line 4: --gres=gpu:2\n" in FORMATS["text"](few(), Style(verbose=True))


def test_a_refused_fix_is_left_to_a_person() -> None:
    report = report_of(Source("job.sh", TWCC), plan=replace(PLAN, safe_only=True, annotate=True))
    for name in ("text", "markdown"):
        assert "For you to decide" in FORMATS[name](report)
    Draft202012Validator(SCHEMA).validate(document(report))


def _gaps() -> Any:
    return (Gap(Span(12, 60), "not understood"),)


def test_a_gap_ends_in_the_line_of_its_last_byte() -> None:
    result = of(b"#!/bin/bash\nls\n(\n\n").results[0]
    start = result.source.data.index(b"(")
    with_end_of_line = replace(result, gaps=(Gap(Span(start, start + len("(\n")), "not understood"),))
    [told] = document(replace(of(TWCC), results=(with_end_of_line,)))["scripts"][0]["gaps"]
    assert (told["line"], told["end_line"]) == (3, 3)


# ------------------------------------------------------------------------------------------------ JSON


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"#!/bin/bash\n", id="nothing in it"),
        pytest.param(TWCC, id="a small job"),
        pytest.param(b"#!/bin/bash\n#SBATCH -p gp1d\nif [ ; then\nmodule load 'x\n", id="broken"),
        pytest.param(b"#!/bin/tcsh\n#SBATCH -p gp1d\nsetenv A b\n", id="another shell"),
        pytest.param(b"#!/bin/bash\r\n#SBATCH -p gp1d\r\n", id="dos line ends"),
    ],
)
def test_json_fits_its_schema(data: bytes) -> None:
    report = of(data)
    faulty = replace(report.results[0], fault="a promise", gaps=_gaps() if len(data) > 60 else ())
    full = replace(
        report, results=(*report.results, faulty), faults=(Fault("x", "x: is empty"),), written={"job.sh": "job.sh"}
    )
    Draft202012Validator(SCHEMA).validate(document(full))


def test_json_findings_name_their_items() -> None:
    script = document(of(TWCC))["scripts"][0]
    items = {item["id"]: item for item in script["items"]}
    about = [f for f in script["findings"] if f["item"]]
    assert about
    assert all(items[f["item"]]["line"] == f["line"] for f in about)
    assert [i["id"] for i in script["items"] if i["fate"] == "added"] == ["a1", "a2"]


# ------------------------------------------------------------------------------------------------ diff


@pytest.mark.parametrize(
    ("path", "data"),
    [
        pytest.param("job.sh", TWCC, id="plain"),
        pytest.param("a b/c  d.sh", TWCC, id="blanks in the name"),
        pytest.param('q"\\\n\x1b.sh', TWCC, id="a name that needs quotes"),
        pytest.param("\udcff.sh", TWCC, id="a name that is not UTF-8"),
        pytest.param("job.sh", TWCC.removesuffix(b"\n"), id="no final newline"),
        pytest.param("job.sh", b"#!/bin/bash\n#SBATCH -p gp1d", id="no final newline where the edit is"),
        pytest.param("job.sh", TWCC.replace(b"\n", b"\r\n"), id="CRLF"),
        pytest.param("job.sh", TWCC.replace(b"purge", b"purge\r\n: \r"), id="stray carriage returns"),
        pytest.param("job.sh", TWCC + b"echo \xff\xfe\x80 \x0c \xe2\x80\xa8\n", id="not UTF-8, odd line separators"),
        pytest.param("job.sh", TWCC + b"-- x\n++ y\n--- a/x\n", id="lines like a header"),
    ],
)
def test_patch_makes_of_the_script_what_the_engine_made(tmp_path: Path, path: str, data: bytes) -> None:
    if shutil.which("patch") is None:
        pytest.skip("patch(1) is not installed: nothing proves that the diffs apply")
    report = of(data, path)
    assert report.results[0].changed
    place = tmp_path / path
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(data)
    text = FORMATS["diff"](report).encode("utf-8", "surrogateescape")
    done = subprocess.run(["patch", "-p1", "--force"], cwd=tmp_path, input=text, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout
    assert place.read_bytes() == report.results[0].output
    assert not list(tmp_path.rglob("*.rej"))


def test_an_unchanged_script_has_no_diff() -> None:
    assert FORMATS["diff"](of(b"#!/bin/bash\n")) == ""


def test_a_diff_is_not_masked() -> None:
    token = b"hf_" + b"a1" * 17
    assert token.decode() in FORMATS["diff"](of(b"#SBATCH -p gp1d\nexport HF_TOKEN=" + token + b"\n"))


@pytest.mark.parametrize("style", [Style(terminal=True), Style(color=True)])
def test_a_diff_for_a_terminal_cannot_steer_it(style: Style) -> None:
    text = FORMATS["diff"](of(b"#SBATCH -p gp1d\n\techo \x1b]0;x\x07 \xff \xc2\x9b\n", "\x1b[2J.sh"), style)
    text.encode()
    assert not CONTROLS.search(text.replace("\t", ""))
    assert "\n \techo \\x1b]0;x\\x07 � \\x9b\n" in text


# ------------------------------------------------------------------------------------------------ hostile input

CONTROLS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
LINKS = (
    "www.a.org (www.b.org) http://a.org HTTPS://a.org ftp://a.org mailto:a@b.org me@a.org <me@a.org> <https://a.org> "
    "@me a/b#1 #12 GH-12 0123abc 0123456789abcdef0123456789abcdef01234567 [x](https://a.org) "
    "[x]: https://a.org ![i](https://a.org/i) "
    "[^1] <img src=x> <a href=x> :octocat: javascript:x xmpp:a@b.org/c //a.org"
)
MARKUP = "[red]x[/red] `a` ``b`` </script><img src=x onerror=y> |c|\\|d [l](javascript:e)"
EVIL = "\x1b]0;pwned\x07\x1b[2J\x9b31m\u202e" + MARKUP


def hostile() -> Report:
    script = f"#!/bin/bash\n#SBATCH -p '{EVIL}'\n#SBATCH -J '{EVIL}'\nmodule load '{EVIL}'\n/opt/ohpc/'{EVIL}'\n"
    report = report_of(Source(f"{EVIL}.sh", script.encode()), Source(f"{EVIL}\n# x.sh", b"module load $(\n"))
    told = replace(report.results[0], fault=EVIL, evidence=EVIL)
    faults = (Fault(EVIL, EVIL), Fault("x", f"x: {EVIL}"))
    return replace(report, results=(told, *report.results[1:]), faults=faults, written={f"{EVIL}.sh": EVIL})


@pytest.mark.parametrize("name", ["text", "json", "markdown"])
def test_hostile_words_cannot_steer_a_terminal(name: str) -> None:
    assert not CONTROLS.search(FORMATS[name](hostile()))


def test_hostile_words_are_no_rich_markup() -> None:
    assert "[red]x[/red]" in FORMATS["text"](hostile(), Style(width=4000))


def test_colour_codes_are_only_ours() -> None:
    text = FORMATS["text"](hostile(), Style(color=True, width=4000))
    assert "\x1b[" in text
    assert not CONTROLS.search(re.sub(r"\x1b\[[0-9;]*m", "", text))


def test_text_stays_within_its_width() -> None:
    wide = report_of(Source("工作/" * 60 + "job.sh", TWCC.replace(b"./solver", "./求解".encode() * 60)))
    from rich.cells import cell_len  # noqa: PLC0415 - only here

    for width in (40, 80):
        assert max(cell_len(line) for line in FORMATS["text"](wide, Style(width=width)).split("\n")) <= width


def test_hostile_words_are_no_markup_in_markdown() -> None:
    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(FORMATS["markdown"](hostile()))
    inline = [t for token in tokens for t in (token, *(token.children or ()))]
    assert not [t for t in inline if t.type in {"html_block", "html_inline", "image", "code_block"}]
    [proposed] = [t for t in inline if t.type == "fence"]  # which shows every text as it is
    assert YAML(typ="safe").load(proposed.content) == {"answers": {"partition": {EVIL: "slinky"}}}
    links = [str(t.attrs["href"]) for t in inline if t.type == "link_open"]
    assert all(link.startswith(("#", "https://")) for link in links)


def linking() -> Report:
    """A script whose every text is one that something makes a link of."""
    lines = [
        f"#SBATCH -p gp1d # {LINKS}",
        *(f"#SBATCH -J '{word}'\n#SBATCH -o '{word}'\n#SBATCH --qos='{word}'" for word in LINKS.split()),
        *(f"module load '{word}' # sifmigrate: ignore[{word}] {word}" for word in LINKS.split()),
        *(f"singularity exec '{word}' '{word}'\ndocker run -e X='{word}' '{word}'" for word in LINKS.split()),
        *(f"export UCX_NET_DEVICES='{word}' NCCL_SOCKET_IFNAME='{word}'\n/opt/ohpc/'{word}'" for word in LINKS.split()),
        "singularity exec library://a.org/b/c ls  # sifmigrate: ignore[library-image] see http://a.org and me@a.org",
        "module load singularity # sifmigrate: ignore see www.a.org",
    ]
    report = report_of(
        *(Source(f"{word}.sh", "\n".join(["#!/bin/bash", *lines, ""]).encode()) for word in ("www.a.org", LINKS))
    )
    told = [replace(r, fault=LINKS, evidence=LINKS) for r in report.results]
    faults = (Fault(LINKS, LINKS), Fault("x", f"x: {LINKS}"))
    return replace(report, results=tuple(told), faults=faults, written={"www.a.org.sh": LINKS})


def test_nothing_of_a_script_becomes_a_link() -> None:
    own = {link for rule in report_of(Source("a.sh", b"x\n")).rules.values() for link in rule.links}
    html = github_flavored_markdown_to_html(FORMATS["markdown"](linking()))
    links = set(re.findall(r'<a href="([^"]*)"', html))
    assert "<img" not in html
    assert html.count("<a ") == len(re.findall(r'<a href="', html))
    assert links <= own | {link for link in links if re.fullmatch("#[a-z-]+", link)}


@given(
    st.text(alphabet="abw.@:/#h1tps<>[]()!-_`\\ ", max_size=30)
    | st.lists(st.sampled_from(LINKS.split()), max_size=4).map("".join)
)
@settings(max_examples=500, deadline=None)
def test_prose_has_no_links(text: str) -> None:
    html = github_flavored_markdown_to_html(f"x {prose(text)}")
    assert "<a" not in html
    assert "<img" not in html
    outside = re.sub(r"<code>.*?</code>", " ", html, flags=re.DOTALL)  # what else GitHub makes of text
    assert not re.search(r"@\w|#\d|\b[0-9a-f]{7,40}\b|:[a-z]\w*:", re.sub("<[^>]*>|&[a-z]+;", " ", outside))


def test_hostile_words_do_not_break_tables() -> None:
    tokens = MarkdownIt("commonmark").enable("table").parse(FORMATS["markdown"](hostile()))
    rows: list[int] = []
    for token in tokens:
        if token.type == "tr_open":
            rows.append(0)
        rows[-1:] = [rows[-1] + 1] if token.type in {"td_open", "th_open"} else rows[-1:]
    assert set(rows) <= {2, 3, 4}
    cells = [t.content for n, t in enumerate(tokens) if n and tokens[n - 1].type in {"td_open", "th_open"}]
    assert all(cells)


@given(st.text())
@settings(max_examples=300)
def test_a_code_span_holds_its_text(text: str) -> None:
    (_, inline, _) = MarkdownIt("commonmark").parse(f"x{code(text)}x")
    kinds = [t.type for t in inline.children or ()]
    assert not text or kinds == ["text", "code_inline", "text"]


@given(st.text())
@settings(max_examples=300)
def test_prose_is_only_text_and_code(text: str) -> None:
    tokens = MarkdownIt("commonmark", {"html": True}).parse(f"x {prose(text)}")
    kinds = {t.type for token in tokens for t in token.children or ()}
    assert kinds <= {"text", "code_inline", "text_special"}


# ------------------------------------------------------------------------------------------------ secrets


@pytest.mark.parametrize(
    "text",
    [
        "--partition=gp1d",
        "NUM_TOKENS=1024",
        "HF_TOKEN=$TOKEN",
        "HF_TOKEN=$(cat token)",
        'API_KEY="${KEY}"',
        "--sort-key=name",
        "hf_transformers",
        "docker://x/y@sha256:" + "0123456789abcdef" * 4,
        "https://host/path?x=1",
        "the secret of it",
    ],
)
def test_words_that_are_no_secret_stay(text: str) -> None:
    assert masked(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("hf_" + "aB3" * 11, "hf_a…"),
        ("ghp_" + "a1" * 18, "ghp_…"),
        ("AKIA0123456789ABCDEF", "AKIA…"),
        ("0123456789abcdef0123456789abcdef01234567", "0123…"),
        ("HF_TOKEN=hf_aaaaaaaa1", "HF_TOKEN=…"),
        ("export DB_PASSWORD='it is long' x", "export DB_PASSWORD='…' x"),
        ('--wrap="A_TOKEN=\\"abcdefgh\\""', '--wrap="A_TOKEN=\\"…""'),
        ("PASSWORD=abc", "PASSWORD=…"),
        ("--env A_TOKEN=abcdefgh,B=c", "--env A_TOKEN=…,B=c"),
        ("WANDB_API_KEY=0123456789abcdef!", "WANDB_API_KEY=…"),
        ("--password hunter2000", "--password …"),
        ("https://me:hunter2000@host/x", "https://me:…@host/x"),
    ],
)
def test_secrets_are_cut(text: str, shown: str) -> None:
    assert masked(text) == shown
    assert masked(shown) == shown


NAMES = st.sampled_from(["token=", "PASSWD=", "Password=", "--password ", "secret=", "_key=", "-KEY=", "://u:", "@h"])
VALUES = st.sampled_from(["abcdefgh1", "0123456789abcdef0", "hf_abcdefgh1", "x", '"a b c d"', " ", "=", "--"])


@given(st.lists(NAMES | VALUES, max_size=6).map("".join))
def test_a_text_is_looked_through_wherever_it_may_hold_a_secret(text: str) -> None:
    thorough = "://@" + " " * 20 + "\n"  # with it no text is passed over as one that cannot hold any
    assert masked(thorough + text) == thorough + masked(text)


def test_a_secret_is_cut_wherever_its_item_is_told() -> None:
    assert masked("value abcdefgh1 is kept", "X_TOKEN=abcdefgh1") == "value … is kept"


@pytest.mark.parametrize("name", ["text", "json", "markdown"])
def test_reports_can_be_mailed(name: str) -> None:
    secrets = ["hf_" + "aB3" * 11, "0123456789abcdef0123456789abcdef01234567", "correct-horse"]
    env = f"--env HF_TOKEN={secrets[0]} --env WANDB={secrets[1]}"
    data = f"#SBATCH -p gp1d\nexport SINGULARITYENV_X_PASSWORD='{secrets[2]}'\nsingularity exec {env} a.sif x\n"
    text = FORMATS[name](of(data.encode()), Style(verbose=True, width=4000))
    assert not [s for s in secrets if s in text]
    assert "hf_a…" in text or name == "markdown"


def test_masking_takes_no_time_on_long_words() -> None:
    for text in ("a" * 10**6, "token=" * 10**5, "hf_" * 10**5, "://a:" * 10**5, "token=" + ",a" * 10**5):
        masked(text)


@given(st.lists(st.text("ab -/.:`→…é", max_size=12), max_size=20).map(" ".join), st.integers(1, 90))
@example("a word-of-many-letters, and another", 5)
@example("  two   blanks  ", 9)
@example("", 9)
def test_lines_are_wrapped_as_rich_would(words: str, width: int) -> None:
    lines = RichText(words).wrap(Console(width=width), width)
    assert wrapped(words, width) == [line.plain.rstrip() for line in lines]
