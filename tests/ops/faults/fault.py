"""A planted fault."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import Any

from engine.testing import Law, Subject
from ops import REGISTRY
from tests.ops.subjects import SUBJECTS


@dataclass(frozen=True)
class Fault:
    """An operator with a fault.

    Attributes:
        name: what is wrong.
        law: which law it breaks.
        subject: the faulty operator, tried on the right one's cases against its oracle.
    """

    name: str
    law: Law
    subject: Subject

    def __str__(self) -> str:
        return f"{self.subject.operator.name}: {self.name}"


def planted(name: str, fault: str, law: Law, **changes: Any) -> Fault:
    """One of our operators, with some of its functions replaced."""
    if "forward" in changes:  # with the right one's signature
        changes["forward"] = functools.wraps(REGISTRY[name].forward)(changes["forward"])
    operator = replace(REGISTRY[name], **changes)
    return Fault(fault, law, replace(SUBJECTS[name], operator=operator))
