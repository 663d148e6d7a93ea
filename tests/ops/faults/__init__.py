"""Faults planted in operators and kernels, each with the law that must catch it."""

from tests.ops.faults.fault import Fault
from tests.ops.faults.kernels import KERNEL_FAULTS, KernelFault
from tests.ops.faults.rules import TOO_LARGE, VJP_FAULTS, scaled_gradients
from tests.ops.faults.values import FORWARD_FAULTS, INFER_FAULTS

FAULTS = [*VJP_FAULTS, *FORWARD_FAULTS, *INFER_FAULTS, *scaled_gradients()]
