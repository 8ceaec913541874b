"""Value classes: the dataclass decorator of this program, which makes a class in half the time.

mypy alone holds an instance frozen: to be so at run time too took a tenth of every run. What all classes can share
(comparing, hashing, showing) is no code of each, since to compile that took a tenth of every start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass  # noqa: PLC0414 - mypy is to see that one
else:
    import dataclasses
    from operator import attrgetter

    def dataclass(cls: type | None = None, /, *, frozen: bool = False, slots: bool = False) -> Any:
        """`dataclasses.dataclass`, as far as this program uses it."""
        if cls is None:
            return lambda each: dataclass(each, frozen=frozen, slots=slots)
        cls.__doc__ = cls.__doc__ or cls.__name__  # else it is made of the signature, at the price of all the rest
        made = dataclasses.dataclass(cls, eq=False, repr=False, slots=slots)
        values = _values(made)
        made.__repr__ = _repr

        def equal(self: Any, other: object) -> bool:
            return values(self) == values(other) if other.__class__ is self.__class__ else NotImplemented

        fields = dataclasses.fields(made)
        if frozen and len(fields) > 1 and all(f.init for f in fields):
            whole = attrgetter(*(f.name for f in fields))
            made.__reduce__ = lambda self: (self.__class__, whole(self))  # half the bytes and the time of a state
        made.__eq__ = equal
        made.__hash__ = (lambda self: hash(values(self))) if frozen else None
        return made

    def _values(cls: type) -> Any:
        """What tells the values by which instances are compared."""
        names = [f.name for f in dataclasses.fields(cls) if f.compare]
        return attrgetter(*names) if names else lambda _: ()

    def _repr(self: Any) -> str:
        values = ", ".join(f"{f.name}={getattr(self, f.name)!r}" for f in dataclasses.fields(self) if f.repr)
        return f"{type(self).__qualname__}({values})"
