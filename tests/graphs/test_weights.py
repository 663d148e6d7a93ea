"""Weights in files and dictionaries, to and from PyTorch's."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import nn

from graphs import Conv2d, ReLU, Sequential, TransposeConv2d, Upsampling, load_weights, save_weights
from ops import FeedError, GraphError
from tests.support import assert_near, values


def ours() -> Sequential:
    return Sequential(
        Conv2d(3, 4, 3, 2, 1),
        ReLU(),
        Sequential(TransposeConv2d(4, 4, 2, 2), ReLU()),
        Upsampling(4, 3, 3, padding=1, bias=False),
    )


def theirs() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, 2, 1),
        nn.ReLU(),
        nn.Sequential(nn.ConvTranspose2d(4, 4, 2, 2), nn.ReLU()),
        nn.Sequential(
            nn.UpsamplingNearest2d(scale_factor=2), nn.Conv2d(4, 3, 3, padding=1, bias=False)
        ),
    )


X = values(2, 3, 8, 8).float()


def test_ours_into_pytorch(tmp_path: Path) -> None:
    net, twin = ours(), theirs()
    save_weights(net, tmp_path / "net.safetensors")
    safetensors.torch.load_model(twin, tmp_path / "net.safetensors")
    assert_near(net.forward(X), twin(X))


def test_pytorchs_into_ours(tmp_path: Path) -> None:
    net, twin = ours(), theirs()
    net.forward(X)  # programs that exist already see the new weights
    safetensors.torch.save_model(twin, str(tmp_path / "twin.safetensors"))
    load_weights(net, tmp_path / "twin.safetensors")
    assert_near(net.forward(X), twin(X))
    other = ours()
    other.load_state(twin.state_dict())
    assert_near(other.forward(X), twin(X))


def test_there_and_back(tmp_path: Path) -> None:
    first, second = ours(), ours()
    path = str(tmp_path / "net.safetensors")
    save_weights(first, path)
    save_weights(first, path)  # an existing file is replaced
    load_weights(second, path)
    assert torch.equal(first.forward(X), second.forward(X))
    assert [p.name for p in tmp_path.iterdir()] == ["net.safetensors"]


def test_a_shared_module_is_saved_under_both_names(tmp_path: Path) -> None:
    shared = Conv2d(3, 3, 3, padding=1)
    net = Sequential(shared, shared)
    save_weights(net, tmp_path / "shared.safetensors")
    one = Conv2d(3, 3, 3, padding=1)
    copy = Sequential(one, one)
    load_weights(copy, tmp_path / "shared.safetensors")
    assert torch.equal(copy.forward(X), net.forward(X))


class Trap:
    """Reports if it is unpickled."""

    def __reduce__(self) -> tuple:
        return pytest.fail, ("a pickle was run",)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"nothing of the sort",
        pickle.dumps({"0.weight": Trap()}),
        (1 << 40).to_bytes(8, "little") + b"{}",
    ],
)
def test_what_is_no_safetensors_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.safetensors"
    path.write_bytes(content)
    net = ours()
    before = net.state()
    with pytest.raises(GraphError, match=r"broken.safetensors is no safetensors file"):
        load_weights(net, path)
    assert all(torch.equal(before[name], value) for name, value in net.state().items())


def test_a_file_cut_short(tmp_path: Path) -> None:
    path = tmp_path / "short.safetensors"
    save_weights(ours(), path)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(GraphError, match="no safetensors file"):
        load_weights(ours(), path)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"missing\.safetensors"):
        load_weights(ours(), tmp_path / "missing.safetensors")


def test_saving_where_nothing_can_be_saved_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(OSError):  # noqa: PT011
        save_weights(ours(), tmp_path / "nowhere" / "net.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_weights_of_another_network_change_nothing(tmp_path: Path) -> None:
    net = ours()
    before = net.state()
    path = tmp_path / "other.safetensors"
    save_weights(Sequential(Conv2d(3, 4, 3), Conv2d(4, 4, 3)), path)
    with pytest.raises(
        GraphError, match=r"missing 2\.0\.weight, 2\.0\.bias, 3\.1\.weight; unknown 1"
    ):
        load_weights(net, path)
    wrong = dict(net.state())
    wrong["3.1.weight"] = torch.zeros(3, 4, 5, 5)  # the last one
    wrong["0.weight"] = torch.zeros(4, 3, 3, 3)
    with pytest.raises(FeedError, match=r"has shape \[3, 4, 3, 3\], got \[3, 4, 5, 5\]"):
        net.load_state(wrong)
    assert all(torch.equal(before[name], value) for name, value in net.state().items())


def test_state_is_a_copy() -> None:
    net = ours()
    net.state()["0.weight"].zero_()
    assert net[0].weight.any()
    assert all(value.is_contiguous() for value in net.state().values())


def test_of_many_names_that_do_not_fit_some_are_told() -> None:
    with pytest.raises(GraphError) as refused:
        ours().load_state({str(number): torch.zeros(1) for number in range(100)})
    assert str(refused.value).endswith("8, 9 and 90 more")


def test_saving_leaves_other_files_alone(tmp_path: Path) -> None:
    path, other = tmp_path / "net.safetensors", tmp_path / "net.safetensors.part"
    other.write_text("mine")
    save_weights(ours(), path)
    assert other.read_text() == "mine"
    assert sorted(tmp_path.iterdir()) == [path, other]
