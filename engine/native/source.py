"""The C source of a program: a function for each step, and one that runs them in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from engine.native.text import Text


@dataclass(frozen=True)
class Code:
    """The C code of a step, in which ``@`` stands for the step's number.

    Attributes:
        body: the body of the step's function. Every thread of ``team`` runs it, with its index in
            ``me``; ``A`` is the program's memory, ``P`` the addresses of tensors elsewhere.
        before: the functions and types that the body uses.
        once: the body of a function that runs once, after the program's memory is allocated and
            its constants are in place; None if there is nothing to prepare.
    """

    body: Text
    before: Text = field(default_factory=Text)
    once: Text | None = None


@dataclass(frozen=True)
class StepSource:
    """A step of a program: its code, and a title that tells the reader what it computes."""

    title: str
    code: Code

    @property
    def once(self) -> list[StepSource]:
        """The step that runs once beforehand, if there is one."""
        once = self.code.once
        return [] if once is None else [StepSource(f"{self.title}, once", Code(once))]


def program_source(steps: Sequence[StepSource]) -> str:
    """The steps as one C file.

    Every thread of the team runs its own share of every step, and they meet at a barrier after
    each. The file is compiled once for each part, with only the steps that are ``HERE``.
    """
    text = Text()
    text('#include "prelude.h"', '#include "winograd.h"', "")
    for number, step in enumerate(steps):
        text(f"#if HERE({number})", *_numbered(step.code.before, number), f"/* {step.title} */")
        with text.block(f"STEP({number})"):
            text(*_numbered(step.code.body, number))
        text("#endif", "")
    text("#if HERE(0)", *(f"STEP({number});" for number in range(len(steps))), "")
    signature = "void run(Team *team, int me, int first, int last, char *A, char *const *P)"
    with text.block(signature), text.block("for (int step = first; step < last; step++)"):
        with text.block("switch (step)"):
            text(*(f"case {n}: step{n}(team, me, A, P); break;" for n in range(len(steps))))
        text("barrier(team);")
    text("#endif")
    return str(text)


def _numbered(text: Text, number: int) -> list[str]:
    return str(text).replace("@", str(number)).splitlines()
