"""Images: which of them a script has made itself, and by what name the target has the others."""

from __future__ import annotations

import re
from collections.abc import Iterable

from migrate.frozen import dataclass
from migrate.model import Invocation, Target
from migrate.values import IMAGE_NAME, with_tag

_ID = re.compile(r"(?:sha256:)?[0-9a-f]{12,64}")


@dataclass(frozen=True)
class Images:
    """The images of one job's commands on their way to the target."""

    target: Target
    made: frozenset[str]  # names that the script itself gives to images (build -t, tag, commit)

    @classmethod
    def of(cls, target: Target, readings: Iterable[Invocation]) -> Images:
        made: set[str] = set()
        for reading in readings:
            if reading.verb == "build":
                made |= {o.value.text for o in reading.options if o.name == "--tag" and o.value}
            elif reading.verb in {"tag", "commit"} and len(reading.operands) > 1:
                made.add(reading.operands[1].text)
        return cls(target, frozenset(map(with_tag, made)))

    def is_made_here(self, reference: str) -> bool:
        return with_tag(reference) in self.made

    def answer(self, reference: str) -> str:
        """What a person said stands for the image; empty where nobody said."""
        answers = self.target.answers_to("image")
        return answers.get(reference) or answers.get(with_tag(reference)) or ""

    def workdir(self, reference: str) -> str:
        """The image's WORKDIR, where the target's file tells it."""
        known = self.target.image_workdirs
        return known.get(reference) or known.get(with_tag(reference)) or ""


def why_not(reference: str) -> str:
    """Why a constant reference cannot be asked of a registry; empty where it can."""
    if _ID.fullmatch(reference):
        return f"{reference} is an image's id, which only the old Docker engine knows: name the image"
    match = IMAGE_NAME.fullmatch(reference)
    if match is not None and match["tag"] and match["digest"]:
        return f"{reference} has a tag and a digest; Apptainer takes one of them"
    return "" if match else f"{reference} is no image reference"
