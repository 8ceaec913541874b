"""Facts: what rules may ask about a job or an item of it; each topic declares its own with `@fact`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any, Literal, TypeVar

from migrate.frozen import dataclass
from migrate.model import Kind, SifmigrateError
from migrate.rulebook.context import Context, once
from migrate.tables.load import nearest

Question = Callable[[Context], "str | None"]
# the job as a whole; the job, or the line that an item submits; any item; items of these kinds
About = Literal["job", "request", "item"] | tuple[Kind, ...]
_Work = TypeVar("_Work", bound=Callable[..., "str | None"])


@dataclass(frozen=True)
class Fact:
    """A text about a job or an item of it, or none, that rules know by a name."""

    name: str
    doc: str  # one sentence: what the text is, and when there is none
    about: About
    parameters: Mapping[str, str]  # what each of them asks ("": the name alone); without any the fact is one question
    topic: str
    work: Callable[..., str | None]
    only_if: Question | None = None  # about the job: where it has no answer the fact has none for any item

    def suits(self, kind: Kind | None) -> bool:
        """Whether rules about items of this kind may ask it; None are rules about the job as a whole."""
        if self.about in {"job", "request"}:
            return True
        return kind is not None and (self.about == "item" or kind in self.about)


def fact(
    name: str,
    doc: str,
    *,
    about: About,
    parameters: Mapping[str, str] | None = None,
    only_if: Question | None = None,
) -> Callable[[_Work], _Work]:
    """Declare a function to be a fact (see Fact); one about the job is worked out once for each job."""

    def declared(work: _Work) -> _Work:
        assert name not in _FACTS, f"two facts `{name}`"
        done: Any = once(work) if about == "job" and not parameters else work
        _FACTS[name] = Fact(name, doc, about, parameters or {}, _topic(work), done, only_if)
        return done  # type: ignore[no-any-return]

    return declared


def _topic(work: Callable[..., object]) -> str:
    """The folder of a topic in which a function stands; for those of all topics general."""
    parts = work.__module__.split(".")
    return parts[2] if len(parts) > 3 else "general"  # noqa: PLR2004 - migrate.topics.TOPIC.MODULE


_FACTS: dict[str, Fact] = {}


def facts() -> Mapping[str, Fact]:
    """The facts of all topics, by name."""
    if not _FACTS:
        raise RuntimeError("import migrate.topics, which declares the facts, before a rule is read")
    return _FACTS


def fact_named(name: str) -> Fact:
    """The fact that a name means, with or without parameters; raises SifmigrateError, without a place, for another."""
    first, known = name.partition(".")[0], facts()
    if first not in known:
        raise SifmigrateError(f"no fact `{first}`{nearest(first, list(known), _LIST)}")
    return known[first]


@cache
def question(name: str) -> Question:
    """What `FACT` asks, or `FACT.PARAMETER`, or `FACT.PARAMETER,PARAMETER` (the first that has a text).

    The same for the same name, by which the index knows it; raises SifmigrateError, without a place, for another name.
    """
    found, (_, dot, rest) = fact_named(name), name.partition(".")
    known = list(found.parameters)
    parameters = rest.split(",") if dot else [""] if "" in known else []
    if parameters and not known:
        raise SifmigrateError(f"`{found.name}` has no parameters: write `{found.name}` alone")
    if known and not parameters:
        raise SifmigrateError(f"`{found.name}` needs a parameter: {', '.join(known)}")
    for parameter in parameters:
        if parameter not in known or (dot and not parameter):
            near = nearest(parameter, [each for each in known if each])
            raise SifmigrateError(f"`{found.name}` has no parameter `{parameter}`{near}")
    questions = tuple(_with(found.name, parameter) for parameter in parameters)
    return partial(_first, questions) if len(questions) > 1 else questions[0] if questions else found.work


_LIST = "`sifmigrate rules facts`"


@cache
def _with(name: str, parameter: str) -> Question:
    found = facts()[name]

    def about(context: Context) -> str | None:
        return found.work(context, parameter)

    return once(about) if found.about == "job" else about


def _first(questions: tuple[Question, ...], context: Context) -> str | None:
    return next((text for each in questions if (text := each(context)) is not None), None)
