"""The eight laws that every operator must satisfy."""

from engine.testing.laws.derivatives import LINEARITY, SECOND_ORDER, VJP
from engine.testing.laws.kernels import KERNEL_EQUALITY
from engine.testing.laws.memory import NO_SIDE_EFFECTS, SAME_BITS
from engine.testing.laws.values import INFER, ORACLE

LAWS = (
    ORACLE,
    INFER,
    VJP,
    LINEARITY,
    SECOND_ORDER,
    NO_SIDE_EFFECTS,
    KERNEL_EQUALITY,
    SAME_BITS,
)
