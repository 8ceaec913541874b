"""Examples: each rule's own proof, run without pytest, so that a site can test its private pack."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from migrate.frozen import dataclass
from migrate.model import Result
from migrate.rulebook.rule import Example, Rule
from migrate.tables.load import place

Run = Callable[[Rule, Example, str], Result]


@dataclass(frozen=True, slots=True)
class Failure:
    """An example that did not come out as its author says."""

    place: str  # file:line:column
    example: str
    kind: str  # Noisy: a finding or an edit where none may be; Missing: no finding; Wrong: another result
    detail: str


def check(rule: Rule, run: Run) -> Iterator[Failure]:
    """The examples of a rule that fail; `run` migrates a script with this rule alone in force."""
    for number, example in enumerate(rule.examples):
        result = run(rule, example, example.script)
        judge = _changed if example.after is not None else _left
        detail = result.fault or _gap(example, result)
        kind, detail = ("Wrong", detail) if detail else judge(example, result)
        if not kind and run(rule, example, result.output.decode()).changed:
            kind, detail = "Wrong", "its own output would be changed again"
        if kind:
            yield Failure(place(rule.path, ["examples", number]), example.name, kind, detail)


def _gap(example: Example, result: Result) -> str:
    return f"a gap: {result.gaps[0].reason}" if result.gaps and not example.reported else ""


def _changed(example: Example, result: Result) -> tuple[str, str]:
    output = result.output.decode("utf-8", "replace")
    if not result.outcomes:
        return "Missing", "the rule does not match"
    return ("", "") if output == example.after else ("Wrong", f"expected:\n{example.after}\ngot:\n{output}")


def _left(example: Example, result: Result) -> tuple[str, str]:
    if result.changed:
        return "Noisy", f"an edit was made:\n{result.output.decode('utf-8', 'replace')}"
    if example.reported:
        return ("", "") if result.outcomes else ("Missing", "the rule does not match")
    return ("Noisy", f"reported: {result.outcomes[0].finding.message}") if result.outcomes else ("", "")
