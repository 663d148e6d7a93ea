"""The page about what the operator tests have tried, written from their records."""

from __future__ import annotations

from collections.abc import Iterable

from engine.testing import LAWS
from tests.ops.faults import TOO_LARGE
from tests.ops.records import CASES, FAULTS, SAMPLES
from tests.ops.subjects import NO_FORWARD, SUBJECTS

INTRODUCTION = """\
# What every operator is held to

Written by `pytest tests/ops --laws-page docs/laws.md` from what ran. The laws are in
`engine/testing`; `check_operator` holds any operator to them, a user's own too.
"""


def page() -> str:
    """The page, in Markdown."""
    return "\n".join([INTRODUCTION, *_laws(), *_operators(), *_samples(), *_faults()])


def _laws() -> Iterable[str]:
    yield "## The laws\n"
    for i, law in enumerate(LAWS, 1):
        yield f"{i}. **{law.name}**: {law.statement}"
    yield ""


def _operators() -> Iterable[str]:
    total = f"{sum(CASES.values()):,}"
    yield f"## Operators and laws\n\nCases that held, {total} in all; a letter is why none.\n"
    yield from _head("operator", *(law.name for law in LAWS))
    reasons: dict[str, str] = {}
    for name in sorted(SUBJECTS):
        cells = []
        for law in LAWS:
            reason = law.exempt(SUBJECTS[name])
            letter = reason and reasons.setdefault(reason, chr(ord("a") + len(reasons)))
            cells.append(letter or str(CASES[name, law.name]))
        yield _row(f"`{name}`", *cells)
    for name, reason in NO_FORWARD.items():
        letter = reasons.setdefault(reason, chr(ord("a") + len(reasons)))
        yield _row(f"`{name}`", *[letter] * len(LAWS))
    yield "\n" + "; ".join(f"{letter}: {reason}" for reason, letter in reasons.items()) + ".\n"


def _samples() -> Iterable[str]:
    passed, refused = (sum(c[key] for c in SAMPLES.values()) for key in ("passed", "refused"))
    others = sum(counts.total() for counts in SAMPLES.values()) - passed - refused
    yield "## PyTorch's own cases\n"
    yield (
        "Sample inputs, in float64 and float32, and error inputs of PyTorch's operators that ours "
        f"have a counterpart of: {passed:,} samples gave PyTorch's values and gradients, "
        f"{refused:,} errors were refused, {others:,} are not covered.\n"
    )
    yield from _head("PyTorch's operator", "passed", "refused", "not covered")
    for name in sorted(SAMPLES):
        counts = SAMPLES[name]
        rest = (f"{n} {why}" for why, n in counts.items() if why not in ("passed", "refused"))
        yield _row(f"`{name}`", str(counts["passed"]), str(counts["refused"]), "; ".join(rest))
    yield ""


def _faults() -> Iterable[str]:
    yield (
        f"## Planted faults\n\nAll {len(FAULTS)} faults that were planted in operators and kernels "
        "are caught; by which law, after how many cases and seconds:\n"
    )
    yield from _head("fault", "law", "cases", "seconds")
    scaled = [caught for name, caught in FAULTS.items() if name.endswith(TOO_LARGE)]
    for name, caught in FAULTS.items():
        if caught not in scaled:
            yield _row(name, caught.law, str(caught.cases), f"{caught.seconds:.2f}")
    cases, seconds = max(c.cases for c in scaled), max(c.seconds for c in scaled)
    each = f"one gradient {TOO_LARGE}: each of {len(scaled)}, at most"
    yield _row(each, scaled[0].law, str(cases), f"{seconds:.2f}")


def _head(*cells: str) -> Iterable[str]:
    yield _row(*cells)
    yield _row(*["---"] * len(cells))


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
