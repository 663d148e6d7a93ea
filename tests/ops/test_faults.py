"""The tests are themselves tested: every planted fault breaks a law, and quickly."""

from __future__ import annotations

import time

import pytest
from hypothesis import Phase, given, settings

from engine.kernels import KERNELS
from engine.testing import Case, Law, LawBroken, Subject
from engine.testing.laws import KERNEL_EQUALITY, VJP
from tests.ops.faults import FAULTS, KERNEL_FAULTS, Fault, KernelFault
from tests.ops.records import FAULTS as RECORD
from tests.ops.records import LAW_EXAMPLES, Caught
from tests.ops.subjects import SUBJECTS


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_fault_is_caught(fault: Fault) -> None:
    RECORD[str(fault)] = _catch(fault.law, fault.subject)


@pytest.mark.parametrize("fault", KERNEL_FAULTS, ids=str)
def test_kernel_fault_is_caught(fault: KernelFault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KERNELS, fault.operator, [fault.kernel])
    RECORD[str(fault)] = _catch(KERNEL_EQUALITY, SUBJECTS[fault.operator])


def test_without_a_fault_nothing_is_caught() -> None:
    with pytest.raises(pytest.fail.Exception, match="is not broken"):
        _catch(VJP, SUBJECTS["conv2d"])


def _catch(law: Law, subject: Subject) -> Caught:
    """Break a law; with the first cases, which are always the same."""
    cases = 0

    @settings(phases=[Phase.generate], derandomize=True, database=None, max_examples=LAW_EXAMPLES)
    @given(subject.cases)
    def holds(case: Case) -> None:
        nonlocal cases
        cases += 1
        law(subject, case)

    start = time.perf_counter()
    try:
        holds()
    except LawBroken:
        return Caught(law.name, cases, time.perf_counter() - start)
    pytest.fail(f"the law {law.name!r} is not broken, in {cases} cases")
