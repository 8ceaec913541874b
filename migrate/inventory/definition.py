"""Definition files: the image on which one is built, as an item."""

from __future__ import annotations

from migrate.inventory.collector import Collector, decoded
from migrate.model import Item, Span, Text
from migrate.reader.definition import HEADER, Section, sections

# what `From:` is to each agent that takes an image, as a command line would name it
PREFIXES = {
    "docker": "docker://",
    "library": "library://",
    "shub": "shub://",
    "oras": "oras://",
    "docker-daemon": "docker-daemon:",
    "docker-archive": "docker-archive:",
    "oci": "oci:",
    "oci-archive": "oci-archive:",
    "localimage": "",
}


def take_definition(c: Collector) -> None:
    """A definition file of an image: its header and the scripts in its sections."""
    for section in sections(c.text.data):
        _take_base(c, section)
        if section.is_shell:
            part = Text(c.text.data[section.start : section.end], section.start)
            c.script(part, contained=section.in_image)


def _take_base(c: Collector, section: Section) -> None:
    """The image that a header names by its two lines; the item reaches over both."""
    agent, base = section.lines.get("bootstrap"), section.lines.get("from")
    if section.name != HEADER or agent is None or base is None:
        return
    prefix = PREFIXES.get(c.text.data[agent.start : agent.end].decode("latin-1").lower())
    if prefix is None:
        return
    name = decoded(c.text.data[base.start : base.end].decode("latin-1"))
    c.add(
        Item(
            "image",
            name,
            Span(min(agent.start, base.start), max(agent.end, base.end)),
            value=prefix + name.removeprefix(prefix),
            value_span=base,
            place="definition",
            program="apptainer",
            verb="From",
            constant="{{" not in name,
            reason="the image on which this one is built",
        )
    )
