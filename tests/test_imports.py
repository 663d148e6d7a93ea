"""Checks what the packages import, by reading their source."""

from __future__ import annotations

import ast
import configparser
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("ops", "engine", "graphs")
SOURCES = {package: sorted((ROOT / package).rglob("*.py")) for package in (*PACKAGES, "tests")}

BELOW = {"ops": {"ops"}, "engine": {"ops", "engine"}, "graphs": {"ops", "engine", "graphs"}}
"""Imports run one way only."""

FORBIDDEN = (
    "torch.autograd",
    "torch.nn",
    "torch.optim",
    "torch.compile",
    "torch.jit",
    "torch.fx",
    "torch.func",
    "torch.export",
    "torch.onnx",
    "torch.ops",
    "torch._C",
    "torch._dynamo",
    "torch._inductor",
    "torch.backends.mkldnn",
    "torch.grad",
    "torch.vmap",
    *(f"torch.conv{'_transpose' * t}{d}d" for t in (0, 1) for d in (1, 2, 3)),
    "torch.convolution",
    "torch.mkldnn_convolution",
    "torch.cudnn_convolution",
    "torch.max_pool2d",
    "torch.max_pool1d",
    "torch.avg_pool1d",
    "torch.adaptive_avg_pool1d",
    "torch.batch_norm",
    "torch.layer_norm",
    "torch.bilinear",
    "torch.einops",
    "torchvision",
    "tensorflow",
    "jax",
)
"""torch's own way to do what is built here: derivatives, layers, losses, optimizers, compilers."""

ALLOWED = ("torch.nn.functional.unfold", "torch.nn.functional.fold")
METHODS = {"requires_grad_", "register_hook", "retain_grad"}
"""Of torch's tensors: the way into its autograd."""


def in_package(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def imported(tree: ast.AST) -> Iterator[tuple[str, str, int]]:
    """(the name in the file, the whole dotted name, line) of each import."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.split(".")[0]
                yield alias.asname or top, alias.name if alias.asname else top, node.lineno
                yield "", alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"a relative import in line {node.lineno}"
            for alias in node.names:
                yield alias.asname or alias.name, f"{node.module}.{alias.name}", node.lineno


def used(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Every dotted name that a file imports or reaches through what it imports."""
    names = {short: whole for short, whole, _ in imported(tree) if short}
    for _, whole, line in imported(tree):
        yield whole, line
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            path, base = [node.attr], node.value
            while isinstance(base, ast.Attribute):
                path, base = [base.attr, *path], base.value
            if isinstance(base, ast.Name) and base.id in names:
                yield ".".join([names[base.id], *path]), node.lineno


def violations(source: str) -> list[tuple[str, int]]:
    """Forbidden names in a source text, with their lines."""
    tree = ast.parse(source)
    found = [
        (name, line)
        for name, line in used(tree)
        if any(in_package(name, forbidden) for forbidden in FORBIDDEN)
        and name not in ("torch.nn", "torch.nn.functional", *ALLOWED)
    ]
    dynamic = {"__import__", "import_module", "exec", "eval"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else ""
            called = node.func.id if isinstance(node.func, ast.Name) else called
            if called in dynamic:
                found.append((called, node.lineno))
        elif isinstance(node, ast.Attribute) and node.attr in METHODS:
            found.append((node.attr, node.lineno))
        elif isinstance(node, ast.keyword) and node.arg == "requires_grad":
            found.append(("requires_grad", node.lineno))
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_run_one_way_only(package: str) -> None:
    assert SOURCES[package]
    for path in SOURCES[package]:
        for _, whole, line in imported(ast.parse(path.read_text())):
            top = whole.split(".")[0]
            ours = top in {*PACKAGES, "tests", "benchmarks"}
            assert not ours or top in BELOW[package], f"{path}:{line} imports {whole}"


@pytest.mark.parametrize("package", PACKAGES)
def test_torch_gives_tensors_and_nothing_more(package: str) -> None:
    for path in SOURCES[package]:
        assert violations(path.read_text()) == [], path


@pytest.mark.parametrize(
    "source",
    [
        "import torch.nn as nn\nnn.Conv2d(1, 1, 1)",
        "from torch import nn\nnn.functional.conv2d(x, w)",
        "import torch.nn.functional as F\nF.max_pool2d(x, 2)",
        "import torch.nn.functional as F\nF.mse_loss(x, y)",
        "from torch.nn.functional import interpolate",
        "from torch.nn import Module",
        "import torch\ntorch.conv2d(x, w)",
        "import torch\ntorch.nn.functional.conv_transpose2d(x, w)",
        "import torch\ntorch.autograd.grad(y, x)",
        "from torch.autograd import Function",
        "from torch.optim import SGD",
        "import torch\nf = torch.compile(f)",
        "import torch\ntorch.ops.aten.convolution(x)",
        "import torch\ntorch.zeros(2, requires_grad=True)",
        "import torch\ntorch.zeros(2).requires_grad_()",
        "import importlib\nimportlib.import_module('torch.nn')",
    ],
)
def test_the_check_finds_what_is_forbidden(source: str) -> None:
    assert violations(source)


@pytest.mark.parametrize(
    "source",
    [
        "import torch\ntorch.mm(a, b, out=c)\ntorch.cuda.synchronize()",
        "import torch.nn.functional as tensor_functions\ntensor_functions.unfold(x, 3)",
        "from torch.nn.functional import fold",
        "import torch.distributed as dist\ndist.all_reduce(x)",
    ],
)
def test_the_check_lets_the_rest_through(source: str) -> None:
    assert violations(source) == []


def top_level_imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


PUBLISHED_AS = {"PIL": "pillow", "pywt": "pywavelets", "skimage": "scikit-image"}
"""Names of packages where they differ from what is imported."""

WITH_TORCH = {"triton"}
"""What torch's builds for CUDA bring along, and what is imported where there is CUDA alone."""


@pytest.mark.parametrize(
    ("folders", "extras"),
    [(("ops", "engine"), ()), (("graphs",), ("app",)), (("benchmarks",), ("app", "bench"))],
    ids=["engine", "application", "benchmarks"],
)
def test_what_is_imported_is_declared(folders: tuple[str, ...], extras: tuple[str, ...]) -> None:
    declared = configparser.ConfigParser()
    declared.read(ROOT / "setup.cfg")
    lines = declared["options"]["install_requires"].split()
    for extra in extras:
        lines += declared["options.extras_require"][extra].split()
    known = {line.partition(">=")[0] for line in lines}
    paths = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    imported = {
        name.partition(".")[0]
        for path in paths
        if "testing" not in path.parts  # the law kit is of the test extra
        for name in top_level_imports(path)
    }
    ours = {"ops", "engine", "graphs", "benchmarks"}
    outside = imported - set(sys.stdlib_module_names) - ours - WITH_TORCH
    assert {PUBLISHED_AS.get(name, name) for name in outside} <= known
