"""A run begun, or gone on with, in a folder."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from graphs.noise2noise.errors import InputError
from graphs.noise2noise.files import require_folder, writing
from graphs.noise2noise.training.configuration import Configuration, Settled
from graphs.noise2noise.training.environment import environment, hashes
from graphs.noise2noise.training.memory import explaining_shortage
from graphs.noise2noise.training.names import to_utf8
from graphs.noise2noise.training.position import Position
from graphs.noise2noise.training.progress import watch
from graphs.noise2noise.training.run import keep, resume
from graphs.noise2noise.training.run_folder import RunFolder, read_json, to_json, write_text
from graphs.noise2noise.training.session import Session, prepare


@dataclass(frozen=True)
class Outcome:
    """What a run came to.

    Attributes:
        folder: where it is kept.
        scenes: how many it was given.
        position: where it ended.
        finished: whether that is its end, and not a Ctrl-C.
    """

    folder: RunFolder
    scenes: int
    position: Position
    finished: bool


def begin(
    configuration: Configuration, folder: RunFolder, *, overwrite: bool, console: Console
) -> Outcome:
    """Begin a run.

    Args:
        configuration: all settings that are not left open.
        folder: a new one, or an empty one, or with ``overwrite`` that of an earlier run, which is
            removed once all else that can fail has been done.
        console: where the progress is shown.

    Raises:
        InputError: a setting, the pictures or the folder are no good.
    """
    settled = configuration.settled()
    settled.to_toml()  # names that it cannot hold are refused before anything is read
    require_folder(folder.path)
    _require_outside(folder, settled.data)
    _require_free(folder, overwrite)
    with explaining_shortage(settled):
        session = prepare(configuration)
        session.training.rehearse()
    settings = session.configuration.to_toml()
    files = hashes(session.scenes.files)
    descriptions = _descriptions(folder, settled, files)
    with writing(folder.checkpoints):
        folder.checkpoints.mkdir(parents=True, exist_ok=True)
    folder.clear()
    for path, text in {folder.config: settings, **descriptions}.items():
        write_text(path, text)
    _tell_of_copies(session, files, console)
    return _run(session, folder, console)


def go_on(folder: RunFolder, console: Console) -> Outcome:
    """Go on with a run, by its own configuration.

    Raises:
        InputError: there is no run, or its pictures have changed.
    """
    if not folder.config.is_file():
        raise InputError(f"there is no run in {folder.path}: it has no config.toml")
    # A run of a version that had patience only if asked to goes on without.
    settings = {"patience": 0} | Configuration.settings_in(folder.config)
    configuration = Configuration.from_mapping(settings, f"{folder.config}: ").settled()
    with explaining_shortage(configuration):
        session = prepare(configuration)
    files = hashes(session.scenes.files)
    for path, text in _descriptions(folder, configuration, files).items():
        if not path.exists():  # a crash has not let it be written
            write_text(path, text)
    _require_same_data(folder, files)
    if configuration.steps is None:
        console.print("A run of so many minutes goes on, but not to exactly the same weights.")
    elif read_json(folder.environment) != environment(configuration.threads):
        console.print(
            "The environment is not that of environment.json: the weights may differ in the last "
            "bits from those of an undisturbed run.",
            soft_wrap=True,
        )
    return _run(session, folder, console)


def _run(session: Session, folder: RunFolder, console: Console) -> Outcome:
    a, c, scenes = session.architecture, session.configuration, counted(session.count, "scene")
    console.print(
        f"{scenes}: {session.scenes.why}. Network: {a.network}, width {a.width}, depth {a.depth}, "
        f"{counted(a.channels, 'channel')} in and out; squares of {c.crop} pixels; loss: {c.loss}.",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    if c.validation and not session.is_validated:
        console.print("The only scene is too small to hold rows out: nothing validates this run.")
    resume(session.training, folder, lambda line: console.print(line, soft_wrap=True))
    steps = keep(session.training, a, folder)
    with explaining_shortage(c):
        finished = watch(steps, console)
    return Outcome(folder, session.count, session.training.position, finished)


def counted(count: int, thing: str) -> str:
    """A number of things in words: ``1 scene``, ``2 scenes``."""
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def _descriptions(
    folder: RunFolder, configuration: Settled, files: Mapping[str, str]
) -> dict[Path, str]:
    """The files of a run that say what it depends on, and what is in each."""
    return {
        folder.command: to_utf8(shlex.join(["blockwright", *sys.argv[1:]])) + "\n",
        folder.environment: to_json(environment(configuration.threads)),
        folder.data: to_json({"files": files}),
    }


def _tell_of_copies(session: Session, files: Mapping[str, str], console: Console) -> None:
    for shots in session.scenes.groups:
        first_of: dict[str, Path] = {}
        for shot in shots:
            first = first_of.setdefault(files[to_utf8(str(shot.resolve()))], shot)
            if first != shot:
                console.print(
                    f"{first} and {shot} are the same, byte for byte: from them a network learns "
                    "to keep the noise. `blockwright inspect` finds all such pairs.",
                    markup=False,
                    highlight=False,
                    soft_wrap=True,
                )
                return


def _require_same_data(folder: RunFolder, now: Mapping[str, str]) -> None:
    known = read_json(folder.data).get("files", {})
    if not isinstance(known, dict):
        raise InputError(f"{folder.data} is damaged: it does not list the files by name")
    changed = [path for path in (*known, *now) if known.get(path) != now.get(path)]
    if changed:
        raise InputError(
            f"{changed[0]} is not what the run began with, by its SHA-256 in {folder.data}"
        )


def _require_outside(folder: RunFolder, data: Sequence[str]) -> None:
    """Files of a run among the pictures would be taken for pictures from then on."""
    output = folder.path.resolve()
    for name in data:
        if Path(name) in (output, *output.parents) and Path(name).is_dir():
            raise InputError(
                f"the output {folder.path} lies in {name}, whose pictures are trained on; name a "
                "folder elsewhere"
            )


def _require_free(folder: RunFolder, overwrite: bool) -> None:
    path = folder.path
    if not path.exists() or not any(path.iterdir()):
        return
    if not folder.config.exists():
        raise InputError(f"the output {path} has files in it that are of no run; name a new folder")
    if not overwrite:
        raise InputError(f"the output {path} exists already; --overwrite replaces the run in it")
