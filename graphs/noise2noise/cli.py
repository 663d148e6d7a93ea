"""The command line: ``blockwright COMMAND``, each command in its own file in ``commands/``.

Results go to standard output, progress and errors to standard error. Bad input is reported in one
sentence, with exit status 2.
"""

from __future__ import annotations

import signal
import sys
from typing import Any, NoReturn

try:
    import typer
    from typer.core import TyperGroup
except ModuleNotFoundError as missing:
    raise SystemExit(
        f"the command line needs {missing.name}: pip install 'blockwright[app]'"
    ) from None

from graphs.noise2noise.commands.demo import demo
from graphs.noise2noise.commands.denoise import denoise
from graphs.noise2noise.commands.evaluate import evaluate
from graphs.noise2noise.commands.inspect import inspect
from graphs.noise2noise.commands.report import report
from graphs.noise2noise.commands.train import train


class OneSentence(TyperGroup):
    """A group of commands that reports wrong options in one sentence, like other bad input."""

    def main(self, *args: Any, **options: Any) -> NoReturn:
        """Run a command and exit with its status."""
        try:
            status = super().main(*args, **(options | {"standalone_mode": False}))
        except Exception as error:
            # The class of these errors is not public; other errors are raised again.
            if not hasattr(error, "format_message"):
                raise
            _refuse(error)
        raise SystemExit(status or 0)


def _refuse(error: Any) -> NoReturn:
    said, context = error.format_message().strip().rstrip("."), getattr(error, "ctx", None)
    if "\n" in said:  # not an error but the help, shown for a command without any arguments
        error.show()
    else:
        command = context.command_path if context else "blockwright"
        said = said[:1].lower() + said[1:].replace(". Did you mean", ", did you mean")
        typer.echo(f"blockwright: {said}; see '{command} --help'", err=True)
    raise SystemExit(error.exit_code)


app = typer.Typer(
    cls=OneSentence,
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """The console script."""
    # As an exception, so that nothing half written is left behind.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    if "" in sys.argv[1:]:  # which would be taken for the current folder
        typer.echo("blockwright: an argument is empty; is a shell variable not set?", err=True)
        raise SystemExit(2)
    app(prog_name="blockwright")


@app.callback()
def blockwright() -> None:
    """Clean noisy pictures with a network that has only ever seen noisy ones.

    \b
    Examples:
      blockwright demo
      blockwright inspect shots-a shots-b
      blockwright train shots-a shots-b -o run
      blockwright denoise photo.jpg -o clean.jpg -m run
    """


for command in (demo, inspect, train, denoise, evaluate, report):
    app.command()(command)


if __name__ == "__main__":
    main()
