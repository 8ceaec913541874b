"""Images: which of them a script has made itself, and by what name the target has the others."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from migrate.frozen import dataclass
from migrate.model import Invocation, Target
from migrate.values import IMAGE_NAME, with_tag

_VARIABLE = re.compile(r"\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)\})")
_ID = re.compile(r"(?:sha256:)?[0-9a-f]{12,64}")


@dataclass(frozen=True)
class Images:
    """The images of one job's commands on their way to the target."""

    target: Target
    made: frozenset[str]  # names that the script itself gives to images (build -t, commit, import)
    second: Mapping[str, tuple[str, Invocation]]  # names that `tag` gives: the first one, and the command
    unpacked: str  # the command by which images come from an archive, which does not say their names; empty without one
    pulled: frozenset[str]  # names that the script asks a registry for

    @classmethod
    def of(cls, target: Target, readings: Iterable[Invocation], known: Mapping[str, str] | None = None) -> Images:
        made: set[str] = set()
        pulled: set[str] = set()
        second: dict[str, tuple[str, Invocation]] = {}
        unpacked = ""

        def value(text: str) -> str:
            return _VARIABLE.sub(lambda m: (known or {}).get(m[1] or m[2], m[0]), text)

        for reading in readings:
            words = [w.text for w in reading.operands]
            if reading.verb == "build":
                made |= {o.value.text for o in reading.options if o.name == "--tag" and o.value}
            elif reading.verb in {"commit", "import"}:
                made.update(words[1:])
            elif reading.verb == "load":
                unpacked = f"{reading.program} {reading.verb}"
            elif reading.verb == "pull":
                pulled.update(map(value, words))
            elif reading.verb == "tag" and len(words) == 2:  # noqa: PLR2004 - the old name and the new one
                second[with_tag(value(words[1]))] = value(words[0]), reading
        names = {*made, *map(value, made)}
        return cls(target, frozenset(map(with_tag, names)), second, unpacked, frozenset(map(with_tag, pulled)))

    def is_made_here(self, reference: str) -> bool:
        """Whether the script builds it, or gives this name to what it changed."""
        return with_tag(reference) in self.made

    def may_be_unpacked(self, reference: str) -> bool:
        """Whether it may come from an archive that the script has Docker read."""
        return bool(self.unpacked) and with_tag(reference) not in self.pulled

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
