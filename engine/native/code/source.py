"""The C source of a program: its kernels, and a function that runs them on each step's operands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from engine.native.code.text import Text

RUN = "Team *team, int me, int first, int last, char *arena, char *const *outside"
"""Parameters of the function that runs the steps from first to last (excluded)."""


class Addresses:
    """The addresses of a step's operands; its code knows them as ``O[0]``, ``O[1]`` and so on.

    >>> addresses = Addresses()
    >>> [addresses.name(at) for at in ("ARENA(64)", "OUTSIDE(0, 0)", "ARENA(64)")]
    ['O[0]', 'O[1]', 'O[0]']
    >>> addresses.all
    ('ARENA(64)', 'OUTSIDE(0, 0)')
    """

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def name(self, address: str) -> str:
        """What the code calls an address."""
        return self._names.setdefault(address, f"O[{len(self._names)}]")

    @property
    def all(self) -> tuple[str, ...]:
        """All addresses that have a name."""
        return tuple(self._names)


@dataclass(frozen=True)
class Code:
    """The C code of a step, in which ``@`` stands for the kernel's number.

    Attributes:
        body: the body of the kernel. Every thread of ``team`` runs it, with its index in ``me``;
            ``O`` has the addresses of the operands.
        before: the functions and types that the body uses.
        once: the body of a kernel that runs once, after the program's memory is allocated and its
            constants are in place; None if there is nothing to prepare.
    """

    body: Text
    before: Text = field(default_factory=Text)
    once: Text | None = None


@dataclass(frozen=True)
class StepSource:
    """A step of a program.

    Attributes:
        title: tells the reader what it computes.
        code: its code.
        addresses: of its operands: ``ARENA(n)`` is byte n of the program's memory,
            ``OUTSIDE(i, n)`` byte n of the i-th tensor elsewhere.
    """

    title: str
    code: Code
    addresses: tuple[str, ...]

    @property
    def once(self) -> list[StepSource]:
        """The step that runs once beforehand, if there is one."""
        once = self.code.once
        return (
            [] if once is None else [StepSource(f"{self.title}, once", Code(once), self.addresses)]
        )


@dataclass(frozen=True)
class Source:
    """A C file, and how many kernels it has, by which it can be compiled in parts."""

    text: str
    kernels: int = 1


def program_source(steps: Sequence[StepSource]) -> Source:
    """The steps as one C file. Steps that differ only in their addresses share a kernel.

    Every thread of the team does its own share of every step, and they meet at a barrier after
    each. The file is compiled once for each part, with only the kernels that are ``HERE``.
    """
    text = Text()
    text(*(f'#include "{name}.h"' for name in ("prelude", "elementary", "winograd")), "")
    kernels: dict[tuple[str, str], int] = {}
    numbered = []
    for step in steps:
        code = (str(step.code.before), str(step.code.body))
        if code not in kernels:
            kernels[code] = len(kernels)
            _write_kernel(text, step.title, code, kernels[code])
        numbered.append((step, kernels[code]))
    _write_run(text, numbered)
    return Source(str(text), len(kernels))


def _comment(title: str) -> str:
    """A title may have a user's names in it, so it must not end the comment."""
    in_one_line = title.translate(str.maketrans("\\\n\r", "   "))
    return f"/* {in_one_line.replace('*/', '* /')} */"


def _write_kernel(text: Text, title: str, code: tuple[str, str], number: int) -> None:
    before, body = (part.replace("@", str(number)).splitlines() for part in code)
    text(f"#if HERE({number})", *before, _comment(title))
    with text.block(f"KERNEL({number})"):
        text(*body)
    text("#endif", "")


def _write_run(text: Text, steps: Sequence[tuple[StepSource, int]]) -> None:
    """Write the function that runs steps, each with its kernel's number, from first to last."""
    text("#if HERE(0)", *(f"KERNEL({number});" for number in sorted({n for _, n in steps})), "")
    first, most = 0, max(len(step.addresses) for step, _ in steps)
    with text.block("static const Operand operands[] =", ";"):
        text(*(f"{', '.join(step.addresses)}," for step, _ in steps))
    with text.block("static const Step steps[] =", ";"):
        for step, number in steps:
            count = len(step.addresses)
            text(f"{{kernel{number}, {first}, {count}}}, {_comment(step.title)}")
            first += count
    text("")
    with text.block(f"void run({RUN})"), text.block("for (int s = first; s < last; s++)"):
        text(f"char *O[{most}];")
        text("locate(O, operands + steps[s].first, steps[s].count, arena, outside);")
        text("steps[s].kernel(team, me, O);")
        text("barrier(team);")
    text("#endif")
