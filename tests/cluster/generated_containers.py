"""Scripts that use containers, put together by chance: images, options of each tool, places, what runs inside.

A body is a line of shell that prints, with its mark (`[p0] /srv/app`), what a program sees in its container. A place is
what stands around the command in the script. Which words a finding must have to name a difference is said by the body
and by the options that change what it shows; `ROW` before a name means a row of rules/runtimes.yaml.
"""

from __future__ import annotations

import random
import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from generated import STEM, Case, stem
from ruamel.yaml import YAML

IMAGES = "@IMAGES@"  # the folder of the images, in the texts
ROW = "row of the list: "
ENTRIES = frozenset({"cmd", "cmdsh", "ep", "epcmd", "epsh", "shell"})  # images that run more than they are given
PLAIN = ("box", "env", "workdir", "user", "volume", "app", "banner")
WITH_USER = frozenset({"user", "app"})
OF_THE_USER = frozenset(
    {"user", "groups", "home", "write the home", "write the image", "write a mount", "write the folder", "temporary"}
)
ENTRY_NAMES = ("entry point", "entrypoint", "ENTRYPOINT", "--entrypoint", "--container-entrypoint", "CMD", "no command")


@dataclass(frozen=True)
class Body:
    """What runs in a container: a line of shell, or the words of a command."""

    name: str
    lines: Sequence[str] = ()  # for `sh -c '…'` or a here-document: without single quotes
    words: Sequence[str] = ()  # as they stand behind the image
    names: Sequence[str] = ()  # words of a finding that tells a difference
    row: str = ""  # of rules/runtimes.yaml
    before: str = ""
    after: str = ""
    reads: bool = False  # from its standard input
    seldom: bool = False

    @property
    def named(self) -> tuple[str, ...]:
        return (*self.names, *([f"{ROW}{self.row}"] if self.row else []))


@dataclass(frozen=True)
class Option:
    """An option in the forms that users give it; `{}` is its value."""

    name: str  # as findings call it
    forms: Sequence[str] = ("",)
    values: Sequence[str] = ("",)
    shows: Sequence[str] = ()  # the bodies that show what it does
    before: str = ""  # a line that the script needs for it
    seldom: bool = False
    excludes: Sequence[str] = ()


MOUNTS = ("mounts", "write a mount", "files of the node", "folder")


def _table(part: str) -> list[dict[str, Any]]:
    """The rows of a part of the table, lists as tuples."""
    rows = YAML(typ="safe").load(Path(__file__).with_suffix(".yaml"))[part]
    return [{key: tuple(value) if isinstance(value, list) else value for key, value in row.items()} for row in rows]


def _option(row: dict[str, Any]) -> Option:
    found = Option(**row)
    return replace(found, shows=MOUNTS) if found.shows == ("MOUNTS",) else found


BODIES = tuple(Body(**row) for row in _table("bodies"))
BY_NAME = {body.name: body for body in BODIES}
OPTIONS = {name: tuple(map(_option, _table(name))) for name in ("docker", "apptainer", "pyxis", "enroot")}


@dataclass
class Use:
    """A command that starts a container, in parts, and what the script needs around it."""

    front: str
    options: list[str]
    image: str  # and what stands between the options and the words
    words: str
    body: Body
    mark: str
    named: tuple[str, ...]
    line: str = ""  # of shell that `words` runs, where it is one
    before: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)
    place: str = ""
    sorts: bool = False

    @property
    def head(self) -> str:
        return " ".join(filter(None, [self.front, *self.options, self.image]))

    @property
    def text(self) -> str:
        return f"{self.head} {self.words}".rstrip()

    @property
    def about(self) -> str:
        return f"{self.place} / {self.body.name} / {self.text}"


@dataclass(frozen=True)
class Tool:
    """What the users of one tool write."""

    name: str
    fronts: Sequence[str]
    suffix: str = ""  # of image files
    steps: bool = False  # in a job of Slurm

    @property
    def options(self) -> Sequence[Option]:
        return OPTIONS[self.name]


TOOLS = {
    "docker": Tool(
        "docker",
        (
            *("docker run --rm",) * 6,
            *("docker run", "docker container run --rm", "podman run --rm", "sudo docker run --rm"),
            "nvidia-docker run --rm",
        ),
    ),
    "apptainer": Tool(
        "apptainer",
        (
            *("singularity exec",) * 4,
            *("apptainer exec", "singularity run", "apptainer run", "singularity -q exec", "singularity --silent exec"),
            "srun -n 1 singularity exec",
        ),
        ".sif",
        steps=True,
    ),
    "pyxis": Tool("pyxis", ("srun", "srun", "srun -n 1", "srun -N 1 -n 1", "srun --ntasks=1"), ".sqsh", steps=True),
    "enroot": Tool("enroot", ("enroot start", "enroot start", "srun -n 1 enroot start"), ".sqsh", steps=True),
}


# ------------------------------------------------------------------------------------------------ places

Place = Callable[[Use, random.Random], Sequence[str]]


def _plain(use: Use, chance: random.Random) -> Sequence[str]:
    return [
        chance.choice(
            [
                use.text,
                use.text,
                f"( {use.text} )",
                f"timeout 30 {use.text}",
                f"nice {use.text}",
            ]
        )
    ]


def _counted(use: Use, _: random.Random) -> Sequence[str]:
    return ["for i in 1 2; do", f"  {use.text}", "done"]


def _reading(use: Use, chance: random.Random) -> Sequence[str]:
    words = f'{use.words} "$line"' if use.body.name == "arguments" else use.words
    text = f"{use.head} {words}"
    lines = [f"  {text}", f'  echo "{use.mark} line $line"']
    if chance.random() < 0.3:
        return ["cat list.txt | while read -r line; do", *lines, "done"]
    if chance.random() < 0.3:
        return ["while IFS= read -r line", "do", *lines, "done < <(sort list.txt)"]
    return ["while read -r line; do", *lines, "done < list.txt"]


def _fed(use: Use, chance: random.Random) -> Sequence[str]:
    feeds = [
        "printf 'x\\ny z\\n' | {}",
        "cat list.txt | {}",
        "{} < list.txt",
        "echo one | {}",
        "{} <<< 'a b'",
        "{} < /dev/null",
    ]
    return [chance.choice(feeds).replace("{}", use.text)]


def _piped(use: Use, chance: random.Random) -> Sequence[str]:
    return [
        f"{use.text} | {chance.choice(['sort', 'cat', 'head -n 5', 'tee copy.txt', 'sed s/x/y/'])}",
        f'echo "{use.mark} ${{PIPESTATUS[0]}}"',
    ]


def _kept(use: Use, chance: random.Random) -> Sequence[str]:
    name = f"out_{use.mark[1:-1]}.txt"
    return [chance.choice([f"{use.text} > {name}", f"{use.text} >> {name}", f"{use.text} | tee {name} > /dev/null"])]


def _behind(use: Use, chance: random.Random) -> Sequence[str]:
    if chance.random() < 0.5:
        return [f"{use.text} &", "wait", f'echo "{use.mark} waited"']
    return [f"{use.text} > out_{use.mark[1:-1]}.txt &", "pid=$!", "wait $pid", f'echo "{use.mark} $?"']


def _side_by_side(use: Use, _: random.Random) -> Sequence[str]:
    use.sorts = True
    return ["for i in 1 2 3; do", f"  {use.text} &", "done", "wait"]


def _pair(use: Use, _: random.Random) -> Sequence[str]:
    """One waits for what the other does, through a file of the job's folder."""
    use.sorts = True
    there = f"test -e /pair/{STEM}go"
    wait = f"i=0; until {there} || [ $i -eq 12 ]; do sleep 0.5; i=$((i+1)); done"
    wait += f'; {there} && echo "{use.mark} met" || echo "{use.mark} alone"'
    return [f"{use.head} sh -c '{wait}' &", "sleep 1", f"{use.head} sh -c 'touch /pair/{STEM}go'", "wait"]


def _function(use: Use, chance: random.Random) -> Sequence[str]:
    if chance.random() < 0.5:
        return ["in_box() {", f'  {use.head} "$@"', "}", f"in_box {use.words}"]
    return [f"work_{use.mark[1:-1]}() {{ {use.text}; }}", f"work_{use.mark[1:-1]}", f'echo "{use.mark} $?"']


def _variable(use: Use, chance: random.Random) -> Sequence[str]:
    bare = use.head.replace('"', "")
    if "'" in bare or "\\" in bare or '""' in use.head or re.search(r"\bA=two words|\bB=two", bare):
        return _plain(use, chance)
    name = chance.choice(["RUN", "CONTAINER", "CMD"])
    return [f'{name}="{bare}"', f"{chance.choice([f'${name}', f'${{{name}}}'])} {use.words}"]


def _array(use: Use, chance: random.Random) -> Sequence[str]:
    if chance.random() < 0.5 and use.options:
        lines = (
            [f"options=({' '.join(use.options)})"]
            if chance.random() < 0.6
            else ["options=()", *(f"options+=({o})" for o in use.options)]
        )
        return [*lines, f'{use.front} "${{options[@]}}" {use.image} {use.words}']
    return [f"run=({use.head})", f'"${{run[@]}}" {use.words}']


def _document(use: Use, chance: random.Random) -> Sequence[str]:
    """A shell in the container that reads what it is to do."""
    if not use.line:
        return _plain(use, chance)
    words = chance.choice(["sh", "bash", "bash -s", "sh -s"])
    end = chance.choice(["'EOF'", "'EOF'", '"END"'])
    return [f"{use.head} {words} <<{end}", use.line, end.strip("'\"")]


def _in_document(use: Use, _: random.Random) -> Sequence[str]:
    return ["bash <<'OUTER'", use.text, "OUTER"]


def _in_string(use: Use, chance: random.Random) -> Sequence[str]:
    return [
        chance.choice(
            [f"bash -c {shlex.quote(use.text)}", f"eval {shlex.quote(use.text)}", f"sh -c {shlex.quote(use.text)}"]
        )
    ]


def _asked(use: Use, chance: random.Random) -> Sequence[str]:
    m = use.mark
    forms = [
        [f"if {use.text}; then", f'  echo "{m} yes"', "else", f'  echo "{m} no $?"', "fi"],
        [f'{use.text} || echo "{m} failed $?"'],
        [f'{use.text} && echo "{m} fine"'],
        [f'if ! {use.text}; then echo "{m} not"; fi'],
    ]
    return chance.choice(forms)


def _taken(use: Use, chance: random.Random) -> Sequence[str]:
    return [
        f"found=$({use.text})" if chance.random() < 0.7 else f"found=`{use.head} true`",
        f'echo "{use.mark} $? got: $found"',
    ]


def _many(use: Use, chance: random.Random) -> Sequence[str]:
    words = f"printf '{use.mark} %s\\n'"
    form = chance.choice(["xargs -n 1 {} < list.txt", "cat list.txt | xargs -I% {} %", "xargs {} < list.txt"])
    return [form.replace("{}", f"{use.head} {words}")]


def _elsewhere(use: Use, _: random.Random) -> Sequence[str]:
    return ["cd data", use.text, "cd .."]


def _case_of(use: Use, _: random.Random) -> Sequence[str]:
    return ["mode=a", "case $mode in", f"  a) {use.text} ;;", "  *) exit 1 ;;", "esac"]


def _tasks(use: Use, chance: random.Random) -> Sequence[str]:
    use.sorts = True
    front = re.sub(r"^srun(?: -n 1| -N 1 -n 1| --ntasks=1)? ?", "", use.text)
    return [f"srun {chance.choice(['-n 2', '--ntasks=2', '-N 2 -n 2'])} {front}"]


def _between(use: Use, chance: random.Random) -> Sequence[str]:
    other = f'srun -n 1 echo "{use.mark} other"'
    use.sorts = True
    return chance.choice(
        [[other, use.text, other], ["srun -n 1 sleep 1 &", use.text, "wait"], [f"{use.text} &", other, "wait"]]
    )


PLACES: Mapping[str, Place] = {
    "plain": _plain,
    "counted loop": _counted,
    "reading loop": _reading,
    "fed": _fed,
    "piped": _piped,
    "kept": _kept,
    "behind": _behind,
    "side by side": _side_by_side,
    "pair": _pair,
    "function": _function,
    "variable": _variable,
    "array": _array,
    "document": _document,
    "in a document": _in_document,
    "in a string": _in_string,
    "asked": _asked,
    "taken": _taken,
    "many": _many,
    "elsewhere": _elsewhere,
    "case": _case_of,
}
STEPS: Mapping[str, Place] = {"tasks": _tasks, "between steps": _between}
WEIGHTS = {"plain": 5, "reading loop": 2, "fed": 2, "function": 2, "variable": 2, "array": 2, "pair": 1}


# ------------------------------------------------------------------------------------------------ cases


def case(name: str, number: int) -> Case:
    """The case of this number for a tool, always the same."""
    tool = TOOLS[name]
    chance = random.Random(f"{name} {number}")  # noqa: S311 - the same every time
    uses = [_use(tool, chance, n) for n in range(chance.choice([1, 1, 1, 2]))]
    lines = ["#!/bin/bash", *_header(tool, uses, chance)]
    lines += (
        [chance.choice(["export HOST_VAR=host", "export HOST_VAR=host", "export HOST_VAR='of the host'"])]
        if any("HOST_VAR" in line for use in uses for line in [use.text, use.line])
        else []
    )
    for use in uses:
        lines += use.before
        lines += _placed(use, chance)
        lines += use.after
    script = "\n".join(_once(lines)) + "\n"
    marks = {use.mark[1:-1]: (*use.named, use.place) for use in uses}
    files = {
        "job.sh": script.replace(STEM, stem(number)).replace("{n}", f"{number % 7}"),
        "small.env": "A=from the file\nB=2\n",
    }
    about = {use.mark[1:-1]: f"{use.place} / {use.body.name}" for use in uses}
    names = tuple(dict.fromkeys(name for use in uses for name in use.named))
    return Case(
        number, files, "job.sh", marks, (*names, *ENTRY_NAMES), sorts=any(use.sorts for use in uses), variables=about
    )


def _once(lines: Sequence[str]) -> list[str]:
    """The lines, each setting of a variable at the head of a line once."""
    seen: set[str] = set()
    found = []
    for line in lines:
        if re.match(r"(?:export )?[A-Z_]+=", line) and line in seen:
            continue
        seen.add(line)
        found.append(line)
    return found


def _header(tool: Tool, uses: Sequence[Use], chance: random.Random) -> list[str]:
    lines = (
        [
            "#SBATCH --job-name=box",
            f"#SBATCH --ntasks={2 if any(u.place == 'tasks' for u in uses) else chance.choice([1, 1, 2])}",
        ]
        if tool.steps
        else []
    )
    if chance.random() < 0.15:
        lines.append(chance.choice(["set -e", "set -euo pipefail", "set -u"]))
    return lines


def _use(tool: Tool, chance: random.Random, n: int) -> Use:
    kind = chance.choice([*PLAIN, *PLAIN, *sorted(ENTRIES)])
    chosen = _options(tool, chance)
    front = chance.choice(tool.fronts)
    texts = [chance.choice(option.forms).replace("{}", value) for option, value in chosen]
    body = _body(chance, chosen)
    use = Use(front, [*filter(None, texts)], "", "", body, f"[p{n}]", (), place=_place(tool, chance, body))
    entrypoint = next((value for option, value in chosen if option.name == "--entrypoint"), None)
    entry = _runs_entry(tool, front, [o.name for o, _ in chosen]) and kind in ENTRIES and entrypoint is None
    use.named = tuple(dict.fromkeys(_named(body, chosen, kind, use.place, entry=entry)))
    use.before += [body.before] if body.before else []
    use.before += [o.before for o, value in chosen if o.before and ("DATA=" not in o.before or "DATA" in value)]
    use.after += [body.after.replace("@@", use.mark)] if body.after else []
    _fit_options(tool, use, chance)
    use.line, use.words = _words(body, chance, use.mark)
    if entry:
        use.line, use.words = "", chance.choice([f"a '{use.mark} c'", "", "x y", "'it is'"])
    elif entrypoint not in {None, '""'}:  # a shell, which gets the words as its own
        use.words = use.words.partition(" ")[2] if use.line else f"-c 'echo \"{use.mark} $PWD\"'"
    _image(tool, use, kind, chance)
    return use


def _named(body: Body, chosen: Sequence[tuple[Option, str]], kind: str, place: str, *, entry: bool) -> Iterator[str]:
    """What must be named where the body shows something else."""
    yield from body.named
    if place in {"reading loop", "fed", "document"}:
        yield f"{ROW}standard input"
    yield from (option.name for option, _ in chosen if body.name in option.shows)
    if kind in {*ENTRIES, "banner"}:
        yield from ENTRY_NAMES
        yield f"{ROW}entry point of the image"
    if entry:
        yield from (f"{ROW}exit codes", f"{ROW}home")
    if kind in WITH_USER and body.name in OF_THE_USER:
        yield f"{ROW}who one is"


MOUNTED = {
    "docker": "-v $PWD:/pair",
    "apptainer": "-B $PWD:/pair",
    "pyxis": "--container-mounts=$PWD:/pair",
    "enroot": "-m $PWD:/pair",
}


def _fit_options(tool: Tool, use: Use, chance: random.Random) -> None:
    """What a place needs of the options: a folder that two share, a standard input."""
    if use.place == "pair":  # pyxis takes the last mounts alone, and Docker each name once
        use.options = [t for t in use.options if not t.startswith(("--container-mounts", "--name"))]
        use.options.append(MOUNTED[tool.name])
    wants_input = tool.name == "docker" and (use.place in {"fed", "document"} or use.body.reads)
    if wants_input and "-i" not in use.options and chance.random() < 0.8:
        use.options.insert(0, "-i")
    chance.shuffle(use.options)


def _words(body: Body, chance: random.Random, mark: str) -> tuple[str, str]:
    """The line of shell, if it is one, and the words."""
    if body.words:
        return "", chance.choice(list(body.words)).replace("@@", mark)
    line = chance.choice(list(body.lines)).replace("@@", mark)
    form = "sh -c '{}'" if chance.random() < 0.7 else "bash -c '{}'"
    if chance.random() < 0.15 and not re.search(r"[\"\\`]", line) and "$" not in line:
        form = 'sh -c "{}"'
    return line, form.replace("{}", line)


def _runs_entry(tool: Tool, front: str, options: Sequence[str]) -> bool:
    if tool.name == "apptainer":
        return front.endswith(" run")
    return tool.name in {"docker", "enroot"} or "--container-entrypoint" in options


def _image(tool: Tool, use: Use, kind: str, chance: random.Random) -> None:
    """Name the image as users do."""
    name = (
        f"local/{kind}{chance.choice(['', '', ':latest'])}"
        if tool.name == "docker"
        else f"{IMAGES}/{kind}{tool.suffix}"
    )
    if tool.name == "enroot" and chance.random() < 0.95:
        box = f"{STEM}{kind}{use.mark[2:-1]}"
        use.before.append(f"enroot create {chance.choice(['-n', '--name'])} {box} {name} > /dev/null")
        use.after.append(f"enroot remove -f {box}")
        name = box
    if chance.random() < 0.3 and use.place not in {"in a document", "in a string"}:
        variable = chance.choice(["IMAGE", "IMG", "SIF"])
        use.before.append(f"{variable}={name}")
        name = chance.choice([f"${variable}", f'"${variable}"', f"${{{variable}}}"])
    if tool.name == "pyxis":
        use.options.insert(
            chance.randint(0, len(use.options)), f"--container-image{chance.choice(['=', '=', ' '])}{name}"
        )
    else:
        use.image = name


def _options(tool: Tool, chance: random.Random) -> list[tuple[Option, str]]:
    pool = [o for o in tool.options if not o.seldom or chance.random() < 0.2]
    wanted = chance.sample(pool, k=min(len(pool), chance.choice([0, 1, 1, 2, 2, 3, 4])))
    mounting = [o for o in tool.options if "mounts" in o.shows and not o.seldom]
    if chance.random() < 0.4:
        wanted.append(chance.choice(mounting))
    found: dict[str, tuple[Option, str]] = {}
    for option in wanted:
        if option.name not in found and not any(
            option.name in o.excludes or o.name in option.excludes for o, _ in found.values()
        ):
            found[option.name] = option, chance.choice(list(option.values))
    return list(found.values())


def _body(chance: random.Random, chosen: Sequence[tuple[Option, str]]) -> Body:
    """One that shows an option, or another."""
    shown = [name for option, _ in chosen for name in option.shows]
    if shown and chance.random() < 0.6:
        body = BY_NAME[chance.choice(shown)]
        values = " ".join(value for _, value in chosen)
        fitting = [
            line
            for line in body.lines
            if any(
                f":{folder}" in values or f"={folder}" in values
                for folder in re.findall(r"/(?:w|data|results)(?=[/ \"])", line)
            )
        ]
        return replace(body, lines=fitting) if fitting else body
    return chance.choice([body for body in BODIES if not body.seldom or chance.random() < 0.3])


def _place(tool: Tool, chance: random.Random, body: Body) -> str:
    if body.name == "signal from outside":
        return "plain"
    if body.reads:
        return chance.choice(["fed", "fed", "fed", "plain", "reading loop", "function"])
    places = {**PLACES, **(STEPS if tool.steps and tool.name != "enroot" else {})}
    return chance.choices([*places], [WEIGHTS.get(name, 1) for name in places])[0]


def _placed(use: Use, chance: random.Random) -> Sequence[str]:
    if use.body.name == "signal from outside":
        return [f"timeout -s {chance.choice(['TERM', 'INT'])} 2 {use.text}"]
    if chance.random() < 0.2 and use.options and use.place in {"plain", "reading loop", "asked", "tasks"}:
        use.options = [f"{option} \\\n   " for option in use.options]
    return {**PLACES, **STEPS}[use.place](use, chance)
