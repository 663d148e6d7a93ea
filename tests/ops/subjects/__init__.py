"""Every operator under test, by name: what to try it on, and what is claimed about it."""

from tests.ops.subjects import convolution, elementwise, movement, windows

_FAMILIES = (elementwise, movement, windows, convolution)

SUBJECTS = {subject.operator.name: subject for f in _FAMILIES for subject in f.SUBJECTS}
NO_FORWARD = movement.NO_FORWARD
