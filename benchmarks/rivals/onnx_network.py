"""The report's network in ONNX Runtime."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime
import torch
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
from torch import nn

from benchmarks.rivals.pytorch import torch_network


def inference(noisy: torch.Tensor) -> Callable[[], torch.Tensor]:
    """The network's result for some images, on as many threads as torch has."""
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(
        _model().SerializeToString(), settings, providers=["CPUExecutionProvider"]
    )
    feeds = {"noisy": noisy.numpy()}
    return lambda: torch.from_numpy(session.run(None, feeds)[0])


def _model() -> ModelProto:
    """The model, node by node, as an exporter would write it: convolution, activation, resize."""
    nodes: list[NodeProto] = []
    initializers: list[TensorProto] = []
    value = "noisy"

    def add(kind: str, *more: str, **attributes: Any) -> None:
        nonlocal value
        result = f"value{len(nodes)}"
        nodes.append(helper.make_node(kind, [value, *more], [result], **attributes))
        value = result

    def constant(name: str, content: Any) -> str:
        initializers.append(numpy_helper.from_array(content, name))
        return name

    scales = constant("scales", np.array([1, 1, 2, 2], np.float32))
    for name, module in torch_network().named_modules():
        if isinstance(module, nn.Conv2d):
            assert module.bias is not None
            weight = constant(f"{name}.weight", module.weight.detach().numpy())
            bias = constant(f"{name}.bias", module.bias.detach().numpy())
            add("Conv", weight, bias, strides=list(module.stride), pads=[1, 1, 1, 1])
        elif isinstance(module, nn.UpsamplingNearest2d):
            floor = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
            add("Resize", "", scales, mode="nearest", **floor)
        elif isinstance(module, nn.ReLU):
            add("Relu")
        elif isinstance(module, nn.Sigmoid):
            add("Sigmoid")
    images: list[str | int | None] = ["N", 3, "H", "W"]
    graph = helper.make_graph(
        nodes,
        "report",
        [helper.make_tensor_value_info("noisy", TensorProto.FLOAT, images)],
        [helper.make_tensor_value_info(value, TensorProto.FLOAT, images)],
        initializers,
    )
    # Not the library's newest format, which the runtime may not support yet.
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
