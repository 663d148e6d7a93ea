"""The contents of a report, independent of how it is rendered."""

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
    """A picture before and after denoising, as displayed.

    Attributes:
        name: of the picture.
        before, after: (1 or 3, H, W), where 0 is shown as black and 1 as white.
        caption: about the picture; may be empty.
    """

    name: str
    before: torch.Tensor
    after: torch.Tensor
    caption: str = ""


@dataclass(frozen=True, eq=False)
class Work:
    """The program of one training step.

    Attributes:
        title: what was run, with its sizes.
        steps: the program's steps, timed.
        buffers: the buffers in the memory that they share.
        peak_bytes: the size of that memory.
    """

    title: str
    steps: Sequence[StepReport]
    buffers: Sequence[BufferReport]
    peak_bytes: int


@dataclass(frozen=True, eq=False)
class RunReport:
    """Everything that a report shows about a training.

    Attributes:
        title: of the page.
        summary: labels and values of the key figures.
        comparisons: pictures before and after; those held out whole come first.
        losses, qualities: curves over the training steps.
        graph: of the network, with bound sizes.
        work: of a training step; None if it was not measured.
        command: the command line that started the run.
        environment: versions and the like; may be nested.
        configuration: as text.
        data: the SHA-256 of every file, by its path.
        quality: on the held-out pictures, if it can be estimated.
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
