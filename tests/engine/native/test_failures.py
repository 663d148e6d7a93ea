"""Failures of compilers and caches end in a clear message, never in a wrong number."""

from __future__ import annotations

import os
import re
import shutil
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from engine import Program, cache, compile
from engine.backends import Request
from engine.native.toolchain import library, target, thread_pool
from engine.once import warn_once
from graphs import SGD, GraphBuilder, Module
from graphs.architectures import UNet, report_network
from ops import GraphError, OutOfMemory, mse, sigmoid
from tests.support import values

FEEDS = {"x": torch.linspace(-3, 3, 40)}


@pytest.fixture(autouse=True)
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Forget what was compiled before, and use a cache of the test's own."""
    monkeypatch.setenv("BLOCKWRIGHT_CACHE", str(tmp_path / "cache"))
    forget()
    yield
    forget()


def forget() -> None:
    for remembered in (
        warn_once, target.find_target, library._load, cache.cache_folder, thread_pool.thread_pool
    ):  # fmt: skip
        remembered.cache_clear()


def program() -> Program:
    g = GraphBuilder("failing")
    return compile(g.build(y=sigmoid(g.input("x", (40,)))), backend="native")


def kernel(compiled: Program) -> str:
    result = compiled(**FEEDS)["y"]
    torch.testing.assert_close(result, FEEDS["x"].sigmoid())
    return compiled.steps()[0].kernel


def cached() -> list[Path]:
    return sorted(Path(os.environ["BLOCKWRIGHT_CACHE"]).glob("*.so"))


def test_a_cache_that_vanishes_after_compiling() -> None:
    compiled = program()
    shutil.rmtree(os.environ["BLOCKWRIGHT_CACHE"])
    assert kernel(compiled).startswith("C: ")


@pytest.mark.parametrize("processors", [None, 1, 3, 100])
def test_compiled_side_by_side(processors: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: processors)
    g = GraphBuilder("long")
    feeds = {f"x{i}": torch.randn(40 + i) for i in range(12)}
    outputs = {f"of {name}": sigmoid(g.input(name, x.shape)) for name, x in feeds.items()}
    compiled = compile(g.build(**outputs), backend="native")
    assert compiled.source().count("#if HERE(") > 12
    for x, y in zip(feeds.values(), compiled(**feeds).values(), strict=True):
        torch.testing.assert_close(y, x.sigmoid())
    assert [path.suffix for path in Path(os.environ["BLOCKWRIGHT_CACHE"]).iterdir()] == [".so"] * 2


@pytest.mark.filterwarnings("error:no native code")
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("make", [lambda: report_network(16), lambda: UNet(16, depth=2)])
def test_every_compiler(
    compiler: str, make: Callable[[], Module], monkeypatch: pytest.MonkeyPatch
) -> None:
    if shutil.which(compiler) is None:
        pytest.skip(f"needs {compiler}")
    monkeypatch.setenv("CC", compiler)
    feeds = {"noisy": values(2, 3, 16, 24).float(), "target": values(2, 3, 16, 24, seed=1).float()}
    losses = []
    for backend in ("torch", "native"):
        torch.manual_seed(0)
        net, g = make(), GraphBuilder("training")
        noisy, wanted = (g.input(name, (2, 3, 16, 24)) for name in feeds)
        graph = g.build(loss=mse(net(noisy), wanted))
        step = compile(graph, minimize="loss", optimizer=SGD(lr=0.01), backend=backend)
        losses.append([float(step(**feeds)["loss"]) for _ in range(4)])
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    assert losses[0][-1] < losses[0][0]


def test_unknown_backend() -> None:
    g = GraphBuilder("unknown")
    graph = g.build(y=sigmoid(g.input("x", (2,))))
    with pytest.raises(
        GraphError, match="unknown backend 'fast' \\(there are: auto, torch, native"
    ):
        compile(graph, backend="fast")
    with pytest.raises(GraphError, match="the native backend computes on the CPU, not on cuda"):
        Request("native", torch.device("cuda"), "float32", tune=False)


@pytest.mark.parametrize(
    ("compiler", "reason"),
    [
        ("there-is-no-such-compiler", "there is no C compiler 'there-is-no-such-compiler'"),
        ("false", "the C compiler 'false' failed"),
    ],
)
def test_without_a_compiler_torch_computes(
    compiler: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CC", compiler)
    with pytest.warns(UserWarning, match=f"no native code: {reason}.*torch's kernels"):
        first = program()
    assert kernel(first) == "torch.sigmoid"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert kernel(program()) == "torch.sigmoid"


def test_unknown_processor() -> None:
    with pytest.raises(target.NativeError, match=r"the C compiler '.*' failed: .*none-such"):
        target.find_target("none-such")


def test_a_compiler_that_fails_on_a_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "run_compiler", failing)
    with pytest.warns(UserWarning, match="no native code: out of registers"):
        compiled = program()
    assert kernel(compiled) == "torch.sigmoid"
    assert cached() == []


def failing(command: tuple[str, ...], source: str = "") -> str:
    raise target.NativeError("out of registers")


def test_libraries_are_kept_and_found_again(monkeypatch: pytest.MonkeyPatch) -> None:
    assert kernel(program()) == "C: elementwise"
    libraries = cached()
    assert len(libraries) == 2  # the threads' and the program's
    forget()
    monkeypatch.setattr(library, "run_compiler", failing)
    assert kernel(program()) == "C: elementwise"
    assert cached() == libraries


@pytest.mark.parametrize("damage", [lambda content: content[:100], lambda content: b"", None])
def test_damaged_libraries_are_compiled_again(damage: object) -> None:
    kernel(program())
    for path in cached():
        if callable(damage):
            # In place of the file, since this process has the old one in its memory.
            content = path.read_bytes()
            path.unlink()
            path.write_bytes(damage(content))
        else:
            path.unlink()
    forget()
    assert kernel(program()) == "C: elementwise"
    assert len(cached()) == 2


@pytest.mark.parametrize("place", ["file", "/proc/none-such"])
def test_a_cache_that_cannot_be_written_to(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("BLOCKWRIGHT_CACHE", str(tmp_path / place))
    with pytest.warns(UserWarning, match="the cache folder cannot be used"):
        compiled = program()
    assert kernel(compiled) == "C: elementwise"


def test_more_memory_than_there_is() -> None:
    g = GraphBuilder("large")
    x = g.input("x", (1 << 46,))
    compiled = compile(g.build(y=sigmoid(x)), backend="torch")
    with pytest.raises(OutOfMemory, match="needs 281,474,976,710,656 bytes of memory on cpu"):
        compiled(x=torch.zeros(1).expand(1 << 46))


@pytest.mark.parametrize("backend", ["torch", "native"])
def test_memory_that_is_there_the_next_time(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    g = GraphBuilder("retried")
    x = g.input("x", (40,))
    compiled = compile(g.build(y=sigmoid(x)), backend=backend)

    def fail(*args: object, **options: object) -> torch.Tensor:
        raise RuntimeError("not enough memory")

    with monkeypatch.context() as patch:
        patch.setattr("torch.empty", fail)
        with pytest.raises(OutOfMemory, match="the program needs"):
            compiled(**FEEDS)
    with monkeypatch.context() as patch:
        patch.setattr("torch.empty_strided", fail)
        patch.setattr("torch.Tensor.clone", fail)
        with pytest.raises(OutOfMemory, match="the result 'y' needs 160 bytes of memory on cpu"):
            compiled(**FEEDS)
    assert torch.allclose(compiled(**FEEDS)["y"], torch.sigmoid(FEEDS["x"]))


def test_a_relative_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BLOCKWRIGHT_CACHE", ".")
    assert kernel(program()) == "C: elementwise"
    assert list(tmp_path.glob("*.so"))


def test_no_home_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", no_home)
    for variable in ("BLOCKWRIGHT_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(variable, raising=False)
    with pytest.warns(UserWarning, match="cannot be used .Could not determine home directory"):
        assert kernel(program()) == "C: elementwise"


@pytest.mark.parametrize("damage", ["folder", "link"])
def test_a_cache_entry_that_is_no_file(damage: str) -> None:
    assert kernel(program()) == "C: elementwise"
    for path in cached():
        path.unlink()
        path.mkdir() if damage == "folder" else path.symlink_to("nothing")
    forget()
    if damage == "folder":
        with pytest.warns(UserWarning, match="compiled code cannot be written to"):
            assert kernel(program()) != "C: elementwise"
    else:
        assert kernel(program()) == "C: elementwise"


@pytest.mark.parametrize(
    ("compiler", "message"),
    [
        ('gcc "', "CC='gcc \"' is no command: No closing quotation"),
        ("false", "the C compiler 'false' failed: exit status 1, no message"),
        ("true", "'true' is no C compiler: it defines no macros"),
    ],
)
def test_a_compiler_that_is_none(
    compiler: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CC", compiler)
    with pytest.warns(UserWarning, match=re.escape(message)):
        assert kernel(program()) != "C: elementwise"


def test_the_environment_names_a_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    g = GraphBuilder("environment")
    graph = g.build(y=sigmoid(g.input("x", (40,))))
    assert kernel(compile(graph)) == "torch.sigmoid"
    monkeypatch.setenv("BLOCKWRIGHT_BACKEND", "native")
    assert kernel(compile(graph)) == "C: elementwise"
    monkeypatch.setenv("BLOCKWRIGHT_BACKEND", "fast")
    with pytest.raises(GraphError, match="unknown backend 'fast'"):
        compile(graph)
