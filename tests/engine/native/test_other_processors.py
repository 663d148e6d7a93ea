"""The same C code on another processor: compiled for Arm and run by an emulator."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import torch

from engine.native.code.operand import Operand, Operands
from engine.native.code.source import StepSource, program_source
from engine.native.emitters import EMITTERS
from engine.native.toolchain.library import HEADERS
from engine.native.toolchain.target import Machine, find_target
from engine.testing import Case, Sample
from engine.testing.arrangement import Arrangement
from ops import REGISTRY
from tests.support import assert_near

COMPILER, EMULATOR = "aarch64-linux-gnu-gcc", "qemu-aarch64"
WINDOW = {"stride": (2, 2), "padding": (1, 1), "dilation": (1, 1), "groups": 1}

MAIN = """
#include <stdio.h>
int main(void)
{
    static char memory[1 << 22];
    char *P[8] = {0};
    long at = 0, sizes[] = {%s};
    for (int i = 0; i < %d; at += sizes[i++])
        P[i] = memory + at;
    if (fread(memory, 1, at, stdin) != (size_t)at)
        return 1;
    Team team = {.threads = 1};
    run(&team, 0, 0, 1, memory, P);
    return fwrite(memory, 1, sizes[0], stdout) != (size_t)sizes[0];
}
"""


def image(*shape: int) -> Sample:
    return Sample(shape, dtype=torch.float32, layout="channels_last")


CASES = {
    "conv2d": Case(image(2, 3, 9, 8), image(5, 3, 3, 3), **WINDOW),
    "conv2d_input_gradient": Case(image(2, 5, 5, 4), image(5, 3, 3, 3), size=(9, 8), **WINDOW),
    "conv2d_weight_gradient": Case(
        image(2, 5, 5, 4), image(2, 3, 9, 8), kernel_size=(3, 3), **WINDOW
    ),
    "conv2d of whole vectors": Case(image(1, 8, 5, 4), image(9, 8, 3, 3), **WINDOW),
    "conv2d_weight_gradient of whole vectors": Case(
        image(1, 8, 5, 4), image(1, 8, 9, 8), kernel_size=(3, 3), **WINDOW
    ),
    "conv2d by blocks": Case(
        image(2, 16, 7, 9), image(16, 16, 3, 3), **{**WINDOW, "stride": (1, 1)}
    ),
    "conv2d of few pixels": Case(
        image(1, 16, 3, 4), image(16, 16, 3, 3), **{**WINDOW, "stride": (1, 1)}
    ),
    "conv2d by strided blocks": Case(image(64, 32, 8, 8), image(32, 32, 3, 3), **WINDOW),
    "conv2d_weight_gradient by blocks": Case(
        image(2, 16, 8, 8), image(2, 16, 8, 8), kernel_size=(3, 3), **{**WINDOW, "stride": (1, 1)}
    ),
    "conv2d, depthwise": Case(
        image(2, 5, 9, 8), image(5, 1, 3, 3), **{**WINDOW, "groups": 5}
    ),
    "conv2d_weight_gradient, depthwise": Case(
        image(2, 5, 5, 4), image(2, 5, 9, 8), kernel_size=(3, 3), **{**WINDOW, "groups": 5}
    ),
    "sigmoid": Case(image(2, 3, 5, 7)),
    "mean": Case(image(2, 3, 5, 7), dim=(0, 1, 2, 3), keepdim=False),
    "max_pool2d": Case(
        image(2, 5, 4, 6), kernel_size=(2, 2), stride=(2, 2), padding=(0, 0), dilation=(1, 1),
        ceil_mode=False,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_on_arm(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not (shutil.which(COMPILER) and shutil.which(EMULATOR)):
        pytest.skip(f"needs {COMPILER} and {EMULATOR}")
    monkeypatch.setenv("CC", COMPILER)
    machine, name = Machine(find_target("armv8-a"), threads=1), re.split("[ ,]", case)[0]
    arranged = Arrangement(REGISTRY[name], CASES[case])
    emitter = next(e for e in EMITTERS if e.supports(arranged.node))
    out = torch.empty_strided(arranged.node.sizes, arranged.result().tensor.stride())
    scratch = [torch.empty(s.sizes, dtype=s.dtype) for s in emitter.scratch(arranged.node, machine)]
    tensors = [out, *arranged.tensors, *scratch]
    operands = [Operand.of(f"O[{i}]", tensor) for i, tensor in enumerate(tensors)]
    count = len(arranged.tensors)
    inside = Operands(operands[0], tuple(operands[1 : count + 1]), tuple(operands[count + 1 :]))
    addresses = tuple(f"OUTSIDE({i}, 0)" for i in range(len(tensors)))
    step = StepSource(name, emitter.emit(arranged.node, inside, machine), addresses)
    result = run_emulated(program_source([step]).text, machine, tensors, tmp_path)
    actual = torch.frombuffer(bytearray(result), dtype=out.dtype).as_strided(
        out.shape, out.stride()
    )
    assert_near(actual, arranged.node.operator.forward(*arranged.tensors, **CASES[case].attributes))


def run_emulated(source: str, machine: Machine, tensors: list[torch.Tensor], folder: Path) -> bytes:
    """The bytes of the first tensor once the program has run."""
    memories = [bytes(tensor.untyped_storage().tolist()) for tensor in tensors]
    sizes = ", ".join(str(len(memory)) for memory in memories)
    (folder / "program.c").write_text(source + MAIN % (sizes, len(memories)))
    command = [flag for flag in machine.target.command if flag not in ("-shared", "-fPIC")]
    subprocess.run(
        [*command, "-static", f"-I{HEADERS}", "-o", "program", "program.c", "-lm"],
        cwd=folder, check=True,
    )  # fmt: skip
    done = subprocess.run(
        [EMULATOR, "./program"], input=b"".join(memories), cwd=folder, capture_output=True,
        check=True,
    )  # fmt: skip
    return done.stdout
