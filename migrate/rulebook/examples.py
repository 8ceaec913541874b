"""Examples: each rule's own proof, run without pytest, so that a site can test its private pack."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from migrate.model import Result
from migrate.rulebook.rule import Example, Rule

Run = Callable[[Rule, Example, str], Result]


@dataclass(frozen=True, slots=True)
class Failure:
    """An example that did not come out as its author says."""

    rule: str
    example: str
    kind: str  # Noisy: spoke or edited where it must not; Missing: said nothing; Wrong: another result
    detail: str


def check(rule: Rule, run: Run) -> Iterator[Failure]:
    """The examples of a rule that fail; `run` migrates a script with this rule alone in force."""
    for example in rule.examples:
        result = run(rule, example, example.script)
        kind, detail = _verdict(rule, example, result, run)
        if kind:
            yield Failure(rule.id, example.name, kind, detail)


def _verdict(rule: Rule, example: Example, result: Result, run: Run) -> tuple[str, str]:
    output = result.output.decode("utf-8", "replace")
    if result.fault:
        return "Wrong", result.fault
    if not example.reported and result.gaps:
        return "Wrong", f"a gap: {result.gaps[0].reason}"
    if example.after is not None:
        if not result.outcomes:
            return "Missing", "the rule does not match"
        if output != example.after:
            return "Wrong", f"expected:\n{example.after}\ngot:\n{output}"
        again = run(rule, example, output)
        return ("Wrong", "its own output would be changed again") if again.changed else ("", "")
    if result.changed:
        return "Noisy", f"an edit was made:\n{output}"
    if example.reported and not result.outcomes:
        return "Missing", "the rule does not match"
    if not example.reported and result.outcomes:
        return "Noisy", f"reported: {result.outcomes[0].finding.message}"
    return "", ""
