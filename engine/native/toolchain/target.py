"""What code is generated for: a compiler, a processor architecture and its vectors."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from functools import lru_cache

import torch

from ops import BlockwrightError

FLAGS = (
    *("-std=gnu11", "-O2", "-fPIC", "-shared", "-pthread", "-Wno-psabi"),
    *("-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math"),
)
"""NaN, infinities and signed zeros keep their meaning, with two exceptions. Winograd's blocks take
differences of pixels, so an infinity turns their results into NaN. Where the phases of few channels
are computed at once, each is multiplied by 0 for pixels that only others read, so that a NaN or an
infinity reaches phases beside it."""


CALLED_AS_WRITTEN = ("-fno-ipa-pure-const", "-fno-ipa-modref")
"""Flags for GCC from version 11 on: version 12 wrongly finds that some functions that store part of
a vector have no effect, and drops the calls."""


NO_RED_ZONE = ("-mno-red-zone",)
"""Flag for GCC on x86-64: version 12 stores arrays of a function that calls no other below the
stack pointer as if they were aligned there, which they are not, and the program crashes."""


class NativeError(BlockwrightError):
    """Native code is not available here; the engine then computes with torch's kernels."""


@dataclass(frozen=True)
class Target:
    """A compiler and the processor it compiles for.

    Attributes:
        command: the compiler with its flags.
        vector_bytes: width of a vector register.
        registers: number of vector registers.
        identity: a hash of everything that compiled code depends on: compiler, version, processor.
    """

    command: tuple[str, ...]
    vector_bytes: int
    registers: int
    identity: str

    def lanes(self, dtype: torch.dtype) -> int:
        """Elements in a vector."""
        return self.vector_bytes // dtype.itemsize

    @property
    def accumulators(self) -> int:
        """Vector registers that may hold sums; the others are needed for what is multiplied."""
        return self.registers - 4


@dataclass(frozen=True)
class Machine:
    """A target, and the number of threads that run the code."""

    target: Target
    threads: int


@lru_cache
def find_target(architecture: str = "native") -> Target:
    """Find the system's C compiler, ``CC`` or else ``cc``, and what it compiles for.

    Args:
        architecture: the compiler's name for the processor (``-march``): ``native`` is this
            machine's; others are ``x86-64``, ``x86-64-v3`` (AVX2), ``x86-64-v4`` (AVX-512),
            ``armv8-a``.

    Raises:
        NativeError: there is no compiler, or it does not know the architecture.
    """
    try:
        compiler = shlex.split(os.environ.get("CC", "cc")) or ["cc"]
    except ValueError as error:
        raise NativeError(f"CC={os.environ['CC']!r} is no command: {error}") from None
    if shutil.which(compiler[0]) is None:
        raise NativeError(f"there is no C compiler {compiler[0]!r}")
    command = (*compiler, *FLAGS, f"-march={architecture}")
    macros = _macros(command)
    if "#define" not in macros:
        raise NativeError(f"{compiler[0]!r} is no C compiler: it defines no macros")
    gcc = re.search(r"__GNUC__ (\d+)", macros)
    if gcc and "__clang__" not in macros:
        command += CALLED_AS_WRITTEN if int(gcc[1]) >= 11 else ()
        command += NO_RED_ZONE if "__x86_64__" in macros else ()
    wide, avx = "__AVX512F__" in macros, "__AVX__" in macros
    width = 64 if wide else 32 if avx else 16
    registers = 32 if wide or "__aarch64__" in macros else 16
    identity = hashlib.sha256(" ".join([*command, macros]).encode()).hexdigest()
    return Target((*command, f"-DBYTES={width}"), width, registers, identity)


def run_compiler(command: tuple[str, ...], source: str = "") -> str:
    """Run a compiler and return its standard output.

    Raises:
        NativeError: it cannot be run, or fails; the message has the first error it reports.
    """
    try:
        done = subprocess.run(
            command, input=source, capture_output=True, text=True, timeout=600, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NativeError(f"the C compiler {command[0]!r} cannot be run: {error}") from None
    if done.returncode:
        said = done.stderr.splitlines()
        reasons = [line for line in said if "error" in line] or said
        reason = reasons[0] if reasons else f"exit status {done.returncode}, no message"
        raise NativeError(f"the C compiler {command[0]!r} failed: {reason}")
    return done.stdout


def _macros(command: tuple[str, ...]) -> str:
    """Every macro the compiler predefines: they tell its version and the processor."""
    return run_compiler((*command, "-dM", "-E", "-x", "c", "-"))
