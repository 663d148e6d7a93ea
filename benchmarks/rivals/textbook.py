"""The training step as a course solution would write it: unfold, matmul, fold, nothing shared."""

from __future__ import annotations

import torch
from torch import nn

from benchmarks.rivals.pytorch import torch_network


class Textbook:
    """The report's network with SGD, starting from a PyTorch network's weights."""

    def __init__(self, noisy: torch.Tensor, target: torch.Tensor, lr: float = 0.1) -> None:
        self.noisy, self.target, self.lr = noisy, target, lr
        convolutions = [
            m for m in torch_network().to(noisy.device).modules() if isinstance(m, nn.Conv2d)
        ]
        self.weights = [m.weight.detach() for m in convolutions]
        self.biases = [m.bias.detach() for m in convolutions if m.bias is not None]
        self.strides = [m.stride[0] for m in convolutions]

    @torch.no_grad()
    def __call__(self) -> torch.Tensor:
        """One training step."""
        inputs, outputs = self._forward()
        difference = outputs[-1] - self.target
        gradient = 2 * difference / difference.numel() * outputs[-1] * (1 - outputs[-1])
        for layer in reversed(range(len(self.weights))):
            gradient = self._backward(layer, inputs[layer], gradient)
            if layer >= 2:
                n, c, h, w = gradient.shape
                gradient = gradient.reshape(n, c, h // 2, 2, w // 2, 2).sum((3, 5))
            if layer:
                gradient = gradient * (outputs[layer - 1] > 0)
        return (difference**2).mean()

    def _forward(self) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        inputs: list[torch.Tensor] = []
        outputs: list[torch.Tensor] = []
        x = self.noisy
        for layer in range(len(self.weights)):
            if layer >= 2:
                x = x.repeat_interleave(2, 2).repeat_interleave(2, 3)
            inputs.append(x)
            x = self._convolve(layer, x)
            x = x.sigmoid() if layer == len(self.weights) - 1 else x.relu()
            outputs.append(x)
        return inputs, outputs

    def _convolve(self, layer: int, x: torch.Tensor) -> torch.Tensor:
        weight, stride = self.weights[layer], self.strides[layer]
        columns = nn.functional.unfold(x, 3, padding=1, stride=stride)
        y = weight.flatten(1) @ columns + self.biases[layer][:, None]
        return y.reshape(len(x), len(weight), x.shape[2] // stride, x.shape[3] // stride)

    def _backward(self, layer: int, x: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
        weight, stride = self.weights[layer], self.strides[layer]
        flat = gradient.flatten(2)
        columns = nn.functional.unfold(x, 3, padding=1, stride=stride)
        back = weight.flatten(1).T @ flat
        result = nn.functional.fold(back, x.shape[2:], 3, padding=1, stride=stride)
        weight -= self.lr * (flat @ columns.transpose(1, 2)).sum(0).reshape(weight.shape)
        self.biases[layer] -= self.lr * flat.sum((0, 2))
        return result
