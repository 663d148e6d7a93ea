"""Starting or resuming a run in a folder."""

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
    """The outcome of a run.

    Attributes:
        folder: where it is saved.
        scenes: how many it was given.
        position: where it ended.
        finished: whether it reached its end rather than being stopped by Ctrl-C.
    """

    folder: RunFolder
    scenes: int
    position: Position
    finished: bool


def begin(
    configuration: Configuration, folder: RunFolder, *, overwrite: bool, console: Console
) -> Outcome:
    """Start a new run.

    Args:
        configuration: the settings; those left open are decided here.
        folder: a new or empty one, or with ``overwrite`` that of an earlier run, which is removed
            once everything else that can fail has succeeded.
        overwrite: whether to replace an earlier run in the folder.
        console: where the progress is shown.

    Raises:
        InputError: a setting, the pictures or the folder cannot be used.
    """
    settled = configuration.settled()
    settled.to_toml()  # refuses names that TOML cannot hold before anything is read
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
    if session.shift:
        console.print(
            f"Shots of one scene are shifted by up to {session.shift:.1f} pixels, which teaches "
            "blur: align them first. `blockwright inspect` finds all such scenes; `blockwright "
            "denoise` aligns what it learns from.",
            soft_wrap=True,
        )
    return _run(session, folder, console)


def go_on(folder: RunFolder, console: Console) -> Outcome:
    """Resume a run with its own configuration.

    Raises:
        InputError: there is no run, or its pictures have changed.
    """
    if not folder.config.is_file():
        raise InputError(f"there is no run in {folder.path}: it has no config.toml")
    # A run from an older version, where patience was off by default, resumes without it.
    settings = {"patience": 0} | Configuration.settings_in(folder.config)
    configuration = Configuration.from_mapping(settings, f"{folder.config}: ").settled()
    with explaining_shortage(configuration):
        session = prepare(configuration)
    files = hashes(session.scenes.files)
    for path, text in _descriptions(folder, configuration, files).items():
        if not path.exists():  # a crash came before it was written
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
    """A count with its noun: ``1 scene``, ``2 scenes``."""
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def _descriptions(
    folder: RunFolder, configuration: Settled, files: Mapping[str, str]
) -> dict[Path, str]:
    """The files that record what a run depends on, with the content of each."""
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
    """Refuse a run folder among the pictures: its files would later be taken for pictures."""
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
