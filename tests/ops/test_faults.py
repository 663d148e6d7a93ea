"""The tests are tested: every planted fault breaks a law, and soon."""

from __future__ import annotations

import time

import pytest
from hypothesis import Phase, given, settings

from engine.kernels import KERNELS
from engine.testing import LAWS, Case, Law, LawBroken, Subject
from tests.ops.faults import FAULTS, Fault
from tests.ops.kernel_faults import KERNEL_FAULTS, KernelFault
from tests.ops.records import FAULTS as RECORD
from tests.ops.records import Caught
from tests.ops.subjects import SUBJECTS


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_fault_is_caught(fault: Fault) -> None:
    RECORD[str(fault)] = _catch(fault.subject)


@pytest.mark.parametrize("fault", KERNEL_FAULTS, ids=str)
def test_kernel_fault_is_caught(fault: KernelFault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KERNELS, fault.operator, [fault.kernel])
    caught = _catch(SUBJECTS[fault.operator])
    assert caught.law == "kernels"
    RECORD[str(fault)] = caught


@pytest.mark.parametrize("name", ["conv2d", "mul", "max_pool2d"])
def test_without_a_fault_nothing_is_caught(name: str) -> None:
    with pytest.raises(pytest.fail.Exception, match="no law is broken"):
        _catch(SUBJECTS[name])


def _catch(subject: Subject) -> Caught:
    start = time.perf_counter()
    tried = 0
    for law in LAWS:
        if law.exempt(subject) is None:
            broken, cases = _breaks(law, subject)
            tried += cases
            if broken:
                return Caught(law.name, tried, time.perf_counter() - start)
    pytest.fail(f"no law is broken, in {tried} cases")


def _breaks(law: Law, subject: Subject) -> tuple[bool, int]:
    """Whether the first cases break a law, and how many it took; they are always the same."""
    cases = 0

    @settings(phases=[Phase.generate], derandomize=True, database=None)
    @given(subject.cases)
    def holds(case: Case) -> None:
        nonlocal cases
        cases += 1
        law(subject, case)

    try:
        holds()
    except LawBroken:
        return True, cases
    return False, cases
