"""The C source of a program: a function for each step, and one that runs them in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.native.text import Text


@dataclass(frozen=True)
class StepSource:
    """A step of a program.

    Attributes:
        title: what it computes, for the reader.
        body: the C code of its function; what stands before a line ``%%`` goes before the function.
    """

    title: str
    body: str


def program_source(steps: Sequence[StepSource]) -> str:
    """The steps as one C file.

    Every thread of the team runs every step, each its own share of it; after each they meet.
    """
    text = Text()
    text('#include "prelude.h"', "")
    for number, step in enumerate(steps):
        before, _, body = step.body.rpartition("%%\n")
        text(*(line.replace("@", str(number)) for line in before.splitlines()))
        text(f"/* {step.title} */")
        with text.block(f"static void step{number}(Team *team, int me, char *A, char *const *P)"):
            text(*(line.replace("@", str(number)) for line in body.splitlines()))
        text("")
    signature = "void run(Team *team, int me, int first, int last, char *A, char *const *P)"
    with text.block(signature), text.block("for (int step = first; step < last; step++)"):
        with text.block("switch (step)"):
            text(*(f"case {n}: step{n}(team, me, A, P); break;" for n in range(len(steps))))
        text("barrier(team);")
    return str(text)
