"""What a report shows, whoever made it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch

from engine import Graph
from engine.report import BufferReport, StepReport
from graphs.noise2noise.quality.estimated import EstimatedQuality
from graphs.noise2noise.report.charts import Curve


@dataclass(frozen=True, eq=False)
class Comparison:
    """A picture before and after, as it is shown.

    Attributes:
        name: of the picture.
        before, after: (1 or 3, H, W), of which 0 is shown black and 1 white.
        caption: a sentence about it; may be empty.
    """

    name: str
    before: torch.Tensor
    after: torch.Tensor
    caption: str = ""


@dataclass(frozen=True, eq=False)
class Work:
    """One step of the training as a program.

    Attributes:
        title: what was run, with its sizes.
        steps: timed.
        buffers: the memory they share.
        peak_bytes: of that memory.
    """

    title: str
    steps: Sequence[StepReport]
    buffers: Sequence[BufferReport]
    peak_bytes: int


@dataclass(frozen=True, eq=False)
class RunReport:
    """What there is to show of a training.

    Attributes:
        title: of the page.
        summary: label and value of the most telling figures.
        comparisons: pictures, the best first.
        losses, qualities: curves over the training steps.
        graph: of the network, its sizes bound.
        work: of a training step; None if it was not measured.
        command: as it was typed.
        environment: versions and the like; may be nested.
        configuration: as text.
        data: the SHA-256 of every file by its path.
        quality: on the held-out pictures, where it can be estimated.
    """

    title: str
    summary: Sequence[tuple[str, str]]
    comparisons: Sequence[Comparison]
    losses: Sequence[Curve]
    qualities: Sequence[Curve]
    graph: Graph
    work: Work | None
    command: str
    environment: Mapping[str, object] = field(default_factory=dict)
    configuration: str = ""
    data: Mapping[str, str] = field(default_factory=dict)
    quality: EstimatedQuality | None = None
