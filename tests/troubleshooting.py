"""The page docs/troubleshooting.md, written from the symptoms of rules/*/*.yaml and rules/symptoms.yaml.

`python tests/troubleshooting.py` writes it anew after a change of the rules, and a test says when that was forgotten.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import migrate.topics  # noqa: F401 - which declare the facts
from migrate.model import RuleText
from migrate.reports.pages import filled, what_to_do
from migrate.rulebook import TOPICS, open_rulebook
from migrate.runs.symptoms import symptoms
from migrate.tables.library import shipped
from migrate.tables.load import load, rules_folder

PAGE = Path(__file__).parents[1] / "docs" / "troubleshooting.md"
_HEAD = """\
# Troubleshooting

What one sees when a job does not run on the new cluster, where it comes from, and what to do. This page is written from
the rules by `python tests/troubleshooting.py`; the same is asked for by

```console
$ sifmigrate explain singularity: command not found      # what was seen, a line of a log as it is
$ sifmigrate explain - < slurm-4711.out                   # or all of the log
$ sifmigrate explain ucx-net-devices --target slinky      # a rule or symptom by its id, with the target's names
```

In what one sees, `<name>`, `*` and `…` stand for anything.
"""
# Each heading, and the topics of rules and symptoms that it has.
_GROUPS: Mapping[str, tuple[str, ...]] = {
    "Submitting a job, its limits": ("scheduler", "partitions", "accounts", "hygiene", "feasibility"),
    "Commands and variables of the old scheduler": ("old_schedulers",),
    "Modules": ("environments",),
    "Containers and images": ("containers",),
    "GPUs": ("gpus",),
    "Network": ("fabric",),
    "Starting processes": ("launchers",),
    "Files and folders": ("storage", "chains"),
}


def page() -> str:
    """The page as the rules have it now."""
    return _HEAD + "".join(f"\n## {heading}\n\n{_group(topics)}" for heading, topics in _GROUPS.items())


def _group(topics: tuple[str, ...]) -> str:
    there = [about for topic in topics for about in _of_topic(topic) if about.symptoms]
    by_text: dict[str, list[str]] = {}
    for about in there:
        for text in about.symptoms:
            by_text.setdefault(text, []).append(about.id)
    rows = sorted(by_text.items(), key=lambda row: re.sub(r"\W+", "", row[0].lower()))
    table = "".join(f"| {_code(text)} | {', '.join(f'[{i}](#{i})' for i in ids)} |\n" for text, ids in rows)
    return f"| what one sees | explained by |\n|---|---|\n{table}" + "".join(map(_entry, there))


def _of_topic(topic: str) -> Iterator[RuleText]:
    rows = load(rules_folder() / "symptoms.yaml", "symptoms")["symptoms"]
    topics = {row["id"]: row["topic"] for row in rows}
    yield from (about for about in symptoms(shipped()) if topics[about.id] == topic)
    yield from (rule.text for rule in open_rulebook([]).rules if rule.path.parent.name == topic)


def _entry(about: RuleText) -> str:
    parts = [f"### {about.id}", f"**{about.title}.** {filled(about.why)}"]
    if advice := what_to_do(about.advice, fixed=about.id in _fixed()):
        parts.append(f"What to do: {advice}")
    if about.links:
        parts.append(" · ".join(f"<{link}>" for link in about.links))
    return "".join(f"\n{' '.join(part.split())}\n" for part in parts)


@cache
def _fixed() -> frozenset[str]:
    """The rules that make an edit."""
    return frozenset(rule.id for rule in open_rulebook([]).rules if rule.has_fix)


def _code(text: str) -> str:
    return (f"`` {text} ``" if "`" in text else f"`{text}`").replace("|", "\\|")


def missing_topics() -> list[str]:
    """Topics of rules that stand under no heading."""
    return [topic for topic in TOPICS if not any(topic in topics for topics in _GROUPS.values())]


if __name__ == "__main__":
    PAGE.write_text(page())
