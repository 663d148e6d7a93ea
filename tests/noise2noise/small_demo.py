"""The demonstration on small photographs; as a program, ``blockwright`` with them.

The program computes no classical methods, which take longer than everything else.
"""

from __future__ import annotations

from graphs.noise2noise import cli, demo
from graphs.noise2noise.data import photographs
from graphs.noise2noise.data.photographs import PHOTOGRAPHS, load, scale_down
from graphs.noise2noise.images import to_bytes

SMALL = {name: to_bytes(scale_down(load(name), 2)) for name in PHOTOGRAPHS}


def use_small_photographs() -> None:
    """Let the application's photographs be half as wide and high."""
    photographs.PHOTOGRAPHS = {name: lambda name=name: SMALL[name] for name in SMALL}


if __name__ == "__main__":
    use_small_photographs()
    demo.BASELINES = {}
    cli.main()
