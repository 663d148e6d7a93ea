"""The exceptions that the engine raises on bad input."""


class BlockwrightError(Exception):
    """Base of every error raised on purpose by ``ops``, ``engine`` and ``graphs``."""


class SpecError(BlockwrightError, ValueError):
    """Shapes, dtypes or attributes that an operator cannot work with.

    Attributes:
        reason: what is wrong, without the details of the call.
    """

    def __init__(self, message: str, reason: str | None = None) -> None:
        super().__init__(message)
        self.reason = message if reason is None else reason


class GradientError(BlockwrightError, ValueError):
    """A derivative that no rule provides."""


class GraphError(BlockwrightError, ValueError):
    """A graph that cannot be built or compiled as asked: names, outputs, options."""


class FeedError(BlockwrightError, ValueError):
    """Values fed to a program, or sizes given to a graph, that do not fit it."""


class OutOfMemory(BlockwrightError, MemoryError):
    """A program's memory could not be allocated."""


class NumericsError(BlockwrightError, ArithmeticError):
    """A NaN or an infinity, found by ``check_numerics=True``."""
