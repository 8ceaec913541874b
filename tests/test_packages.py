"""Lists of packages as definition files: what pip and conda are to install, what is told, and what pip itself reads."""

from __future__ import annotations

import codecs
import re
import shlex
import subprocess
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pip._internal.network.session import PipSession
from pip._internal.req import parse_requirements
from test_growth import Place, grows_too_fast, steps_of
from test_recipe import SECTIONS, sections, sifmigrate

from migrate.model import SifmigrateError
from migrate.recipe import Recipe, packages_recipe, reader_of


def made(text: str | bytes, name: str = "requirements.txt", base: str = "", **beside: str) -> Recipe:
    files = {name.replace("__", "."): content.encode() for name, content in beside.items()}
    data = text if isinstance(text, bytes) else text.encode()
    return packages_recipe(data, name=name, base=base, read=files.get)


def written(recipe: Recipe, file: str = "requirements.txt") -> list[str]:
    """The lines of a file that %post writes, as a shell has them."""
    found = []
    for command in re.findall(rf"printf '%s\\n' >>?/opt/environment/{file} \\\n((?:.*\\\n)*.*)\n", recipe.text):
        found += shlex.split(command.replace("\\\n", " "))
    return found


def notes(recipe: Recipe) -> str:
    return "".join(f"{n.file}:{n.line}:{n.column}: {n.text}\n" for n in recipe.notes)


def base(recipe: Recipe) -> str:
    return re.findall(r"^Bootstrap: (.*)\nFrom: (.*)$", recipe.text, flags=re.MULTILINE)[0][1]


# Lines that stay as they are

KEPT = [
    "numpy==1.26.4",
    "numpy",
    "scipy>=1.7,<2",
    "pandas ~= 1.5",
    "requests[socks,security]==2.31.0",
    'dataclasses==0.8; python_version < "3.7"',
    'uvloop==0.17.0 ; sys_platform != "win32" and implementation_name == "cpython"',
    "zope.interface==6.0",
    "foo===2004d",
    "foo @ https://example.org/foo-1.0.zip",
    "https://example.org/foo-1.0-py3-none-any.whl",
    "git+https://github.com/me/tool.git@v1.2#egg=tool",
    "tool @ git+https://github.com/me/tool.git@0123abc",
    "--no-index",
    "--pre",
    "--prefer-binary",
    "--no-binary :all:",
    "--only-binary=numpy",
    "--trusted-host pypi.example.org",
]


@pytest.mark.parametrize("line", KEPT)
def test_a_line_that_pip_reads_alike_anywhere_stays_as_it_is(line: str) -> None:
    assert written(made(f"{line}\nanother\n")) == [line, "another"]


def test_comments_and_blank_lines_go_and_continued_lines_are_one() -> None:
    text = "# a list\n\nnumpy==1.26.4  # arrays\n   \nfoo==1.0 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\n"
    assert written(made(text)) == ["numpy==1.26.4", "foo==1.0 --hash=sha256:aa --hash=sha256:bb"]


PACKAGE = st.sampled_from(["numpy", "zope.interface", "a_b", "Django", "torch-geometric2"])
SPECIFIER = st.sampled_from(["", "==1.0", ">=1,<2", "~=1.4", "!=2.0,>=1", "==1.*", " == 1.0"])
MARKER = st.sampled_from(["", '; python_version < "3.9"', ' ; sys_platform == "linux"', ";os_name=='posix'"])
COMMENT = st.sampled_from(["", "  # why", " #", "\t# é"])
HASHES = st.sampled_from(["", " --hash=sha256:ab", " \\\n    --hash=sha256:ab \\\n    --hash=sha256:cd"])
REQUIREMENT = st.builds("{}{}{}{}{}".format, PACKAGE, SPECIFIER, MARKER, HASHES, COMMENT)
LINE = st.one_of(
    REQUIREMENT, st.sampled_from(["", "# only this", "--pre", "--no-index", "  \t", "foo @ https://a.example/foo.zip"])
)


def as_pip_reads(path: Path) -> list[tuple[str, object]]:
    return [(" ".join(each.requirement.split()), each.options) for each in parse_requirements(str(path), PipSession())]


@settings(deadline=None, max_examples=200)
@given(st.lists(LINE, min_size=1), st.sampled_from(["\n", "\r\n"]), st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
def test_pip_reads_what_is_written_as_it_reads_the_list(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], newline: str, encoding: str
) -> None:
    folder = tmp_path_factory.mktemp("pip")
    text = newline.join([*lines, "last"])
    (folder / "before.txt").write_bytes(text.encode(encoding))
    (folder / "after.txt").write_text("\n".join(written(made(text.encode(encoding)))))
    assert as_pip_reads(folder / "after.txt") == as_pip_reads(folder / "before.txt")


def test_each_option_of_a_line_counts() -> None:
    line = "--index-url=https://a.example/s --extra-index-url https://b.example/s --find-links ./w --no-index --pre"
    assert written(made(f"{line}\na\n")) == [
        "--index-url https://a.example/s",
        "--extra-index-url https://b.example/s",
        "--find-links /.recipe/1/w",
        "--no-index",
        "--pre",
        "a",
    ]


def test_lines_without_a_hash_beside_lines_with_one_are_told() -> None:
    hashed = "a==1 --hash=sha256:aa\n"
    assert ":2:1: `b==1` and 1 more: no hash" in notes(made(f"{hashed}b==1\n-e .\n"))
    assert "no hash" not in notes(made(hashed + "--pre\n")) + notes(made("b\n"))


def test_a_wheel_of_many_tags_is_not_worked_out() -> None:
    tags = "-".join([".".join(f"{kind}{n}" for n in range(400)) for kind in ("py", "abi", "linux")])
    assert base(made(f"https://h/torch-2.4-{tags}.whl\n")) == "python:3.11-slim"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("requirements.txt", "torch==2.{}\na\n"),
        ("requirements.txt", "https://h/torch-{}-cp39-cp39-linux_x86_64.whl\n"),
        ("requirements.txt", "numpy==1.{}\na\n"),
        ("requirements.txt", "# by pip-compile with Python 3.{}\na\n"),
        ("environment.yml", "channels: [c]\ndependencies:\n- cudatoolkit=11.{}\n"),
        ("pyproject.toml", '[project]\nrequires-python = ">=3.{}"\ndependencies = ["a"]\n'),
    ],
)
def test_numbers_of_any_length_are_read(name: str, text: str) -> None:
    assert made(text.format("9" * 5_000), name).text


@pytest.mark.parametrize(
    "line", ["-i http://[x", "file://[x/a.whl", "a @ http://[x", "http://[x/b.whl", "-f file://[x", "-e file:"]
)
def test_what_is_no_url_ends_nothing(line: str) -> None:
    assert "numpy" in written(made(f"{line}\nnumpy\n"))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_a_list_in_any_encoding_is_the_same_list(encoding: str) -> None:
    assert written(made("numpy==1.26.4\r\nscipy\r\n".encode(encoding))) == ["numpy==1.26.4", "scipy"]
    mark = codecs.BOM_UTF16_BE if encoding == "utf-16-be" else b""
    assert written(made(mark + "naïve\npandas\n".encode(encoding)))[-1] == "pandas"


def test_a_declared_encoding_counts_and_a_line_that_is_no_text_is_left_out() -> None:
    assert written(made("# -*- coding: latin-1 -*-\nnumpy  # für\n".encode("latin-1"))) == ["numpy"]
    recipe = made("numpy # ok\nn\xfcmpy\nscipy\n".encode("latin-1"))
    assert written(recipe) == ["numpy", "scipy"]
    assert ":2:1: this line is not UTF-8 text, and is left out: save the file as UTF-8\n" in notes(recipe)


# Lines that change, or go

CHANGED = [
    pytest.param("-e .", ["/.recipe/1/all"], "the image gets a copy of that folder", True, id="editable"),
    pytest.param("-e ./lib[extra]", ["/.recipe/1/lib[extra]"], "the image gets a copy", True, id="editable-extra"),
    pytest.param("--editable=file:///home/u/lib", ["/.recipe/1/lib"], "a copy", True, id="editable-url"),
    pytest.param("./lib", ["/.recipe/1/lib"], "is copied into the image", False, id="folder"),
    pytest.param("../lib", ["/.recipe/1/lib"], "is copied into the image", False, id="neighbour"),
    pytest.param("w/a-1-py3-none-any.whl", ["/.recipe/1/a-1-py3-none-any.whl"], "copied", False, id="wheel"),
    pytest.param(
        "a @ file:///home/u/a-1.tar.gz", ["a @ file:///.recipe/1/a-1.tar.gz"], "must have it", True, id="named-file"
    ),
    pytest.param(
        "attrs @ file:///croot/attrs_1668696182826/work", ["attrs"], "has the versions", True, id="conda-build"
    ),
    pytest.param(
        "certifi @ file:///private/var/folders/x/croot/certifi_1671487769961/work/certifi",
        ["certifi"],
        "has the versions",
        True,
        id="conda-build-mac",
    ),
    pytest.param(
        "idna @ file:///home/conda/feedstock_root/build_artifacts/idna_1/work", ["idna"], "versions", True, id="forge"
    ),
    pytest.param(
        "-e git+https://github.com/me/t.git@1a#egg=t",
        ["git+https://github.com/me/t.git@1a#egg=t"],
        "an image is not edited",
        False,
        id="editable-git",
    ),
    pytest.param("--find-links ./wheels", ["--find-links /.recipe/1/wheels"], "is copied", False, id="find-links"),
    pytest.param("-f wheels", ["--find-links /.recipe/1/wheels"], "is copied", False, id="find-links-short"),
    pytest.param(
        "-i https://pypi.example.org/simple",
        ["--index-url https://pypi.example.org/simple"],
        "must reach pypi.example.org",
        False,
        id="index",
    ),
    pytest.param(
        "--extra-index-url https://u:secret@pypi.example.org/simple",
        ["--extra-index-url https://u:secret@pypi.example.org/simple"],
        "the credentials for pypi.example.org stand in the definition file",
        True,
        id="credentials",
    ),
    pytest.param(
        "git+ssh://git@github.com/me/t.git", ["git+ssh://git@github.com/me/t.git"], "an SSH key", True, id="ssh"
    ),
    pytest.param("t @ git+ssh://git@h/t.git", ["t @ git+ssh://git@h/t.git"], "an SSH key", True, id="named-ssh"),
    pytest.param("git+git://github.com/a/b", ["git+git://github.com/a/b"], "no longer answers", True, id="git"),
    pytest.param("pkg-resources==0.0.0", [], "the distribution's own Python", False, id="ubuntu"),
    pytest.param("pywin32==306", [], "a package of Windows", False, id="windows"),
    pytest.param(r"a @ file:///C:/w/a.whl", [], "a file of Windows", True, id="windows-path"),
    pytest.param(r"C:\w\a.whl", [], "a file of Windows", True, id="windows-path-alone"),
    pytest.param(
        "idna @ file:///C:/ci_310/idna_1650000000000/work", ["idna"], "has the versions", True, id="conda-windows"
    ),
    pytest.param("mpi4py==3.1.5", ["mpi4py==3.1.5"], "needs MPI in the image", True, id="mpi"),
    pytest.param("numpy=1.19", [], "`name==version` for pip", True, id="conda-spelling"),
    pytest.param("numpy (1.19.2)", [], "`pip freeze`", True, id="pip-list"),
    pytest.param("numpy 1.19.2", [], "`pip freeze`", True, id="pip-list-columns"),
    pytest.param("numpy scipy", [], "one line has one package", True, id="two"),
    pytest.param("numpy==1.x!", [], "no requirement that pip reads", True, id="version"),
    pytest.param("--install-option=x", [], "pip has no such option for a file", True, id="option"),
    pytest.param("--index-url", [], "a value is missing behind it", True, id="no-value"),
    pytest.param("numpy -f https://h/w", ["numpy"], "in a line of its own", True, id="option-of-a-line"),
    pytest.param("a @ ./a", ["a @ file:///.recipe/1/a"], "is copied", False, id="named-path"),
    pytest.param("git+file:///home/u/r", ["git+file:///home/u/r"], "of the old system", True, id="local-repository"),
    pytest.param("./dist/*.whl", [], "cannot be written in %files", True, id="pattern"),
    pytest.param("numpy --fast", ["numpy"], "pip has no such option behind a requirement", True, id="option-behind"),
    pytest.param(
        "numpy==1.21.4+computecanada", ["numpy==1.21.4+computecanada"], "a build of one site", True, id="local"
    ),
    pytest.param("-r none.txt", [], "there is no file none.txt beside this one", True, id="none"),
    pytest.param(
        "-r https://example.org/r.txt", ["-r https://example.org/r.txt"], "are not looked at here", True, id="remote"
    ),
    pytest.param("a'b/c", [], "cannot be written in %files", True, id="unwritable"),
    pytest.param("foo @ https://${TOKEN}@h/foo.zip", ["foo @ https://${TOKEN}@h/foo.zip"], "${TOKEN}", True, id="var"),
]


@pytest.mark.parametrize(("line", "lines", "told", "look"), CHANGED)
def test_a_line_that_cannot_stay_is_told_with_its_place(line: str, lines: list[str], told: str, look: bool) -> None:  # noqa: FBT001
    recipe = made(f"# list\n {line}\nanother\n", base="python:3.9")
    assert written(recipe) == [*lines, "another"]
    [note] = [note for note in recipe.notes if told in note.text]
    assert (note.line, note.look) == (2, look)
    assert "secret" not in notes(recipe)


def test_no_other_line_is_told_of() -> None:
    assert notes(made("\n".join(KEPT), base="python:3.9")) == ""


def test_files_named_by_other_files_are_followed_with_their_own_places() -> None:
    recipe = made(
        "-r requirements/base.txt\n-c limits.txt\n",
        **{"requirements/base__txt": "-r more.txt\nnumpy\nbad =1\n", "requirements/more__txt": "-r base.txt\nscipy\n"},
        limits__txt="numpy<2\n",
    )
    assert written(recipe) == ["scipy", "numpy"]
    assert written(recipe, "constraints.txt") == ["numpy<2"]
    assert "--constraint /opt/environment/constraints.txt" in recipe.text
    assert "requirements/base.txt:3:5: `bad =1` is no requirement" in notes(recipe)


# The base


@pytest.mark.parametrize(
    ("text", "image"),
    [
        ("numpy\n", "python:3.11-slim"),
        ("# by pip-compile with Python 3.8\nnumpy\n", "python:3.8-slim"),
        ("#    uv pip compile --python-version 3.12 requirements.in\nnumpy\n", "python:3.12-slim"),
        ("https://h/torch-2.4.0%2Bcu121-cp310-cp310-linux_x86_64.whl\n", "nvcr.io/nvidia/pytorch:24.05-py3"),
        ("https://h/a-1.0-cp39-cp39-linux_x86_64.whl\n", "python:3.9-slim"),
        ("numpy==1.16.4\n", "python:3.7-slim"),
        ("numpy==1.19.5\n", "python:3.8-slim"),
        ("numpy==1.23.1\n", "python:3.10-slim"),
        ("numpy==1.26.4\n", "python:3.11-slim"),
        ("numpy<1.20\n", "python:3.11-slim"),
        ("# by pip-compile with python 3.9\nnumpy==1.19.5\n", "python:3.9-slim"),
        ("-e .\n", "python:3.11"),
        ("git+https://h/a.git\n", "python:3.11"),
        ("w/a-1-py3-none-any.whl\n", "python:3.11-slim"),
        ("torch\n", "nvcr.io/nvidia/pytorch:24.10-py3"),
        ("torch==2.4.1\n", "nvcr.io/nvidia/pytorch:24.05-py3"),
        ("torch>=1.9,<2\n", "nvcr.io/nvidia/pytorch:23.01-py3"),
        ("torch>=2.0\n", "nvcr.io/nvidia/pytorch:24.10-py3"),
        ("torch==2.6.0\n", "nvcr.io/nvidia/pytorch:24.12-py3"),
        ("torch==1.11.*\n", "nvcr.io/nvidia/pytorch:22.01-py3"),
        ("torch==99.1\n", "nvcr.io/nvidia/pytorch:26.03-py3"),
        ("torch==1.9.0+cu111\n", "nvcr.io/nvidia/pytorch:21.12-py3"),
        ("pytorch-lightning\nnumpy\n", "nvcr.io/nvidia/pytorch:24.10-py3"),
        ("torch==2.4.1+cpu\n", "python:3.11-slim"),
        ("--index-url https://download.pytorch.org/whl/cpu\ntorch\n", "python:3.11-slim"),
        ("tensorflow==2.12\n", "nvcr.io/nvidia/tensorflow:24.10-tf2-py3"),
        ("tensorflow-gpu==1.15.5\n", "nvcr.io/nvidia/tensorflow:23.03-tf1-py3"),
    ],
)
def test_the_base_is_chosen_by_what_is_asked_for(text: str, image: str) -> None:
    recipe = made(text + "another\n")
    assert base(recipe) == image
    assert f"# Base: {image}: " in recipe.text


def test_what_the_base_has_is_left_to_it_and_pip_may_not_replace_it() -> None:
    text = "torch==1.11.0\ntorchvision\nnvidia-cublas-cu11==1.2\ntimm\n"
    recipe = made(text + "-c limits.txt\n", limits__txt="torch<2\ntimm<1\n")
    assert written(recipe) == ["timm"]
    assert written(recipe, "constraints.txt") == ["timm<1"]
    assert "--constraint /opt/environment/image.txt" in recipe.text
    assert [(note.line, note.look) for note in recipe.notes] == [(1, True), (1, True), (2, False), (3, False)]
    assert written(made(text, base="python:3.9")) == text.split()


def test_what_concerns_many_lines_is_told_once() -> None:
    lines = [f"p{n} @ file:///croot/p{n}_1668696182826/work\nq{n}==1+site\nnvidia-p{n}-cu12==1" for n in "abc"]
    told = notes(made("torch==2.5\n" + "\n".join(lines)))
    assert re.findall(r"^:(\d+):1: `(\S+)` and 2 more: ", told, flags=re.MULTILINE) == [
        ("2", "pa"),
        ("3", "qa==1+site"),
        ("4", "nvidia-pa-cu12==1"),
    ]
    assert told.count("\n") == 4


def test_a_release_that_knows_no_h100_is_told() -> None:
    assert "nvcr.io/nvidia/pytorch:22.01-py3 has CUDA 11.6, which knows no GPU newer than A100" in notes(
        made("torch==1.11\nx\n")
    )
    assert "A100" not in notes(made("torch==1.13\nx\n"))


@pytest.mark.parametrize(
    ("base_option", "header"),
    [
        ("docker://ubuntu:24.04", "Bootstrap: docker\nFrom: ubuntu:24.04\n"),
        ("oras://ghcr.io/a/b:1", "Bootstrap: oras\nFrom: ghcr.io/a/b:1\n"),
        ("./base.sif", "Bootstrap: localimage\nFrom: ./base.sif\n"),
        ("/work/images/base", "Bootstrap: localimage\nFrom: /work/images/base\n"),
        ("nvcr.io/nvidia/pytorch:25.03-py3", "Bootstrap: docker\nFrom: nvcr.io/nvidia/pytorch:25.03-py3\n"),
    ],
)
def test_another_base_is_taken_as_it_is_given(base_option: str, header: str) -> None:
    assert header in made("numpy\n", base=base_option).text
    assert header in made("dependencies: [numpy]\n", "environment.yml", base=base_option).text


@pytest.mark.parametrize("name", ["", "a b", "shub://a/b", "x\nStage: y", "-x", "{{ x }}", "a:$(id)"])
def test_a_base_that_no_header_can_name_is_refused(name: str) -> None:
    with pytest.raises(SifmigrateError, match="--base"):
        made("numpy\n", base=name or " ")


# conda

EXPORTED = """\
name: lab
channels:
  - pytorch
  - conda-forge
dependencies:
  - python=3.8.18
  - pytorch=1.13.1=py3.8_cuda11.7_cudnn8.5.0_0
  - pytorch-cuda=11.7
  - numpy>=1.20,<2  # arrays
  - conda-forge::gdal
  - pip:
      - black==22.1.0
      - -e .
      - -r requirements.txt
variables:
  OMP_PLACES: cores
  LEVEL: 3
prefix: /home/u/miniconda3/envs/lab
"""


def test_an_environment_of_conda_is_written_for_conda_and_then_for_pip() -> None:
    recipe = made(EXPORTED, "environment.yml", requirements__txt="scipy\n")
    assert base(recipe) == "mambaorg/micromamba:1.5.8"
    assert written(recipe, "environment.yml") == [
        "channels:",
        "  - pytorch",
        "  - conda-forge",
        "dependencies:",
        "  - python=3.8.18",
        "  - pytorch=1.13.1=py3.8_cuda11.7_cudnn8.5.0_0",
        "  - pytorch-cuda=11.7",
        "  - numpy>=1.20,<2",
        '  - "conda-forge::gdal"',
        "  - pip",
    ]
    assert written(recipe) == ["black==22.1.0", "/.recipe/1/all", "scipy"]
    assert "/opt/env/bin/python -m pip install" in recipe.text
    assert "export CONDA_OVERRIDE_CUDA=11.7" in recipe.text
    environment = recipe.text.partition("%environment\n")[2]
    assert environment.split("\n")[:4] == [
        '    export PATH=/opt/env/bin:"${PATH}"',
        "    export CONDA_PREFIX=/opt/env",
        "    export OMP_PLACES=cores",
        "    export LEVEL=3",
    ]
    told = {note.line: (note.look, note.text) for note in recipe.notes}
    assert {line: look for line, (look, _) in told.items()} == {1: False, 7: True, 8: True, 13: True, 18: False}
    assert "no CUDA before 11.8" in told[8][1]
    assert "names a build" in told[7][1]


def test_builds_and_packages_of_another_system_go() -> None:
    text = "channels: [defaults]\ndependencies:\n- numpy=1.2=py38_0\n- vs2015_runtime=14.2=h0\n- pywin32=1\n"
    recipe = made((text + "prefix: C:\\Users\\u\\env\n").encode("utf-16"), "environment.yml")
    assert written(recipe, "environment.yml")[2:] == ["dependencies:", "  - numpy=1.2"]
    assert "a package of Windows" in notes(recipe)


def test_without_channels_conda_takes_its_defaults() -> None:
    recipe = made("dependencies:\n- numpy\n", "environment.yaml")
    assert written(recipe, "environment.yml") == ["channels:", "  - defaults", "dependencies:", "  - numpy"]
    assert [note.look for note in recipe.notes] == [False]


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ("- 3.8", "3:3: this is no package"),
        ("- {conda: [a]}", "3:3: this is no package"),
        ("- pip: black", "3:8: `pip:` is no list"),
        ("- pip: [{a: b}]", "3:9: this is no requirement of pip"),
        ("- '{{ name }}'", "3:3: `{{ name }}` is no package"),
        ("- pip: ['numpy =1']", "3:"),
    ],
)
def test_an_entry_that_conda_would_not_take_is_left_out_and_told(entry: str, told: str) -> None:
    recipe = made(f"channels: [c]\ndependencies:\n{entry}\n- numpy\n", "environment.yml")
    assert "  - numpy" in written(recipe, "environment.yml")
    assert f":{told}" in notes(recipe)


def test_variables_that_no_shell_could_export_are_left_out() -> None:
    text = "dependencies: [a]\nchannels: [b]\nvariables:\n  GOOD: 'x y'\n  a-b: 1\n  PATH: /x\n  L: [1]\n  E:\n"
    recipe = made(text, "environment.yml")
    assert re.findall(r"export (?!PYTHON|CONDA)(.*)", recipe.text.partition("%environment")[2]) == [
        'PATH=/opt/env/bin:"${PATH}"',
        "GOOD='x y'",
        "E=''",
    ]
    assert [note.line for note in recipe.notes] == [5, 6, 7]


@pytest.mark.parametrize("text", ["channels: c\ndependencies: [a]\n", "channels: [c]\ndependencies:\n- a\n- pip:\n"])
def test_what_conda_takes_in_another_form_is_taken(text: str) -> None:
    assert {"  - a", "  - c"} <= set(written(made(text, "environment.yml"), "environment.yml"))
    assert notes(made(text, "environment.yml")) == ""


def test_an_explicit_list_stays_as_it_is() -> None:
    url = "https://conda.anaconda.org/conda-forge/linux-64/numpy-1.26.4-py311_0.conda#0123"
    recipe = made(f"# platform: linux-64\n@EXPLICIT\n{url}\nnumpy\nfile:///a/b.conda\n", "spec.txt")
    assert written(recipe, "explicit.txt") == ["@EXPLICIT", url]
    assert "micromamba create --prefix /opt/env --file /opt/environment/explicit.txt" in recipe.text
    assert [note.line for note in recipe.notes] == [4, 5]
    mac = made(f"@EXPLICIT\n{url.replace('linux-64', 'osx-arm64')}\n", "spec-file.lock")
    assert "1 packages are for osx-arm64" in notes(mac)


def test_a_list_of_conda_that_is_called_requirements_is_known_by_its_lines() -> None:
    text = "# platform: linux-64\nnumpy=1.19.2=py38h54aff64_0\npython=3.8.5=h7\nblack=22.1=pypi_0\n"
    recipe = made(text, "requirements.txt")
    assert written(recipe, "environment.yml")[-3:] == [
        "  - numpy=1.19.2=py38h54aff64_0",
        "  - python=3.8.5=h7",
        "  - pip",
    ]
    assert written(recipe) == ["black==22.1"]


# pyproject.toml


def test_the_dependencies_of_a_project_are_taken_and_its_python() -> None:
    text = '[project]\nname = "x"\nrequires-python = ">=3.8,<3.10"\ndependencies = [\n  "numpy>=1",\n  "bad =1",\n]\n'
    recipe = made(text + '[project.optional-dependencies]\ngpu = ["cupy"]\n', "pyproject.toml")
    assert written(recipe) == ["numpy>=1"]
    assert base(recipe) == "python:3.9-slim"
    assert [(note.line, note.look) for note in recipe.notes] == [(1, False), (6, True), (8, True)]


# What is no such file


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("requirements.txt", b"", "requirements.txt: no line names a package"),
        ("requirements.txt", b"# nothing\n", "requirements.txt: no line names a package"),
        (
            "requirements.txt",
            b"\n-r none.txt\n",
            "requirements.txt:2:1: no line names a package that an image could have: `-r",
        ),
        ("requirements.txt", b"numpy\nx\0y", "requirements.txt:2:1: there is a NUL byte here"),
        ("environment.yml", b"a: [\n", "environment.yml:2:1: not valid YAML"),
        ("environment.yml", b"services: {}\n", "environment.yml:1:1: this is no environment.yml"),
        ("environment.yml", b"- numpy\n", "environment.yml:1:1: this is no environment.yml"),
        ("conda-lock.yml", b"version: 1\nmetadata: {}\npackage: []\n", "conda-lock render --kind explicit"),
        ("poetry.lock", b"", "poetry export"),
        ("Pipfile", b"", "pipenv requirements"),
        ("pyproject.toml", b"[tool.poetry]\n", "poetry export"),
        ("pyproject.toml", b"[project\n", "pyproject.toml:1:9: not valid TOML"),
    ],
)
def test_what_is_no_list_of_packages_is_one_line(name: str, data: bytes, message: str) -> None:
    with pytest.raises(SifmigrateError) as caught:
        made(data, name)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


NAMES = ["requirements.txt", "environment.yml", "pyproject.toml", "spec.txt", "poetry.lock"]
WORDS = st.sampled_from(
    [
        *(
            "numpy==1",
            "torch==2.4",
            "-e .",
            "-r x",
            "-c",
            "--hash=sha256:a",
            "\\\n",
            "\n",
            " ; ",
            "{{ x }}",
            "%post",
            "'",
        ),
        *(
            "- ",
            "dependencies:\n",
            "channels:",
            "pip:",
            "@EXPLICIT\n",
            "https://a/linux-64/b",
            "[project]\n",
            '"',
            "é",
            "\r",
        ),
        *(
            "http://[x",
            "-i ",
            "file:",
            "9" * 5_000,
            "file:///croot/a",
            " @ ",
            "\t",
            "bootstrap:",
            "$HOME",
            "`id`",
            "&a *a",
            "variables:\n  A: ",
            "\N{BOM}",
            "\x1b[31m",
        ),
    ]
)


@settings(max_examples=600, deadline=None)
@given(st.sampled_from(NAMES), st.one_of(st.binary(), st.lists(WORDS, max_size=30).map(lambda w: "".join(w).encode())))
def test_any_bytes_become_a_definition_file_or_one_clear_line(name: str, data: bytes) -> None:
    with suppress(SifmigrateError):
        recipe = made(data, name)
        assert {title.split()[0] for title, _ in sections(recipe.text)} <= SECTIONS
        post = "".join(text for title, text in sections(recipe.text) if title == "%post")
        checked = subprocess.run(["sh", "-n"], input=post, text=True, capture_output=True, check=False)
        assert (checked.returncode, checked.stderr) == (0, "")


def test_a_list_that_no_section_could_hold_is_written_in_parts() -> None:
    lines = [f"package-{number}==1.0 --hash=sha256:{'0' * 64}" for number in range(2_000)]
    recipe = made("\n".join(lines), base="python:3.9")
    assert written(recipe) == lines
    assert all(len(text) < 65_536 for _, text in sections(recipe.text))
    assert notes(recipe) == ""


MANY = {
    "packages": ("requirements.txt", "", "p{n}==1.0 ; python_version > '3'\n"),
    "hashes": ("requirements.txt", "", "p{n}==1 \\\n  --hash=sha256:{n}\n"),
    "hashes of one": ("requirements.txt", "p==1", " \\\n  --hash=sha256:{n}"),
    "folders": ("requirements.txt", "", "-e ./p{n}\n"),
    "frameworks": ("requirements.txt", "", "torch==2.{n}\nnvidia-cublas-cu{n}\n"),
    "builds": ("requirements.txt", "--no-index\n", "p==1+a{n}\n"),
    "indexes": ("requirements.txt", "p==1+a\n", "--extra-index-url https://h/{n}\n"),
    "lost versions": ("requirements.txt", "", "p{n} @ file:///croot/p_1668696182826/work\n"),
    "faults": ("requirements.txt", "a\n", "p{n} =1\n"),
    "conda": ("environment.yml", "channels: [c]\ndependencies:\n", "- p{n}=1=py38_0\n"),
    "pip of conda": ("environment.yml", "dependencies:\n- pip:\n", "  - p{n}==1\n"),
    "urls": ("spec.txt", "@EXPLICIT\n", "https://h/t/abcdefgh/osx-64/p{n}\n"),
    "project": ("pyproject.toml", "[project]\ndependencies = [\n", '"p{n}",\n'),
}


@pytest.mark.parametrize("kind", MANY)
def test_no_line_of_the_program_runs_more_often_than_a_list_is_long(kind: str) -> None:
    name, head, line = MANY[kind]
    ending = "]\n" if name == "pyproject.toml" else "\n"

    def steps(number: int) -> Counter[Place]:
        text = head + "".join(line.format(n=n) for n in range(number)) + ending
        return steps_of(lambda: made(text, name))

    one, two, four = (steps(number) for number in (40, 80, 160))
    slow = [place for place, count in four.items() if grows_too_fast(one[place], two[place], count, few=400)]
    assert slow == []


def test_files_that_name_each_other_without_end_are_refused() -> None:
    with pytest.raises(SifmigrateError, match="more than 50 files"):
        packages_recipe(b"-r 1.txt\n", name="r.txt", read=lambda path: f"-r {path}.txt\n".encode())


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("torch==1.9.0+cu111\n", ["1: `torch==1.9.0+cu111`: PyPI does not have that build"]),
        ("https://h/torch-1.9.0%2Bcu111-cp38-cp38-linux_x86_64.whl\n", []),
        ("torch==1.9.0+cu111\n-f https://download.pytorch.org/whl/torch_stable.html\n", []),
        ("--extra-index-url https://download.pytorch.org/whl/cu111\ntorch==1.9.0+cu111\n", []),
    ],
)
def test_a_build_of_another_index_is_told_where_no_line_names_that(text: str, told: list[str]) -> None:
    found = [f"{note.line}: {note.text}" for note in made(text, base="python:3.9").notes if note.look]
    assert [each.partition(": a line")[0] for each in found] == told
    assert not any("PyPI" in note.text for note in made(text).notes)


def test_the_page_shows_what_comes_out() -> None:
    page = (Path(__file__).parents[1] / "docs" / "recipe.md").read_text()
    shows = dict(re.findall(r"<!-- (\w+) -->\n```\w+\n(.*?)```", page, flags=re.DOTALL))
    recipe = made(shows["list"])
    assert (recipe.text, notes(recipe).replace("\n:", "\nrequirements.txt:")) == (
        shows["packages"],
        shows["told"].removeprefix("requirements.txt"),
    )


# The command


def test_the_command_tells_files_apart_by_name(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM debian:12\n")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/requirements.txt").write_text("-r base.txt\nnumpy\n")
    (tmp_path / "sub/base.txt").write_text("bad =1\n")
    code, out, err = sifmigrate(tmp_path, "recipe", "sub/requirements.txt", "--base", "python:3.12-slim")
    assert (code, "From: python:3.12-slim\n" in out) == (1, True)
    assert err.startswith("sub/base.txt:1:5: `bad =1` is no requirement")
    assert sifmigrate(tmp_path, "recipe", "Dockerfile", "--base", "x")[::2] == (
        2,
        "sifmigrate: Dockerfile: --base is for lists of packages: a Dockerfile names its base behind FROM\n",
    )
    assert sifmigrate(tmp_path, "recipe", "sub/requirements.txt", "--build-arg", "A=1")[0] == 2


def test_what_is_only_said_leaves_exit_code_0(tmp_path: Path) -> None:
    (tmp_path / "environment.yml").write_text("name: lab\nchannels: [conda-forge]\ndependencies: [numpy]\n")
    code, _, err = sifmigrate(tmp_path, "recipe", "environment.yml")
    assert (code, err.startswith("environment.yml:1:1: `name: lab` goes")) == (0, True)


def test_a_script_is_no_list() -> None:
    assert reader_of("job.sh", b"#!/bin/bash\nnumpy\n") is None
    assert reader_of("Dockerfile", b"FROM a\n") is None
