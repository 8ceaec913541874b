"""Dockerfiles as definition files: goldens of tests/recipes, quoting, hostile input, and the command."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from dockerfiles import FOLDER, NAMES, made, shown
from hypothesis import given, settings
from hypothesis import strategies as st

from migrate.model import SifmigrateError
from migrate.recipe import recipe
from migrate.recipe.words import Reference, WordError, expand, literal, quote, shell

SECTIONS = {"%files", "%post", "%environment", "%labels", "%runscript"}
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
# what Apptainer's reader and a shell could take for something else
NASTY = st.lists(
    st.sampled_from(["{{", "}}", " x ", "%post", "\n", "\r", "'", '"', "\\", "$HOME", "bootstrap:", "é", "#"])
)
WORD = st.one_of(TEXT, NASTY.map("".join))


@pytest.mark.parametrize("name", NAMES)
def test_it_becomes_the_definition_file_beside_it(name: str) -> None:
    assert made(name).text == (FOLDER / name / "expected.def").read_text()


@pytest.mark.parametrize("name", NAMES)
def test_what_is_left_for_a_person_is_told(name: str) -> None:
    assert "".join(map(shown, made(name).notes)) == (FOLDER / name / "notes.txt").read_text()


def sections(definition: str) -> list[tuple[str, str]]:
    """A definition file as Apptainer reads it (its parser/deffile.go and args/reader.go)."""
    assert not re.search(r"\{\{\s*\w+\s*\}\}", definition), "a build argument"
    found = []
    for stage in re.split(r"(?im)^(?=bootstrap:)", definition):
        title, lines = "", list[str]()
        for line in stage.split("\n"):
            if line.split()[:1] and line.split()[0].startswith("%"):
                found.append((title, "\n".join(lines)))
                title, lines = line, []
            else:
                lines.append(line.removesuffix("\r"))
        found.append((title, "\n".join(lines)))
    return [(title, text) for title, text in found if title]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_a_shell_reads_each_script(name: str, shell: str) -> None:
    scripts = [text for title, text in sections(made(name).text) if title in {"%post", "%environment", "%runscript"}]
    for text in scripts:
        assert subprocess.run([shell, "-n"], input=text, text=True, capture_output=True, check=True).stderr == ""


def runscript(dockerfile: str) -> str:
    [text] = [text for title, text in sections(recipe(dockerfile.encode()).text) if title == "%runscript"]
    return text


def called(script: str, *arguments: str) -> list[str]:
    done = subprocess.run(["/bin/sh", "-c", script, "sh", *arguments], capture_output=True, check=True)
    return done.stdout.decode().split("\0")[:-1]


@settings(deadline=None, max_examples=200)
@given(st.lists(WORD, min_size=1), st.lists(WORD, max_size=2))
def test_words_of_the_exec_form_arrive_as_they_are(command: list[str], arguments: list[str]) -> None:
    script = runscript(f'FROM a\nENTRYPOINT ["printf", "%s\\\\0"]\nCMD {json.dumps(command)}\n')
    assert called(script, *arguments) == (arguments or command)


@settings(deadline=None, max_examples=100)
@given(st.lists(WORD, min_size=1), st.lists(WORD, max_size=2))
def test_words_of_an_entrypoint_come_first(entrypoint: list[str], arguments: list[str]) -> None:
    words = json.dumps(["printf", "%s\\0", *entrypoint])
    assert called(runscript(f"FROM a\nENTRYPOINT {words}\n"), *arguments) == [*entrypoint, *arguments]


@settings(deadline=None, max_examples=100)
@given(WORD.filter(lambda text: "\r" not in text))
def test_a_quoted_word_is_that_word_to_a_shell(text: str) -> None:
    assert called(f"printf '%s\\0' {quote(text)}") == [text]


@settings(max_examples=300)
@given(st.lists(st.tuples(st.sampled_from(["RUN", "ENV a", "LABEL b", "CMD", "COPY x", "WORKDIR", "#", "USER"]), WORD)))
def test_no_text_of_a_dockerfile_opens_a_section(lines: list[tuple[str, str]]) -> None:
    source = "FROM a\n" + "".join(f"{name} {text}\n" for name, text in lines)
    try:
        definition = recipe(source.encode()).text
    except SifmigrateError:
        return
    assert {title.split()[0] for title, _ in sections(definition)} <= SECTIONS


@settings(max_examples=500)
@given(st.one_of(st.binary(), TEXT.map(str.encode), TEXT.map(lambda t: b"FROM a\nRUN <<E\n" + t.encode())))
def test_any_bytes_become_a_recipe_or_one_clear_line(data: bytes) -> None:
    with suppress(SifmigrateError):
        assert recipe(data).text


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(b"", "Docker does not read this file: file with no instructions", id="empty"),
        pytest.param(
            b"#!/bin/bash\nsrun hostname\n", "2:1: this is no Dockerfile: there is no instruction SRUN", id="job"
        ),
        pytest.param(b"FROM a\n\0\n", "2:1: there is a NUL byte here", id="NUL"),
        pytest.param(b"FROM a\n# \xff\n", "2:1: this is no Dockerfile: not UTF-8 text", id="not UTF-8"),
        pytest.param(
            b"FROM a\nRUN " + b"a" * 65_535, "2:1: Docker reads no line of more than 65535 bytes", id="long line"
        ),
        pytest.param(
            b"FROM a\nRUN <<E\nb\n", "Docker does not read this file: unterminated heredoc", id="here-document"
        ),
        pytest.param(b"RUN a\nFROM b\n", "1:1: RUN stands before the first FROM", id="RUN first"),
        pytest.param(b"FROM a b\n", "1:1: FROM: it is written `FROM image` or `FROM image AS name`", id="FROM"),
        pytest.param(b"FROM a\nENV A='b\n", "2:1: ENV: a `'` is not closed, in `'b`", id="quote"),
        pytest.param(b"FROM a\nCOPY --from=3 b c\n", "2:1: COPY: there is no stage 3 above", id="stage"),
        pytest.param(b"ARG A=1\n", "this is no Dockerfile: it has no FROM", id="no FROM"),
    ],
)
def test_what_docker_would_refuse_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(SifmigrateError) as caught:
        recipe(data)
    assert str(caught.value).removeprefix("Dockerfile:").strip() == message


def test_variables_that_double_each_other_do_not_fill_the_memory() -> None:
    doubling = "".join(f"ENV A{n + 1}=$A{n}$A{n}\n" for n in range(60))
    with pytest.raises(SifmigrateError, match="longer than 131072 characters"):
        recipe(f"FROM a\nENV A0=x\n{doubling}".encode())


VARIABLES = {"A": ("one two",), "E": (), "P": ("/a:", Reference("PATH"))}


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("plain", "plain"),
        ("'$A'", "$A"),
        ('"$A"', "one two"),
        (r"\$A\\", "$A\\"),
        ("${A}s$E.", "one twos."),
        ("${E:-none}${E-none}", "none"),
        ("${A:+set}${E:+set}", "set"),
        ("${A:-${E:-x}}", "one two"),
        ("${A#* }${A%% *}", "twoone"),
        ("${A/o/0}${A//o/0}", "0ne two0ne tw0"),
        ("$1$@$", "$"),
    ],
)
def test_a_word_is_expanded_as_docker_does(word: str, value: str) -> None:
    assert literal(expand(word, VARIABLES.get)) == value


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("$P:/b", '/a:"${PATH}":/b'),
        ("${X:-a b}", '"${X:-a b}"'),
        ('${X:-"}$"}', r'"${X:-\}\$}"'),
        ("${P:-x}", '/a:"${PATH}"'),
    ],
)
def test_what_the_base_image_knows_is_left_to_the_shell(word: str, text: str) -> None:
    assert shell(expand(word, VARIABLES.get)) == text


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("'", "a `'` is not closed"),
        ("${", "`${` is not followed by a name"),
        ("${A", "`${A…}` is in no form that Docker knows"),
        ("${A:-b", "`}` is missing"),
        ("${X#a}", "`X` is not set in this file"),
    ],
)
def test_a_word_that_docker_would_not_take_is_told(word: str, message: str) -> None:
    with pytest.raises(WordError) as caught:
        expand(word, VARIABLES.get)
    assert str(caught.value) == message


def test_build_arguments_win_over_defaults_and_unknown_ones_are_told() -> None:
    made = recipe(b"ARG T=1\nFROM a:$T\nARG T\nENV V=$T\n", arguments={"T": "2", "N": "x"})
    assert "From: a:2\n" in made.text
    assert "export V=2\n" in made.text
    assert [note.text for note in made.notes] == ["`--build-arg N`: there is no `ARG N` in this file"]


def test_values_that_look_at_others_come_before_those_are_set() -> None:
    text = recipe(b"FROM a\nENV OLDPATH=$PATH\nENV PATH=/x:$PATH\nENV NEW=$PATH\n").text
    environment = text.partition("%environment\n")[2]
    assert environment == ('    export OLDPATH="${PATH}"\n    export NEW=/x:"${PATH}"\n    export PATH=/x:"${PATH}"\n')


def test_a_section_longer_than_apptainer_reads_is_told() -> None:
    made = recipe(b"FROM a\n" + b"RUN echo " + b"\\\n".join([b"a" * 30_000] * 3))
    assert [note.text[:42] for note in made.notes] == ["%post of the stage 0 is longer than the 64"]


def test_steps_that_no_section_could_hold_together_are_in_several() -> None:
    made = recipe(b"FROM a\n" + b"RUN echo " + b"\nRUN echo ".join([b"a" * 30_000] * 3))
    assert [(title, len(text) < 65_536) for title, text in sections(made.text)] == [("%post", True), ("%post", True)]
    assert made.notes == ()


def sifmigrate(folder: Path, *arguments: str, data: bytes = b"") -> tuple[int, str, str]:
    command = [sys.executable, "-m", "migrate", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, input=data, check=False)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def test_the_definition_goes_to_standard_output_and_notes_to_standard_error(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM debian:12\nRUN true\nSTOPSIGNAL 9\n")
    code, out, err = sifmigrate(tmp_path, "recipe", "Dockerfile")
    assert (code, out) == (1, recipe((tmp_path / "Dockerfile").read_bytes()).text)
    assert err == (
        "Dockerfile:3:1: STOPSIGNAL goes: give it where a container is stopped, `apptainer instance stop --signal 9`\n"
    )


def test_a_file_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("ARG V=1\nFROM debian:$V\n")
    arguments = ("recipe", "Dockerfile", "--build-arg", "V=12", "-o", "image.def")
    assert sifmigrate(tmp_path, *arguments) == (0, "", "")
    assert "From: debian:12\n" in (tmp_path / "image.def").read_text()
    (tmp_path / "image.def").write_text("mine")
    code, _, err = sifmigrate(tmp_path, *arguments)
    assert (code, err) == (
        2,
        "sifmigrate: image.def is there already: give --force to write over it, or another --output\n",
    )
    assert (tmp_path / "image.def").read_text() == "mine"
    assert sifmigrate(tmp_path, *arguments, "--force")[0] == 0
    assert (tmp_path / "image.def").read_text() != "mine"


def test_a_file_that_cannot_be_written_is_told_by_its_own_name(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM debian:12\n")
    code, _, err = sifmigrate(tmp_path, "recipe", "Dockerfile", "-o", "/proc/x.def")
    assert (code, err.startswith("sifmigrate: /proc/x.def: could not be written")) == (2, True)


def test_a_dockerignore_beside_it_is_told(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM debian:12\nCOPY . /x\n")
    assert sifmigrate(tmp_path, "recipe", "Dockerfile")[0] == 0
    (tmp_path / ".dockerignore").write_text("*.log\n")
    code, _, err = sifmigrate(tmp_path, "recipe", "Dockerfile")
    assert (code, err.startswith("Dockerfile:2:1: Apptainer does not read `.dockerignore`")) == (1, True)


def test_what_is_no_dockerfile_is_one_line_and_exit_2(tmp_path: Path) -> None:
    (tmp_path / "job.sh").write_text("#!/bin/bash\nsrun hostname\n")
    expected = "sifmigrate: job.sh:2:1: this is no Dockerfile: there is no instruction SRUN\n"
    assert sifmigrate(tmp_path, "recipe", "job.sh") == (2, "", expected)
    assert sifmigrate(tmp_path, "recipe", "none")[0] == 2
    assert sifmigrate(tmp_path, "recipe", "-", data=b"FROM a\n")[0] == 0


def test_the_page_shows_what_comes_out() -> None:
    page = (Path(__file__).parents[1] / "docs" / "recipe.md").read_text()
    shows = dict(re.findall(r"<!-- (\w+) -->\n```\w+\n(.*?)```", page, flags=re.DOTALL))
    made = recipe(shows["dockerfile"].encode())
    assert (made.text, "".join(map(shown, made.notes))) == (shows["definition"], shows["notes"])


def test_other_commands_do_not_load_the_reader(tmp_path: Path) -> None:
    check = (
        "import sys, migrate.cli, migrate.runs; sys.exit(not {'dockerfile', 'migrate.recipe'}.isdisjoint(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", check], check=False, cwd=tmp_path).returncode == 0
