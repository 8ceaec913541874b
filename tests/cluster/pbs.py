"""A stand-in for PBS Pro and Torque, of which no real one is at hand: what their manuals say that a job gets.

`python pbs.py FLAVOUR SPOOL qsub …` takes a job, runs it at once under bash, and prints its id. What differs between
the two is data (`FLAVOURS`). Each fact is of OpenPBS' and Torque's own documents and sources (qsub(1B),
pbs_resources(7B), src/resmom/start_exec.c, src/server/svr_jobfunc.c); nothing of sifmigrate is used here.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from getopt import GetoptError, getopt
from pathlib import Path
from typing import Any

HOSTS = ("n1", "n2", "n3", "n4")
SERVER = "pbs"
SIZES = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}


@dataclass(frozen=True)
class Flavour:
    """In what the two differ: their options, the names of an array's element, and how a request is read."""

    name: str
    options: str  # as getopt has them
    array: str  # the option of arrays
    element_file: str  # start_exec.c, svr_jobfunc.c: the tag behind NAME.oSEQ
    element_name: str  # job_func.c: what PBS_JOBNAME of an element is
    folder_file: str  # the file of a stream for which -o names a folder; empty: the usual one
    queue: str


PRO = Flavour("pro", "a:A:c:C:e:fhIj:J:k:l:m:M:N:o:p:P:q:r:R:S:u:v:VW:X:z", "J", ".{}", "{0}", "{id}.{end}", "workq")
TORQUE = Flavour(
    "torque", "a:A:b:c:C:d:D:e:fF:hIj:k:K:l:m:M:nN:o:p:P:q:r:S:t:T:u:v:Vw:W:xXz", "t", "-{}", "{0}-{1}", "", "batch"
)
FLAVOURS = {flavour.name: flavour for flavour in (PRO, TORQUE)}


class RefusedError(ValueError):
    """What qsub does not take."""


# ------------------------------------------------------------------------------------------------ header and line


@dataclass
class Asked:
    """What the header and the command line ask for; the line wins (qsub.c, `if_cmd_ln`)."""

    options: dict[str, str] = field(default_factory=dict)
    resources: dict[str, str] = field(default_factory=dict)
    attributes: dict[str, str] = field(default_factory=dict)

    def under(self, line: Asked) -> Asked:
        """These, and what the command line says above them."""
        return Asked(self.options | line.options, self.resources | line.resources, self.attributes | line.attributes)


def asked(words: Sequence[str], flavour: Flavour) -> tuple[Asked, list[str], bool]:
    """What options ask for, the operands, and whether `--` stood before them."""
    try:
        pairs, rest = getopt(list(words), flavour.options)
    except GetoptError as error:
        raise RefusedError(str(error)) from None
    found = Asked()
    for option, value in pairs:
        if option == "-l":
            found.resources |= dict(part.partition("=")[::2] for part in between_commas(value))
        elif option == "-W":
            found.attributes |= dict(part.partition("=")[::2] for part in re.split(r",(?=[a-zA-Z_]+=)", value))
        else:
            found.options[option[1:]] = value
    return found, rest, "--" in words[: len(words) - len(rest)]


def between_commas(text: str) -> Iterator[str]:
    """The parts of a list; quotes keep a comma (qsub(1B), -v)."""
    yield from re.findall(r"""(?:[^,'"]|'[^']*'|"[^"]*")+""", text)


def header(text: str, prefix: str = "#PBS") -> list[str]:
    """The words of the directives above the first command; a backslash at a line's end joins the next one."""
    words: list[str] = []
    for line in text.replace("\\\n", " ").split("\n"):
        if line.strip().startswith(prefix):
            words += shlex.split(line.strip()[len(prefix) :])
        elif line.strip() and line.strip()[0] not in "#:":
            break
    return words


# ------------------------------------------------------------------------------------------------ what a job is given


@dataclass
class Chunk:
    count: int
    cpus: int = 1
    lines: int = 1  # in the node file
    threads: int = 0
    gpus: int = 0
    memory: int = 0


@dataclass
class Given:
    """The node file's lines, and sums over the job."""

    chunks: list[Chunk]
    scattered: bool = True
    ppn: int = 1
    nodes: int = 1
    memory: int = 0  # bytes of the whole job
    gpus: int = 0

    @property
    def lines(self) -> list[str]:
        hosts = iter(HOSTS) if self.scattered else iter(HOSTS[:1] * 99)
        return [host for chunk in self.chunks for _ in range(chunk.count) for host in [next(hosts)] * chunk.lines]

    @property
    def threads(self) -> int:
        """NCPUS and OMP_NUM_THREADS of PBS Pro: ompthreads of the first chunk, else its ncpus."""
        return self.chunks[0].threads or self.chunks[0].cpus

    @property
    def cpus(self) -> int:
        return sum(chunk.count * chunk.cpus for chunk in self.chunks)


def given(asked: Asked, flavour: Flavour) -> Given:
    """What the request comes to (pbs_resources(7B); Torque's requesting resources)."""
    of, scattered = asked.resources, True
    if "select" in of:
        chunks = [pro_chunk(part) for part in of["select"].split("+")]
        scattered = "pack" not in of.get("place", "").split(":")
        found = Given(chunks, scattered, nodes=sum(c.count for c in chunks))
    elif "nodes" in of:
        chunks = [node_chunk(part) for part in of["nodes"].split("+")]
        found = Given(chunks, ppn=chunks[0].cpus, nodes=sum(c.count for c in chunks))
    elif flavour is TORQUE and "procs" in of:
        found = Given([Chunk(1, int(of["procs"]), int(of["procs"]))])
    elif flavour is TORQUE:
        found = Given([Chunk(1, int(of.get("ncpus", 1)))])
    else:
        found = Given([Chunk(1, int(of.get("ncpus", 1)), gpus=int(of.get("ngpus", 0)))])
    found.gpus = sum(chunk.count * chunk.gpus for chunk in found.chunks)
    found.memory = sum(chunk.count * chunk.memory for chunk in found.chunks)
    each = size(of.get("pmem", of.get("pvmem", "0"))) * found.cpus  # as if each processor had a process
    found.memory = found.memory or size(of.get("mem", of.get("vmem", "0"))) or each
    return found


def pairs(text: str) -> tuple[int, dict[str, str]]:
    first, *rest = text.split(":")
    count, rest = (int(first), rest) if first.isdecimal() else (1, [first, *rest])
    return count, dict(part.partition("=")[::2] for part in rest)


def pro_chunk(text: str) -> Chunk:
    count, of = pairs(text)
    numbers = {key: int(of[key]) for key in ("ncpus", "mpiprocs", "ompthreads", "ngpus") if key in of}
    return Chunk(
        count,
        numbers.get("ncpus", 1),
        numbers.get("mpiprocs", 1),
        numbers.get("ompthreads", 0),
        numbers.get("ngpus", 0),
        size(of.get("mem", "0")),
    )


def node_chunk(text: str) -> Chunk:
    """`2:ppn=4:gpus=1`: so many lines for each node; PBS Pro makes select=2:ncpus=4:mpiprocs=4 of it."""
    count, of = pairs(text)
    cpus = int(of.get("ppn", of.get("ncpus", "1")))
    return Chunk(count, cpus, cpus if "ppn" in of else 1, 0, int(of.get("gpus", 0)), size(of.get("mem", "0")))


def size(text: str) -> int:
    match = re.fullmatch(r"(\d+)([kmgt]?)([bw]?)", text.lower())
    if match is None:
        raise RefusedError(f"Illegal attribute or resource value: {text}")
    return int(match[1]) * SIZES[match[2]] * (8 if match[3] == "w" else 1)


def seconds(text: str) -> int:
    """[[[DD:]HH:]MM:]SS, in seconds."""
    total = 0
    for unit, part in zip((1, 60, 3600, 86400), reversed(text.partition(".")[0].split(":")), strict=False):
        total += unit * int(part)
    return total


def indices(text: str) -> list[int]:
    """`1-7:3%2`, `1,4-6`: the elements of an array."""
    found = []
    for part in text.partition("%")[0].split(","):
        span, _, step = part.partition(":")
        first, _, last = span.partition("-")
        found += list(range(int(first), int(last or first) + 1, int(step or 1)))
    return found


# ------------------------------------------------------------------------------------------------ a job


@dataclass(frozen=True)
class Submission:
    """A job as qsub took it: its text or program, what it asks for, and from where."""

    flavour: Flavour
    spool: Path
    number: int
    name: str
    text: str
    program: Sequence[str]
    asked: Asked
    folder: Path
    environment: Mapping[str, str]

    def run(self) -> int:
        """Run all elements, and return the worst exit status."""
        array = self.asked.options.get(self.flavour.array)
        self.keep(None)  # while it runs, it may submit others
        codes = [self.element(index) for index in (indices(array) if array else [None])]
        self.keep(codes)
        return max(codes)

    def keep(self, codes: Sequence[int] | None) -> None:
        """Write down how the elements ended: None for a job that did not run."""
        state = {"number": self.number, "name": self.name, "codes": codes, "asked": self.sums()}
        (self.spool / f"{self.number}.json").write_text(json.dumps(state))

    def sums(self) -> Mapping[str, int]:
        it, walltime = given(self.asked, self.flavour), self.asked.resources.get("walltime")
        return {
            "cpus": it.cpus,
            "gpus": it.gpus,
            "MiB": -(-it.memory // 2**20),
            "minutes": -(-seconds(walltime) // 60) if walltime else 0,
        }

    def element(self, index: int | None) -> int:
        """Run the job, or one element of the array, and deliver its files; the exit status."""
        job = f"{self.number}.{SERVER}" if index is None else f"{self.number}[{index}].{SERVER}"
        home, script = Path(self.environment["HOME"]), self.spool / f"{job}.SC"
        scratch = self.spool / f"tmp.{job}"
        script.write_text(self.text)
        script.chmod(0o700)
        variables = self.variables(job, index, scratch)
        if "TMPDIR" in variables:
            scratch.mkdir(mode=0o700)
        start = self.folder / self.asked.options["d"] if "d" in self.asked.options else home
        path = re.sub(r"([\[\]])", r"\\\1", str(script))
        line = f"{path} {self.asked.options.get('F', '')}\n"
        shell = [self.asked.options.get("S", "/bin/bash"), "-l"]
        mask = self.asked.attributes.get("umask", "") if self.flavour is PRO else ""
        out, err = self.spool / f"{job}.OU", self.spool / f"{job}.ER"
        with out.open("w") as stdout, err.open("w") as stderr:
            done = subprocess.run(
                list(self.program) or shell,
                input="" if self.program else line,
                text=True,
                stdout=stdout,
                stderr=stdout if self.asked.options.get("j") in {"oe", "eo"} else stderr,
                env=variables,
                cwd=start,
                umask=int(mask or "077", 8),
                check=False,
            )
        shutil.rmtree(scratch, ignore_errors=True)
        self.deliver(job, index, out, err)
        return done.returncode if done.returncode >= 0 else 256 - done.returncode

    def deliver(self, job: str, index: int | None, out: Path, err: Path) -> None:
        joined = self.asked.options.get("j", "n")
        if joined != "eo":
            shutil.copy(out, self.place("o", job, index))
        if joined == "eo":
            shutil.copy(out, self.place("e", job, index))
        if joined not in {"oe", "eo"}:
            shutil.copy(err, self.place("e", job, index))

    def place(self, stream: str, job: str, index: int | None) -> Path:
        """Where the file of a stream goes (svr_jobfunc.c; -k: start_exec.c)."""
        tag = "" if index is None else self.flavour.element_file.format(index)
        usual = f"{self.name}.{stream}{self.number}{tag}"
        if stream in self.asked.options.get("k", "n") and "d" not in self.asked.options.get("k", ""):
            return Path(self.environment["HOME"]) / usual
        workdir = Path(self.submit_folder)
        named = self.asked.options.get(stream)
        if named is None:
            return workdir / usual
        named = re.sub(r"^[A-Za-z0-9.-]*:", "", named)
        named = named.replace("^array_index^", str(index)).replace("^array_id^", str(self.number))
        if self.flavour is TORQUE or named.startswith("$"):  # Torque expands them on the node
            known = {"PBS_JOBID": job, "PBS_JOBNAME": self.name, "PBS_O_WORKDIR": str(workdir)}
            named = re.sub(r"\$\{?(\w+)\}?", lambda m: {**self.environment, **known}.get(m[1], m[0]), named)
        path = workdir / named
        if path.is_dir():
            end = {"o": "OU", "e": "ER"}[stream]
            return path / (self.flavour.folder_file.format(id=job, end=end) or usual)
        if named.endswith("/") or not path.parent.is_dir():
            return Path(self.environment["HOME"]) / f"undelivered.{stream}"
        return path.with_name(path.name + tag) if self.flavour is TORQUE else path

    @property
    def submit_folder(self) -> str:
        return str(self.folder / self.asked.options.get("w", "."))

    def variables(self, job: str, index: int | None, scratch: Path) -> dict[str, str]:
        """The environment at the start of the login shell (start_exec.c, qsub.c)."""
        own, options = self.environment, self.asked.options
        found = dict(own) if "V" in options else {}
        for part in between_commas(options.get("v", "")):
            name, equals, value = part.partition("=")
            if equals or name in own:
                found[name] = value.strip("'\"") if equals else own[name]
        for name in ("HOME", "LOGNAME", "PATH", "MAIL", "SHELL", "LANG", "TZ"):
            if name in own:
                found[f"PBS_O_{name}"] = own[name]
        it, queue = given(self.asked, self.flavour), options.get("q") or self.flavour.queue
        nodefile = self.spool / f"aux.{job}"
        nodefile.write_text("".join(f"{line}\n" for line in it.lines))
        found |= {
            "PATH": "/bin:/usr/bin",
            "HOME": own["HOME"],
            "USER": own.get("USER", "root"),
            "LOGNAME": own.get("USER", "root"),
            "SHELL": "/bin/bash",
            "PBS_ENVIRONMENT": "PBS_BATCH",
            "ENVIRONMENT": "BATCH",
            "PBS_JOBID": job,
            "PBS_JOBNAME": self.name if index is None else self.flavour.element_name.format(self.name, index),
            "PBS_QUEUE": queue,
            "PBS_O_QUEUE": queue,
            "PBS_O_WORKDIR": self.submit_folder,
            "PBS_O_HOST": os.uname().nodename,
            "PBS_NODEFILE": str(nodefile),
            "PBS_NODENUM": "0",
            "PBS_TASKNUM": "1",
            "PBS_JOBCOOKIE": "0" * 32,
            "PBS_MOMPORT": "15003",
        }
        return found | (self.of_pro if self.flavour is PRO else self.of_torque)(it, index, scratch)

    def of_pro(self, it: Given, index: int | None, scratch: Path) -> dict[str, str]:
        found = {
            "NCPUS": str(it.threads),
            "OMP_NUM_THREADS": str(it.threads),
            "PBS_JOBDIR": self.environment["HOME"],
            "PBS_O_SYSTEM": "Linux",
            "TMPDIR": str(scratch),
        }
        if index is not None:
            found |= {"PBS_ARRAY_INDEX": str(index), "PBS_ARRAY_ID": f"{self.number}[].{SERVER}"}
        return found | ({"PBS_ACCOUNT": self.asked.options["A"]} if "A" in self.asked.options else {})

    def of_torque(self, it: Given, index: int | None, _scratch: Path) -> dict[str, str]:
        gpufile = self.spool / f"aux.{self.number}gpu"
        if it.gpus:
            each = it.chunks[0].gpus
            gpufile.write_text("".join(f"{h}-gpu{n}\n" for h in dict.fromkeys(it.lines) for n in range(each)))
        found = {
            "PBS_NP": str(len(it.lines)),
            "PBS_NUM_NODES": str(it.nodes),
            "PBS_NUM_PPN": str(it.ppn),
            "PBS_VNODENUM": "0",
            "PBS_VERSION": "TORQUE-6.1.3",
            "PBS_GPUFILE": str(gpufile),
            "PBS_O_SERVER": SERVER,
            "HOSTNAME": HOSTS[0],
        }
        if "d" in self.asked.options:
            found["PBS_O_INITDIR"] = str(self.folder / self.asked.options["d"])
        if walltime := self.asked.resources.get("walltime"):
            found["PBS_WALLTIME"] = str(seconds(walltime))
        return found | ({"PBS_ARRAYID": str(index)} if index is not None else {})


# ------------------------------------------------------------------------------------------------ the commands


@dataclass(frozen=True)
class Pbs:
    """One server: a flavour and its spool folder."""

    flavour: Flavour
    spool: Path

    def qsub(self, words: Sequence[str], folder: Path, environment: Mapping[str, str], stdin: str = "") -> int:
        """Take a job and, unless it is held or waits for one that went wrong, run it; its number."""
        line, operands, dashes = asked(words, self.flavour)
        text = "" if dashes else (folder / operands[0]).read_text() if operands else stdin
        everything = asked(header(text), self.flavour)[0].under(line)
        usual = "STDIN" if dashes or not operands else Path(operands[0]).name
        number = self.next_number()
        name = everything.options.get("N", usual)
        program = operands if dashes else ()
        job = Submission(self.flavour, self.spool, number, name, text, program, everything, folder, environment)
        given(everything, self.flavour)  # what qsub refuses it refuses before it prints an id
        if "h" in everything.options or not self.may_run(everything.attributes.get("depend", "")):
            job.keep(None)
        else:
            job.run()
        return number

    def may_run(self, depend: str) -> bool:
        """Whether the jobs that `depend=afterok:1:2` names have ended as it wants; all have ended."""
        for part in re.split(r",(?=[a-z]+:)", depend) if depend else ():
            kind, *jobs = part.split(":")
            codes = [max(self.state(job)["codes"] or [0]) for job in jobs]
            if kind in {"afterok", "afterokarray"} and any(codes):
                return False
            if kind in {"afternotok", "afternotokarray"} and not all(codes):
                return False
        return True

    def state(self, job: str) -> dict[str, Any]:
        """What is known of a job: its number, name, exit codes and what it asked for."""
        number = job.partition(".")[0].partition("[")[0]
        found: dict[str, Any] = json.loads((self.spool / f"{number}.json").read_text())
        return found

    def states(self) -> list[dict[str, Any]]:
        """The jobs that were taken, in order."""
        return [self.state(path.stem) for path in sorted(self.spool.glob("[0-9]*.json"))]

    def next_number(self) -> int:
        """Numbers of seven digits: no text of a job has one by chance."""
        number = 7000001 + len(list(self.spool.glob("[0-9]*.number")))
        (self.spool / f"{number}.number").touch()
        return number

    def furnish(self) -> Path:
        """The folder with the commands, for a PATH."""
        commands = self.spool / "bin"
        commands.mkdir(parents=True, exist_ok=True)
        call = shlex.join([sys.executable, "-S", "-E", __file__, self.flavour.name, str(self.spool), "qsub"])
        (commands / "qsub").write_text(f'#!/bin/sh\nexec {call} "$@"\n')
        (commands / "qsub").chmod(0o755)
        return commands


def main() -> int:
    """Be qsub: print the id, or why the job is refused."""
    flavour, spool, _command, *words = sys.argv[1:]
    pbs = Pbs(FLAVOURS[flavour], Path(spool))
    stdin = "" if sys.stdin.isatty() else sys.stdin.read()
    try:
        number = pbs.qsub(words, Path.cwd(), os.environ, stdin)
    except (RefusedError, FileNotFoundError) as error:
        sys.stderr.write(f"qsub: {error}\n")
        return 1
    is_array = (spool and pbs.flavour.array) and any(Path(spool).glob(f"{number}[[]*.SC"))
    sys.stdout.write(f"{number}[].{SERVER}\n" if is_array else f"{number}.{SERVER}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
