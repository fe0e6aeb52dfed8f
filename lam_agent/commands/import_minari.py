"""`lam-agent import-minari`: a Minari dataset into a folder of demonstrations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro

from lam_agent.commands.importing import read_camera_keys, save_and_say
from lam_agent.commands.outputs import free_files
from lam_agent.config.options import ModuleNames, merge_imports
from lam_agent.config.parsing import parse_arguments


@dataclass(frozen=True)
class ImportArguments:
    """Make demonstrations, which `run --demonstrations-path` reads, of a Minari dataset."""

    dataset_id: tyro.conf.Positional[str]
    """Name of a dataset on this machine, such as lam/push-v0."""

    task: str
    """Task that the dataset demonstrates."""

    output: Path
    """Folder of demonstrations; the file `<task>.safetensors` is added to it."""

    camera_keys: str = "front=front,wrist=wrist"
    """Entry of the observations for each camera; `a/b` is the entry b inside of a."""

    proprioception_key: str = "proprioception"
    """Entry of the observations with hand xyz (metres) and gripper opening (0 to 1)."""

    tracked_key: str = "tracked"
    """Entry of infos or observations with object and goal xyz (metres), where there is one."""

    success_key: str = "is_success"
    """Entry of the infos that is true at some step of a success, or `terminations`."""

    control_dt: float | None = None
    """Seconds that an action lasts, where the dataset does not say it."""

    look_every: int | None = None
    """Keep every n-th observation; none: all."""

    imports: ModuleNames = ()
    """Modules that register tasks of one's own; the flag may be given several times."""


def command(arguments: Sequence[str]) -> None:
    """Import a dataset and say where its demonstrations are."""
    from lam_agent.modules import import_modules

    asked = parse_arguments(ImportArguments, merge_imports(arguments), "lam-agent import-minari")
    import_modules(asked.imports)
    path = free_files(asked.output, [asked.task])[asked.task]
    cameras = read_camera_keys(asked.camera_keys)

    from lam_agent.interchange import MinariKeys, import_minari
    from lam_agent.progress import RunProgress, plain_console

    keys = MinariKeys(
        cameras, asked.proprioception_key, tracked=asked.tracked_key, success=asked.success_key
    )
    progress = RunProgress(plain_console())
    with progress.phase(f"reading {asked.dataset_id}") as update:
        episodes = import_minari(
            asked.dataset_id,
            asked.task,
            keys=keys,
            control_dt=asked.control_dt,
            look_every=asked.look_every,
            progress=update,
        )
    save_and_say(episodes, path, asked.tracked_key, progress)
