"""Tiles cover a picture once, and give the same result as the whole picture at once."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from graphs.architectures import UNet, report_network
from graphs.module import Module
from graphs.noise2noise.errors import InputError
from graphs.noise2noise.restoring.receptive_field import Reach
from graphs.noise2noise.restoring.restorer import Restorer
from graphs.noise2noise.restoring.tiles import even_side, least_side, spans, up_to_multiple
from tests.noise2noise.restoring.networks import PYRAMIDS, Drawn
from tests.support import values

REACHES = st.builds(Reach, st.integers(0, 40), st.integers(0, 40), st.sampled_from([1, 2, 4, 32]))


@given(REACHES, st.integers(1, 500), st.integers(1, 200))
def test_spans_cover_a_length_once(reach: Reach, length: int, most: int) -> None:
    length = up_to_multiple(length, reach.multiple)
    most = max(most, least_side(reach))
    side = even_side(length, most, reach)
    assert side <= up_to_multiple(most, reach.multiple)
    kept = 0
    for span in spans(length, side, reach):
        assert span.stop - span.start == side
        assert span.start % reach.multiple == 0
        assert span.keep_start == kept < span.keep_stop
        assert span.start == 0 or span.keep_start - span.start >= reach.before
        assert span.stop == length or span.stop - span.keep_stop >= reach.after
        kept = span.keep_stop
    assert kept == length


def whole(net: Module, picture: torch.Tensor, channels: int = 3) -> torch.Tensor:
    return Restorer(net, channels, side=10_000)(picture)


def in_small_tiles(net: Module, picture: torch.Tensor, channels: int = 3) -> torch.Tensor:
    return Restorer(net, channels, side=1)(picture)


@settings(max_examples=25)
@given(PYRAMIDS, st.tuples(st.integers(16, 90), st.integers(16, 90)))
def test_any_network_in_tiles(layers: tuple[object, ...], size: tuple[int, int]) -> None:
    net = Drawn(layers)
    picture = values(1, *size, dtype=torch.float32)
    expected = whole(net, picture, 1)
    scale = float(expected.abs().max())
    torch.testing.assert_close(in_small_tiles(net, picture, 1), expected, rtol=0, atol=1e-6 * scale)


def assert_a_rounding_apart(actual: torch.Tensor, expected: torch.Tensor) -> None:
    """For values up to 1, or by the largest; tiles may run by other kernels than the whole."""
    scale = max(1.0, float(expected.abs().max()))
    torch.testing.assert_close(actual, expected, rtol=0, atol=2e-6 * scale)


@pytest.mark.parametrize("size", [(16, 17), (101, 67), (97, 130)])
@pytest.mark.parametrize(
    "make",
    [lambda: report_network(8), lambda: UNet(4, 1), lambda: UNet(4, 2)],
    ids=["report", "unet 1", "unet 2"],
)
def test_our_networks_at_awkward_sizes(make: Callable[[], Module], size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    net, picture = make(), values(3, *size, dtype=torch.float32).sigmoid()
    assert_a_rounding_apart(in_small_tiles(net, picture), whole(net, picture))


def test_the_papers_network_with_all_its_levels() -> None:
    torch.manual_seed(0)
    net, picture = UNet(2), values(3, 700, 41, dtype=torch.float32).sigmoid()
    assert_a_rounding_apart(in_small_tiles(net, picture), whole(net, picture))


def test_less_memory_means_smaller_tiles() -> None:
    net, picture = report_network(8), values(3, 200, 300, dtype=torch.float32).sigmoid()
    sizes = []
    for max_bytes in (10_000_000, 1_000_000, 300_000):
        restore = Restorer(net, max_bytes=max_bytes)
        torch.testing.assert_close(restore(picture), whole(net, picture), rtol=0, atol=2e-6)
        height, width = restore.tile(1, 200, 300)
        assert restore.bytes_for(1, height, width) <= max_bytes
        sizes.append(height * width)
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(sizes)) == 3


def test_memory_that_is_too_short() -> None:
    restore = Restorer(report_network(8), max_bytes=1000)
    said = (
        r"^the network needs [0-9,]+ bytes for its smallest tile, 20x20 pixels; allowed are 1,000$"
    )
    with pytest.raises(InputError, match=said):
        restore(values(3, 200, 300, dtype=torch.float32))


def test_what_it_tells_of_its_progress() -> None:
    picture = values(1, 3, 90, 70, dtype=torch.float32)
    shares: list[float] = []
    rows: list[slice] = []
    Restorer(report_network(8), side=40).restore(
        tuple(picture.shape),
        lambda r, c: picture[:, :, r, c],
        lambda r, c, part: rows.append(r),
        shares.append,
    )
    assert len(shares) > 4
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert [r.start for r in rows] == sorted(r.start for r in rows)
