"""Parameter files: which are found, how each library reads its own, and the promises over any bytes in them."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from migrate.engine import Plan, run
from migrate.files.discover import discover
from migrate.inventory import take
from migrate.model import Gap, Source
from migrate.reader.parameters import GRAMMARS, Entry, entries
from migrate.runs.setup import make_plan

TABLES = make_plan("slinky").rulebook.tables
NETWORK = {"fabric": "rdma", "interfaces": ("eth0",), "devices": ("mlx5_10", "mlx5_11"), "mpi": "pmix"}


@pytest.fixture(scope="session")
def stated(slinky: Plan) -> Plan:
    """A target that says what its network is, so that settings go and names change."""
    return replace(slinky, target=replace(slinky.target, **NETWORK))


# ------------------------------------------------------------------------------------------------ which are found

FOUND = {
    "openmpi-mca-params.conf": b"btl = tcp\n",
    ".openmpi/mca-params.conf": b"btl = tcp\n",
    ".pmix/mca-params.conf": b"gds = hash\n",
    ".prte/mca-params.conf": b"plm = slurm\n",
    "etc/pmix-mca-params.conf": b"gds = hash\n",
    "etc/prte-mca-params.conf": b"plm = slurm\n",
    "etc/nccl.conf": b"# ours\nNCCL_DEBUG=WARN\n",
    ".nccl.conf": b"UCX_TLS=rc",
    "ucx.conf": b"[a]\nUCX_TLS=rc\n",
    ".deepspeed_env": b"NCCL_DEBUG=WARN\n",
    "job.env": b"# for --env-file\nA=b c\n  export UCX_TLS=rc\n",
    "env/.env": b"NCCL_DEBUG=WARN",
}
PASSED_OVER = {
    "foo.conf": b"NCCL_DEBUG=WARN\n",
    "nccl.conf.old": b"NCCL_DEBUG=WARN\n",
    "my-nccl.conf": b"NCCL_DEBUG=WARN\n",
    "web/nccl.conf": b"server {\n  listen = 80;\n}\n",
    "empty/nccl.conf": b"",
    "comments/openmpi-mca-params.conf": b"# btl = tcp\n\n",
    "binary/ucx.conf": b"UCX_TLS=rc\n\0",
    "shell/nccl.conf": b"#!/bin/bash\n#SBATCH -N 1\nexport NCCL_DEBUG=WARN\n",
    "env/.deepspeed_env": b"PATH=/usr/bin\n",
    ".env": b"TOKEN=x\nMY_UCX_TLS=rc\n",
    "web.env": b"# UCX_TLS=rc\nTOKEN=UCX_TLS=rc\n",
    "binary/job.env": b"UCX_TLS=rc\n\0",
}


def test_files_are_found_by_name_where_they_set_something(tmp_path: Path) -> None:
    for name, data in (FOUND | PASSED_OVER).items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
    found, faults = discover([str(tmp_path)], TABLES)
    assert faults == []
    assert sorted(Path(f.path).relative_to(tmp_path).as_posix() for f in found) == sorted(FOUND)
    named = [str(tmp_path / name) for name in ("web/nccl.conf", "ucx.conf")]
    assert [f.path for f in discover(named, TABLES)[0]] == named
    assert [f.path for f in discover(named, TABLES, only_scripts=True)[0]] == named[1:]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("mca-params.conf", "OMPI_MCA_x"),
        ("/home/a/.openmpi/mca-params.conf", "OMPI_MCA_x"),
        (".prte/mca-params.conf", "PRTE_MCA_x"),
        ("/home/a/.pmix/mca-params.conf", "PMIX_MCA_x"),
        ("not.pmix/mca-params.conf", "OMPI_MCA_x"),
        ("pmix-mca-params.conf", "PMIX_MCA_x"),
        ("/etc/nccl.conf", "x"),
    ],
)
def test_the_name_of_a_file_says_whose_parameters_it_has(path: str, name: str) -> None:
    assert [i.name for i in take(Source(path, b"x=1\n"), TABLES).items] == [name]


@pytest.mark.parametrize(
    ("folder", "path", "name"),
    [
        (".openmpi", "mca-params.conf", "OMPI_MCA_x"),
        (".pmix", "mca-params.conf", "PMIX_MCA_x"),
        (".prte", "./mca-params.conf", "PRTE_MCA_x"),
        (".prte", "../.pmix/mca-params.conf", "PMIX_MCA_x"),
        (".prte", "jobs/mca-params.conf", "OMPI_MCA_x"),
        (".prte", "pmix-mca-params.conf", "PMIX_MCA_x"),
    ],
)
def test_the_folder_that_one_stands_in_says_it_too(
    folder: str, path: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / folder).mkdir()
    monkeypatch.chdir(tmp_path / folder)
    assert [i.name for i in take(Source(path, b"x=1\n"), TABLES).items] == [name]


# --------------------------------------------------------------------------------------------- how each is read


def read(grammar: str, data: bytes) -> list[str]:
    """Each setting as NAME=value, `-x` before one of mpirun's; a gap as ? and its bytes."""
    return [_shown(data, each) for each in entries(data, GRAMMARS[grammar])]


def _shown(data: bytes, each: Entry | Gap) -> str:
    if isinstance(each, Gap):
        return "?" + data[slice(*each.span)].decode("latin-1")
    value = "" if each.value is None else "=" + data[slice(*each.value)].decode("latin-1")
    return f"-{each.option} {each.name}{value}" if each.option else each.name + value


@pytest.mark.parametrize(
    ("grammar", "data", "found"),
    [
        # comments
        ("keyval", b"# a = 1\n  #a=1\n// a = 1\n\t\n\n", []),
        ("keyval", b"/* a = 1 */\n/*\na = 1\n*/\n/* a = 1", []),
        ("keyval", b"# /*\na=1\n# */\n", ["a=1"]),
        ("nccl", b"# A=1\n\n  # A=1\n", []),
        ("ini", b"# A=1\n; A=1\n  ;A=1\n[a] b\n\n", []),
        # settings
        ("keyval", b"btl = tcp,self\t \n  pml=ob1", ["btl=tcp,self", "pml=ob1"]),
        ("keyval", b'a.b-c = "x y" # z\r\nd =\n', ['a.b-c="x y" # z', "d="]),
        ("keyval", b"a = /* 1\nb = = 2\n", ["a=/* 1", "b== 2"]),
        ("keyval", b"-mca a 1 --mca b 2\n-x C=3 -x D\n", ["-mca a=1", "-mca b=2", "-x C=3", "-x D"]),
        ("nccl", b"A=1 # one\r\nB= 2 \nC==x", ["A=1 # one", "B= 2 ", "C==x"]),
        ("ini", b"\xef\xbb\xbfA = 1 ; one\nB:2;3\nC =\nCPU model = v*\n", ["A=1", "B=2;3", "C=", "CPU model=v*"]),
        ("ini", b"A=1\n[b]\n  C=2\n", ["A=1", "C=2"]),
        ("deepspeed", b"A=1=2\r\n B = 'x y' \n", ["A=1=2", "B='x y'"]),
        # lines that set nothing
        ("keyval", b"btl tcp\na b = 1\n= 1\n", ["?btl tcp", "?a b = 1", "?= 1"]),
        ("keyval", b"-mca a 'b c'\n-mca a\n--mcx a b\n", ["?-mca a 'b c'", "?-mca a", "?--mcx a b"]),
        ("keyval", b"a /* b\nc = 1\n*/ d = 1\ne=1", ["?a /* b", "?*/ d = 1", "e=1"]),
        ("nccl", b"A =1\n B=1\nexport C=1\nd\n=1\n", ["?A =1", "? B=1", "?export C=1", "?d", "?=1"]),
        ("ini", b"A\n[b\nC ;x = 1\n", ["?A", "?[b", "?C ;x = 1"]),
        ("ini", b"A=1\n\n  B=2\n\tC=3\nD=4\n", ["A=1", "?  B=2", "?\tC=3", "D=4"]),
        ("deepspeed", b"# A=1\n\nexport B=1\n", ["?# A=1", "?", "?export B=1"]),
    ],
)
def test_lines_are_read_as_the_library_reads_them(grammar: str, data: bytes, found: list[str]) -> None:
    assert read(grammar, data) == found


def test_a_setting_that_a_line_goes_on_with_is_not_edited(stated: Plan) -> None:
    data = b"UCX_NET_DEVICES=mlx5_0:1\n  mlx5_1:1\n"
    result = run(Source("ucx.conf", data), stated)
    assert not result.changed
    assert [e.fate for e in result.entries] == ["review"]
    assert len(result.gaps) == 1


# ------------------------------------------------------------------------------------------------ what becomes of it

BEFORE = b"""\
# fabric of the old site\r
btl = self,vader,openib\r
btl_tcp_if_include = ib0\t\r
   pml   =   ob1\r
/* pinned */\r
-mca oob_tcp_if_include bond0 -x NCCL_IB_DISABLE=1 -x PATH\r
mpi_warn_on_fork = 0\r
mtl psm2\r
"""
AFTER = b"""\
# fabric of the old site\r
btl_tcp_if_include = eth0\t\r
/* pinned */\r
-mca oob_tcp_if_include eth0 -x PATH\r
mpi_warn_on_fork = 0\r
mtl psm2\r
"""


def test_nothing_changes_while_the_network_is_not_stated(slinky: Plan) -> None:
    result = run(Source("openmpi-mca-params.conf", BEFORE), slinky)
    assert result.output == BEFORE
    assert result.readiness == "review"
    assert [(e.line, e.column, e.rule) for e in result.entries if e.fate == "review"] == [
        (2, 1, "openmpi-btl"),
        (3, 1, "openmpi-interface"),
        (4, 4, "openmpi-pml"),
        (6, 1, "openmpi-interface"),
        (6, 31, "nccl-ib-disable"),
    ]
    assert [result.source.position(g.span.start) for g in result.gaps] == [(8, 1)]


def test_pins_go_with_their_lines_and_names_change_in_place(stated: Plan) -> None:
    result = run(Source("openmpi-mca-params.conf", BEFORE), stated)
    assert (result.output, result.fault) == (AFTER, "")
    assert [result.source.text(g.span) for g in result.gaps] == ["mtl psm2"]


def test_a_comment_silences_a_rule(slinky: Plan) -> None:
    data = b"# sifmigrate: ignore[nccl-hca] measured\nNCCL_IB_HCA=mlx5_0\n"
    result = run(Source("nccl.conf", data), slinky)
    assert [e.fate for e in result.entries] == ["kept"]


@pytest.mark.parametrize("path", [".deepspeed_env", "nccl.conf", "ucx.conf", "mca-params.conf"])
def test_no_comment_is_written_into_a_file_that_has_its_own(slinky: Plan, path: str) -> None:
    data = b"NCCL_IB_HCA=mlx5_0\nbtl=openib\n"
    result = run(Source(path, data), replace(slinky, annotate=True))
    assert result.readiness == "review"
    assert not result.changed


def test_the_same_text_as_a_script_is_a_script(slinky: Plan) -> None:
    job = take(Source("nccl.conf.sh", b"# A\nbtl = tcp\n"), slinky.rulebook.tables)
    assert job.shell == ""


# ------------------------------------------------------------------------------------------------ any bytes

PATHS = ["openmpi-mca-params.conf", ".prte/mca-params.conf", "nccl.conf", "ucx.conf", ".deepspeed_env"]
LINES = [
    *(b"NCCL_IB_HCA=mlx5_0", b"NCCL_SOCKET_IFNAME = ib0", b"UCX_TLS=rc ; why", b"UCX_NET_DEVICES: mlx5_0:1"),
    *(b"btl = openib,self", b"pml=ob1", b"-mca pml ob1 -x NCCL_NET=IB", b"-x NCCL_IB_HCA", b"oob_tcp_if_include=ib0"),
    *(b"mca_base_env_list = UCX_TLS=rc;A=1", b"# c", b"// c", b"; c", b"[s]", b"", b"  ", b"\tx=1", b"  UCX_TLS=rc"),
    *(b"MASTER_ADDR=ib0", b"CUDA_VISIBLE_DEVICES=0,1", b"http_proxy=http://p:1", b"plm = rsh", b"I_MPI_FABRICS=dapl"),
    *(b"export A=1", b"=", b"-mca", b"'", b'"$(x', b"\xff=\xfe", b"\xef\xbb\xbfNCCL_NET=IB", b"/work/$USER", b"\r"),
]
text = st.builds(
    lambda lines, end, last: end.join(lines) + last,
    st.lists(st.one_of(st.sampled_from(LINES), st.binary(max_size=12)), max_size=8),
    st.sampled_from([b"\n", b"\r\n"]),
    st.sampled_from([b"", b"\n"]),
)
anything = st.one_of(text, st.binary(max_size=80), text.map(lambda data: b"/*" + data), text.map(lambda d: d + b"/*\n"))
SILENT = {
    "keyval": re.compile(rb"[ \t\f\v]*(?:#.*|//.*)?", re.DOTALL),
    "nccl": re.compile(rb"[ \t\f\v]*(?:#.*)?", re.DOTALL),
    "ini": re.compile(rb"[ \t\f\v]*(?:[#;].*|\[.*\].*)?", re.DOTALL),
    "deepspeed": re.compile(rb"(?!)"),
}
tries = settings(deadline=None, derandomize=True, max_examples=300, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("path", PATHS)
@tries
@given(data=anything)
def test_every_line_that_is_no_comment_is_an_item_or_a_gap(path: str, data: bytes) -> None:
    job = take(Source(path, data), TABLES)
    file = TABLES.parameter_file(path)
    assert file is not None
    told = [*(i.span for i in job.items), *(g.span for g in job.gaps)]
    assert all(0 <= s.start <= s.end <= len(data) and b"\n" not in data[slice(*s)] for s in told)
    if file.grammar == "keyval" and b"/*" in data:
        return  # what stands in such a comment is told by the table above
    start = 3 if file.grammar == "ini" and data.startswith(b"\xef\xbb\xbf") else 0
    for line in data[start:].split(b"\n")[: None if not data.endswith(b"\n") else -1] if data[start:] else []:
        end = start + len(line)
        here = [s for s in told if start <= s.start and s.end <= end]
        silent = SILENT[file.grammar].fullmatch(line.removesuffix(b"\r")) is not None
        assert bool(here) != silent, line
        start = end + 1


@pytest.mark.parametrize("path", PATHS)
@tries
@given(data=anything)
def test_the_promises_hold(slinky: Plan, stated: Plan, path: str, data: bytes) -> None:
    for plan in (slinky, stated, replace(stated, annotate=True), replace(stated, safe_only=True)):
        result = run(Source(path, data), plan)
        assert not result.fault
        assert not run(Source(path, result.output), plan).changed
        edits = sorted((e for entry in result.entries for e in entry.edits), key=lambda e: e.start)
        out, at = b"", 0
        for edit in edits:
            assert data[edit.start : edit.end] == edit.before
            out, at = out + data[at : edit.start] + edit.after, edit.end
        assert result.output == out + data[at:]
