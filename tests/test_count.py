"""The independent count: every name in a script's bytes is an item, lies in a gap, or is a mention."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrate.engine import Plan, run
from migrate.model import Gap, Mention, Result, Source, Span, Text
from migrate.reader import lay_out
from migrate.rewrite.count import Count, assert_counted, names_of, sightings
from migrate.rewrite.signs import DIRECTIVE, Signs, in_comment_line
from tests.conftest import Migrate

JOB = "#!/bin/bash\n#$ -cwd\n#$ -t 1-3\n"
ROOT = Path(__file__).parents[1]

# One name of each kind, as programs and shells have it.
NAMES = {
    "scheduler-command": ("qsub", "qsub -q x a.sh"),
    "another-scheduler": ("bsub", "bsub -q x a.sh"),
    "slurm": ("sbatch", "sbatch -p gp1d a.sh"),
    "container-command": ("docker", "docker run img"),
    "variable": ("SGE_JOB_SPOOL_DIR", "SGE_JOB_SPOOL_DIR"),
    "common-variable": ("JOB_ID", 'getenv(\\"JOB_ID\\")'),
    "setting": ("NCCL_IB_HCA", "NCCL_IB_HCA=mlx5_0"),
    "directive": ("#SBATCH -p gp1d", "#SBATCH -p gp1d"),
    "path": ("/datasets/x", "/datasets/x"),
}
# Where text hides that a program may run or read.
PLACES = {
    "appended": 'echo "{}" >> job.sh',
    "written": 'echo a "{}" b > cmds.txt',
    "written in single quotes": "printf '%s\\n' '{}' > job.sh",
    "piped to a shell": 'echo "{}" | bash',
    "piped to another": 'echo "{}" | parallel',
    "printed by a block that writes": '{{\n  echo "{}"\n}} > job.sh',
    "parallel": 'parallel "{}" ::: a b',
    "xargs": 'cat list | xargs -n 1 sh -c "x {}"',
    "make": 'make RUN="{}" all',
    "snakemake": 'snakemake --cluster "{}" -j 4',
    "nextflow": "nextflow run x -profile a,{}",
    "tmux": 'tmux send-keys -t 0 "{}" Enter',
    "screen": 'screen -dm sh -c "{}"',
    "ssh": 'ssh -t host "{}"',
    "python": "python3 -c \"import os; os.system('{}')\"",
    "python document": "python3 - <<'PY'\nimport os\nos.system(\"{}\")\nPY",
    "perl": 'perl -e "{}"',
    "R": "Rscript -e \"system('{}')\"",
    "matlab": 'matlab -nodisplay -r "{}; exit"',
    "awk": "awk 'BEGIN {{ system(\"{}\") }}' list",
    "unknown language": "lua <<X\nrun({})\nX",
    "written document": "cat > job.sh <<EOF\nx {}\nEOF",
    "written document, then the file": "cat <<-EOF >job.sh\n\tx {}\n\tEOF",
    "piped document": "cat <<EOF | bash\nx {}\nEOF",
    "here string": 'bash -s <<< "{}"',
    "value": 'WHAT="{}"',
    "array": 'WHAT=(a "{}" b)',
    "function": 'f() {{ submit "{}"; }}',
    "own program": './start --with "{}"',
    "variable program": '$START "{}"',
    "continued": './start \\\n  --with "{}"',
    "many lines": './start "first\n{}\nlast"',
    "substituted": 'X=$(./start "{}")',
    "substituted in a string": "echo \"x $(./start '{}')\"",
    "trap": "trap './end \"{}\"' EXIT",
    "find": "find . -exec ./start '{}' ';'",
    "behind a comment": 'true # it\'s one\n./start "{}"',
    "behind an apostrophe": 'echo don\\\'t\n./start "{}"',
}
# Where a name is none of a job's.
IDLE = {
    "comment": "# {}",
    "indented comment": "  # x {}",
    "comment behind a command": "true # {}",
    "comment behind quotes": "echo \"a\" 'b' # {}",
    "comment in a document": "python3 <<EOF\n# {}\nEOF",
}
PRINTED = {
    "echo": 'echo "see {}"',
    "printf": 'printf "%s\\n" "see {}"',
    "to standard error": 'echo "see {}" >&2',
    "into a log": 'echo "see {}" >> "$LOG"',
    "beside a log": 'echo "see {}" | tee run.log',
    "own function": 'log_info "see {}"',
    "document": "cat <<EOF\nsee {}\nEOF",
    "document to standard error": "cat >&2 <<EOF\nsee {}\nEOF",
    "many lines": 'echo "see\n  {}\n"',
    "message": 'USAGE="see {}"',
    "in a condition": 'if ! ./x; then echo "see {}"; exit 1; fi',
}


def made(place: str, text: str) -> str:
    return place.replace("{{", "{").replace("}}", "}").replace("{}", text)


def found_at(result: Result, name: str) -> Iterator[Mention]:
    """The mentions of a name."""
    return (m for m in result.mentions if result.source.text(m.span) == name)


def holds(result: Result, span: Span) -> bool:
    """Whether an item or a gap has bytes of this stretch."""
    spans = [e.item.span for e in result.entries if e.item is not None] + [g.span for g in result.gaps]
    return any(start < span.end and span.start < end for start, end in spans)


# ------------------------------------------------------------------------------------------------ nothing to tell


@pytest.mark.parametrize(
    "script",
    [
        "",
        "#!/bin/bash\n#SBATCH -J docker\n#SBATCH --comment=qsub\n",
        "./run\n",
        "#!/bin/bash\n#SBATCH -n 1\nsrun hostname\n",
    ],
)
def test_a_script_whose_names_are_items_has_no_mention(migrate_text: Migrate, script: str) -> None:
    assert migrate_text(script).mentions == ()


@pytest.mark.parametrize("place", IDLE.values(), ids=IDLE.keys())
@pytest.mark.parametrize("kind", [kind for kind in NAMES if kind != "directive"])
def test_a_comment_is_no_mention(migrate_text: Migrate, place: str, kind: str) -> None:
    result = migrate_text(JOB + made(place, NAMES[kind][1]) + "\n")
    assert not list(found_at(result, NAMES[kind][0]))


@pytest.mark.parametrize("place", PRINTED.values(), ids=PRINTED.keys())
@pytest.mark.parametrize("kind", [kind for kind in NAMES if kind not in {"directive", "variable"}])
def test_what_is_only_printed_is_listed_and_no_reason_for_review(migrate_text: Migrate, place: str, kind: str) -> None:
    result = migrate_text("#!/bin/bash\n" + made(place, NAMES[kind][1]) + "\n")
    assert not any(mention.runs for mention in result.mentions)
    assert not any(o.finding.rule == "unread-name" for o in result.outcomes)
    if kind != "common-variable":  # of a script without directives it is no scheduler's
        assert [m.reason for m in result.mentions] == ["only printed"] or result.gaps or result.entries


@pytest.mark.parametrize(
    "line",
    [
        './run_docker.sh --docker=1 docker-compose.yml qsub.log "$docker" ${docker} ~docker docker.sock',
        "curl https://example.org/datasets/x docker://a/b host:/datasets/x",
        "sed -e 's/a/b/' -e '/datasets/d' -e \"s|/datasets|/x|\" list; awk '/datasets/ {print}' list",
        'X="$Y"/datasets/x ${Y}/datasets/x $(pwd)/datasets/x `pwd`/datasets/x ./datasets/x',
        "date +%Y/%m/%d; echo $((6/2)) and/or; ls /dev/null /usr/bin/env /tmp/x /etc/hosts",
        'case $1 in docker|singularity) shift ;; esac; [ "$1" = qsub ] && shift; if [[ $1 == bsub ]]; then shift; fi',
        "cp -r docker singularity /tmp/x; cd docker; apt-get install docker; git clone docker; rm -rf qsub",
        'echo "<b>x</datasets>" > page.html',
        "PBS_MINE=1; echo $PBS_MINE > x; export SGE_OWN=2; ./x $SGE_OWN",
        'export NCCL_DEBUG=INFO; echo "$NCCL_DEBUG ${NCCL_DEBUG:-x}" > x',
        "unset NCCL_IB_HCA",
        "singularity exec --bind /home/x:/datasets /home/a.sif python /opt/app/run.py --data /datasets/x",
        "singularity exec /home/a.sif bash -c 'cat /datasets/x'",
        "export LAUNCHER=srun",
        "ls | grep -E '(docker|qsub|bsub)' ; x=\"$(x | awk -F= '/Command=/{print $2}')\"",
        "./x <PATH>/datasets/x",
        "which sbatch && command -v singularity",
    ],
)
def test_what_looks_like_a_name_is_no_reason_for_review(migrate_text: Migrate, line: str) -> None:
    assert not [m for m in migrate_text(f"#!/bin/bash\n{line}\n").mentions if m.runs]


def test_paths_of_an_image_in_which_a_job_runs_as_a_whole_are_the_images(migrate_text: Migrate) -> None:
    script = "#!/bin/bash\n#$ -l docker,docker_images=x\n./t --data /datasets/x\n"
    assert not [m for m in migrate_text(script).mentions if m.kind == "path"]


# ------------------------------------------------------------------------------------------------ places and names


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES.keys())
@pytest.mark.parametrize("kind", NAMES.keys())
def test_a_name_in_text_that_may_run_is_an_item_a_gap_or_a_mention(
    migrate_text: Migrate, place: str, kind: str
) -> None:
    name, text = NAMES[kind]
    script = JOB + made(place, text) + "\n"
    result = migrate_text(script)
    at = script.rindex(name)
    mentions = [m for m in result.mentions if m.span.start <= at < m.span.end]
    assert mentions or holds(result, Span(at, at + len(name)))
    assert all(m.runs for m in mentions)
    assert result.readiness in {"review", "blocked"}
    assert {m.span.start for m in mentions} <= {o.finding.offset for o in result.outcomes}


@pytest.mark.parametrize(
    ("line", "column", "kind"),
    [
        ('parallel "docker run img {}" ::: a b', 11, "container-command"),
        ("nextflow run x -profile docker,sge", 25, "container-command"),
        ('echo "docker run img" > cmds.txt', 7, "container-command"),
        ('tmux send-keys "sbatch x"', 17, "scheduler-command"),
        ('make SUBMIT="qsub -q x" all', 14, "scheduler-command"),
        ('echo "export NCCL_IB_HCA=mlx5_0" >> env.sh', 14, "environment"),
        ("./t --data /datasets/imagenet", 12, "path"),
        ("x --lib=/datasets/lib -I/datasets/include", 9, "path"),
        ("./x -j $SGE_THINGS", 9, "scheduler-variable"),
    ],
)
def test_a_mention_has_its_place_and_so_has_its_finding(
    migrate_text: Migrate, line: str, column: int, kind: str
) -> None:
    result = migrate_text(f"#!/bin/bash\n#$ -cwd\n{line}\n")
    first = result.mentions[0]
    assert (first.kind, result.source.position(first.span.start)) == (kind, (3, column))
    finding = next(o.finding for o in result.outcomes if o.finding.rule == "unread-name")
    assert result.source.position(finding.offset) == (3, column)
    assert finding.message == first.reason
    assert finding.advice


def test_a_path_waits_for_the_answer_of_its_folder(slinky: Plan, migrate_text: Migrate) -> None:
    script = "#!/bin/bash\n./t --data /datasets/imagenet\n"
    told = [o.finding.decision for o in migrate_text(script).outcomes if o.finding.rule == "unread-name"]
    assert told == ["path:/datasets"]
    mounted = replace(slinky, target=replace(slinky.target, mounts=("/home", "/datasets")))
    assert migrate_text(script, plan=mounted).mentions == ()


def test_a_command_that_the_script_only_asks_for_is_told_where_the_target_lacks_it(migrate_text: Migrate) -> None:
    told = [m for m in migrate_text("#!/bin/bash\nhash bsub && ./x\n").mentions if m.runs]
    assert ["asks" in m.reason for m in told] == [True]


def test_an_ignore_silences_the_finding_and_the_mention_stays(migrate_text: Migrate) -> None:
    result = migrate_text('#!/bin/bash\n# sifmigrate: ignore[unread-name] known\nparallel "docker run x" ::: a\n')
    assert result.readiness == "unchanged"
    assert result.mentions


# ------------------------------------------------------------------------------------------------ the sum


def test_a_sum_that_does_not_close_is_a_bug(slinky: Plan) -> None:
    source = Source("job.sh", b'#!/bin/bash\n#PBS -q x\nqsub a.sh\nparallel "qsub {}" ::: a\n')
    result = run(source, slinky)
    found = sightings(source.data.decode(), slinky.rulebook.tables.made(names_of))
    counted = Count(tuple(s for s in found if s.kind == "scheduler-command"), result.mentions)
    assert_counted(source, counted, result.entries, result.gaps)
    with pytest.raises(AssertionError, match="2 names, 1 in the ledger, 0 mentions"):
        assert_counted(source, replace(counted, mentions=()), result.entries, result.gaps)
    fewer = [e for e in result.entries if e.kind != "scheduler-command"]
    with pytest.raises(AssertionError, match="2 names, 0 in the ledger, 1 mentions"):
        assert_counted(source, counted, fewer, result.gaps)
    gap = Gap(Span(0, len(source.data)), "")
    with pytest.raises(AssertionError, match="2 names, 2 in the ledger, 1 mentions"):
        assert_counted(source, counted, result.entries, [gap])


@given(
    st.lists(
        st.tuples(st.sampled_from([*PLACES.values(), *IDLE.values(), *PRINTED.values()]), st.sampled_from([*NAMES])),
        max_size=6,
    ),
    st.sampled_from(["#!/bin/bash\n", JOB, "#!/bin/bash\n#PBS -q x\n", "#!/bin/csh\n#PBS -q x\n", ""]),
)
def test_the_sum_closes_whatever_stands_together(slinky: Plan, parts: list[tuple[str, str]], header: str) -> None:
    script = header + "".join(made(place, NAMES[kind][1]) + "\n" for place, kind in parts)
    assert run(Source("job.sh", script.encode()), slinky).fault == ""


@pytest.mark.parametrize("path", sorted((ROOT / "fixtures").rglob("before*")), ids=lambda p: p.parent.name)
def test_comments_are_where_the_reader_has_them(slinky: Plan, path: Path) -> None:
    data = path.read_bytes()
    text = data.decode("latin-1")
    signs, comments = Signs(text), lay_out(Text(data)).comments
    for each in sightings(text, slinky.rulebook.tables.made(names_of)):
        line = text[text.rfind("\n", 0, each.start) + 1 : each.end].lstrip()
        if DIRECTIVE.match(line) is None:
            inside = any(start <= each.start < end for start, end in comments)
            left_out = signs.is_comment(each.start) or in_comment_line(text, each.start)
            assert left_out == inside or (left_out and line.startswith("#")), line  # the reader reads documents later


@pytest.mark.parametrize("folder", ["/groups", "/apps", "/xgroups"])
def test_a_folder_of_another_site_is_told_like_any_other(folder: str, slinky: Plan) -> None:
    """What a table of sites has of a folder is nothing about a script that is of none of them."""
    script = f"#!/bin/bash\n#SBATCH -N 1\nexport DATA={folder}/lab/x\n"
    found = run(Source("job.sh", script.encode()), slinky).mentions
    assert [m.kind for m in found] == ["path"]
