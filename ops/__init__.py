"""Operators: what a node of a graph means.

An operator is three functions, ``infer``, ``forward`` and ``vjp``, declared by :func:`operator`.
Calling one on nodes adds a node. Shapes are NCHW; argument names and order are PyTorch's.
"""

from ops.activations import leaky_relu, relu, sigmoid, softplus, tanh
from ops.arithmetic import (
    abs,
    absolute,
    add,
    div,
    exp,
    log,
    maximum,
    minimum,
    mul,
    neg,
    pow,
    sign,
    sqrt,
    square,
    sub,
)
from ops.assembly import concat, pad, slice, unslice
from ops.average_pooling import avg_pool2d, sum_pool2d, sum_pool2d_adjoint
from ops.comparison import equal, greater, greater_equal, less, less_equal, not_equal, where
from ops.convolution import conv2d_input_gradient, conv2d_weight_gradient, rotate_weight
from ops.convolution_calls import conv2d, conv_transpose2d
from ops.dimension import Dim
from ops.errors import (
    BlockwrightError,
    FeedError,
    GradientError,
    GraphError,
    NumericsError,
    OutOfMemory,
    SpecError,
)
from ops.leaves import Parameter, constant, full
from ops.linear_algebra import matmul
from ops.losses import l0_annealed, l1, masked_mse, mse
from ops.max_pooling import max_pool2d, pool_route, pool_select
from ops.node import Node
from ops.operator import Operator, operator
from ops.phases import interleave_phases, phase_weight, phase_weight_adjoint, separate_phases
from ops.reductions import mean, sum
from ops.registry import REGISTRY
from ops.resampling import downsample_sum, upsample_nearest
from ops.shape import copy, expand, permute, reshape, sum_to
from ops.spec import Spec, require_float, require_ndim, require_same_shape, same_as_input
from ops.windows import fold, unfold
