"""The building blocks: hand-written graphs, modules, optimizers, architectures."""

from graphs.builder import GraphBuilder
from graphs.convolutions import Conv2d, TransposeConv2d
from graphs.layers import (
    MSE,
    LeakyReLU,
    MaxPool2d,
    NearestUpsampling,
    ReLU,
    Sigmoid,
    Tanh,
)
from graphs.model import Model
from graphs.module import Module
from graphs.optimizers import SGD, Adam
from graphs.sequential import Sequential, Upsampling
from graphs.weights import load_weights, save_weights

__all__ = [
    "MSE",
    "SGD",
    "Adam",
    "Conv2d",
    "GraphBuilder",
    "LeakyReLU",
    "MaxPool2d",
    "Model",
    "Module",
    "NearestUpsampling",
    "ReLU",
    "Sequential",
    "Sigmoid",
    "Tanh",
    "TransposeConv2d",
    "Upsampling",
    "load_weights",
    "save_weights",
]
