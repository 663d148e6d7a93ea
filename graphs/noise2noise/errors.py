"""The application's own errors."""

from ops import BlockwrightError


class InputError(BlockwrightError, ValueError):
    """One sentence on a file, a folder or an option that the application cannot work with."""
