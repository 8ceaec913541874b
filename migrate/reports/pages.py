"""Pages that explain: a rule with its examples, and what fits a message that a user saw."""

from __future__ import annotations

import difflib
import json
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence

from migrate import __version__
from migrate.decisions.kinds import is_decision
from migrate.model import RuleText, Target
from migrate.rulebook.questions import PLACEHOLDER
from migrate.rulebook.rule import Rule
from migrate.runs.symptoms import Match
from migrate.terminal import shown

SCHEMA_VERSION = 1
_WHOLE = 3  # what fits best is shown in full, the rest by its title
_ALSO = 6
_CODE = re.compile(r"`[^`]*`")
_NOTHING = re.compile(r"\ANothing to do[.;:][ ]*(.?)")  # of an advice that goes on by itself
# What placeholders are outside a script; all others are the script's own words, and stay a word in capitals.
_GENERAL: Mapping[str, str] = {
    "target": "the target",
    "target.architecture": "ARCHITECTURE",
    "command": "apptainer",
    "partition": "PARTITION",
    "partitions": "see `sinfo`",
    "mounts": "the folders that the target mounts",
    "shared_folder": "the old site's folder",
    "image_source": "make it again from its source",
    "fitting_partition": "",  # sentences about one job
    "proposed_partition": "",
}
_OF_TARGET: Mapping[str, Callable[[Target], str]] = {
    "target": lambda t: t.id,
    "command": lambda t: t.command,
    "partition": lambda t: t.default_partition,
    "partitions": lambda t: ", ".join(t.partitions),
    "mounts": lambda t: ", ".join(t.mounts),
}


def page(rule: Rule, width: int, target: Target | None = None) -> str:
    """All that a rule says, and its examples."""
    kind = f"{rule.category}, {rule.safety}{', makes an edit' if rule.has_fix else ''}"
    parts = [*_about(rule.text, width, target, kind=kind)]
    for example in rule.examples:
        kind = "before" if example.after is not None else "reported" if example.reported else "unchanged"
        parts.append(f"Example, {example.name} ({kind}):\n{_script(example.script)}")
        if example.after is not None:
            parts.append(f"becomes:\n{_script(example.after)}")
    return "\n\n".join(parts) + "\n"


def filled(text: str, target: Target | None = None) -> str:
    """A rule's words with each placeholder filled: for this target, or in general."""

    def word(match: re.Match[str]) -> str:
        name = match[1]
        known = _OF_TARGET[name](target) if target is not None and name in _OF_TARGET else ""
        return known or _GENERAL.get(name, name.replace(".", "_").upper())

    return PLACEHOLDER.sub(word, text)


def what_to_do(advice: str, target: Target | None = None, *, fixed: bool = False) -> str:
    """The advice; where a migration makes the change (`fixed`), how to ask for it."""
    name = target.id if target else "NAME"
    words = general(advice, target)
    if fixed:
        rest = _NOTHING.sub(lambda m: m[1].upper(), words)
        return f"`sifmigrate rewrite SCRIPT --target {name}` makes the change. {rest}".strip()
    if advice and not words:
        return f"`sifmigrate scan SCRIPT --target {name}` tells it for each place."
    return words


def general(advice: str, target: Target | None = None) -> str:
    """The advice as it holds for every script; empty where it is made anew for each place."""
    return "" if PLACEHOLDER.fullmatch(advice) else filled(advice, target)


def _about(
    about: RuleText, width: int, target: Target | None, *, kind: str = "", fits: str = "", fixed: bool = False
) -> Iterator[str]:
    """The paragraphs that rules and symptoms have in common; `fits` stands in place of all that one sees."""
    indent = "  " if fits else ""
    head = [_wrapped(f"{about.id}: {about.title}", width), *([kind] if kind else [])]
    if fits:
        head.append(_wrapped(fits, width, indent))
    yield "\n".join(head)
    if about.symptoms and not fits:
        yield "What one sees:\n" + "\n".join(_wrapped(s, width, "  ") for s in about.symptoms)
    yield _wrapped(f"Why: {filled(about.why, target)}", width, indent)
    if advice := what_to_do(about.advice, target, fixed=fixed):
        yield _wrapped(f"What to do: {advice}", width, indent)
    if about.links:
        yield "\n".join(f"{indent}{link}" for link in about.links)


def _wrapped(text: str, width: int, indent: str = "") -> str:
    """The text in lines of this width; what stands between backquotes is to be copied, and stays on one line."""
    joined = _CODE.sub(lambda m: m[0].replace(" ", "\0"), shown(" ".join(text.split())))
    lines = textwrap.wrap(
        joined,
        width,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\n".join(lines).replace("\0", " ")


def _script(text: str) -> str:
    return "".join(f"    {line}\n" for line in text.splitlines()).rstrip("\n") or "    (nothing)"


def explained(
    found: Sequence[Match], nearest: Sequence[str], rules: Mapping[str, Rule], target: Target | None, width: int
) -> str:
    """What fits, best first, for people; where nothing does, the nearest texts."""
    if not found:
        lines = [_wrapped(text, width, "  ") for text in nearest]
        return "\n".join(["The nearest that is known:", *lines, ""]) if lines else ""
    blocks = []
    for match in found[:_WHOLE]:
        fixed = match.about.id in rules and rules[match.about.id].has_fix
        blocks.append("\n\n".join(_about(match.about, width, target, fits=_fits(match), fixed=fixed)))
    also = [_wrapped(f"{m.about.id}: {m.about.title}", width, "  ") for m in found[_WHOLE:][:_ALSO]]
    left = len(found) - _WHOLE - _ALSO
    if also:
        more = [f"  and {left} more"] if left > 0 else []
        blocks.append("\n".join(["Also fits (`sifmigrate explain ID` tells all of one):", *also, *more]))
    return "\n\n".join(blocks) + "\n"


def _fits(match: Match) -> str:
    return f"{'Fits' if match.exact else 'Resembles'}: {match.text}" if match.text else ""


def as_json(
    found: Sequence[Match], nearest: Sequence[str], rules: Mapping[str, Rule], target: Target | None, _: int
) -> str:
    """The same as JSON: everything that fits, best first."""
    rows = [
        {
            "id": m.about.id,
            "kind": "rule" if m.about.id in rules else "decision" if is_decision(m.about.id) else "symptom",
            "title": m.about.title,
            "symptom": m.text,
            "exact": m.exact,
            "why": filled(m.about.why, target),
            "advice": what_to_do(m.about.advice, target),
            "fixed": m.about.id in rules and rules[m.about.id].has_fix,
            "links": list(m.about.links),
        }
        for m in found
    ]
    head = {"schema_version": SCHEMA_VERSION, "tool_version": __version__, "target": target.id if target else None}
    return json.dumps({**head, "matches": rows, "nearest": list(nearest)}, indent=2) + "\n"


def nothing_fits(query: str, ids: Sequence[str]) -> str:
    """The line for a message that nothing explains."""
    short = shown(query[:60]) + ("\u2026" if len(query) > 60 else "")  # noqa: PLR2004
    close = difflib.get_close_matches(query[:60], ids, 1)
    meant = f" (did you mean `{close[0]}`?)" if close else ""
    return f"sifmigrate: no rule and no symptom fits `{short}`{meant}"


_Explain = Callable[[Sequence[Match], Sequence[str], Mapping[str, Rule], "Target | None", int], str]
EXPLANATIONS: Mapping[str, _Explain] = {
    "text": explained,
    "json": as_json,
}
