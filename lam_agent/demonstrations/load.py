"""Demonstrations of a run: of one's own, or collected once and cached under what shapes them."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from functools import cache
from pathlib import Path

import lam_envs
from lam_agent import seeding
from lam_agent.config import RunConfig, to_plain
from lam_agent.demonstrations.collect import collect_episodes
from lam_agent.demonstrations.folder import read_demonstrations
from lam_agent.episodes import FORMAT_VERSION, EpisodeSet
from lam_agent.errors import ConfigError, EpisodeError
from lam_agent.files import file_digest, joint_digest, write_text_atomically
from lam_agent.system import package_versions, resolve_device, simulation_on
from lam_agent.teachers.choice import teacher_digests, teacher_of
from lam_agent.types import Progress, Teacher, no_progress
from lam_envs.scene import model_digest
from lam_envs.sim.making import Engine
from lam_envs.tasks.loading import source_files
from lam_envs.tasks.registry import make_task

_LOG = logging.getLogger(__name__)
_SHAPING_PACKAGES = ("lam_agent", "mujoco", "mujoco-warp", "metaworld", "numpy")


def default_cache_dir() -> Path:
    """Return `lam_agent` in the user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "lam_agent" / "demonstrations"


@cache
def _source_digest() -> str:
    """Return a digest of the source files that shape demonstrations: environments and collector.

    They are read once, as a process runs what it has loaded.
    """
    root, here = Path(lam_envs.__file__).parent, Path(__file__)
    environments = [file for file in root.rglob("*") if file.suffix in (".py", ".xml", ".json")]
    collector = [here.with_name(name) for name in ("collect.py", "recording.py", "tries.py")]
    teachers = [*here.parents[1].joinpath("teachers").glob("*.py"), Path(seeding.__file__)]
    return joint_digest([*sorted(environments), *collector, *sorted(teachers)])


def _task_digest(name: str) -> str | None:
    """Return a digest of the code and the scene of a task of one's own; None for ours."""
    task = make_task(name)
    files = source_files(task)
    if not files:
        return None
    return model_digest(task.model_file) + joint_digest(files)


def _simulation(config: RunConfig) -> tuple[Engine, str]:
    """Return the engine that demonstrations are collected with, and its device."""
    return simulation_on(config.sim.engine, resolve_device(config.device))


def content_key(task: str, config: RunConfig) -> str:
    """Return the key of a task's demonstrations: equal keys mean equal episodes."""
    settings = to_plain(config.collect)
    for name in ("batch", "cache_dir", "teachers"):
        del settings[name]
    versions = package_versions()
    engine, device = _simulation(config)
    content = {
        "format_version": FORMAT_VERSION,
        "task": task,
        "seed": config.seed,
        "episodes": config.num_demonstrations,
        "horizon": config.eval.horizon,
        "image_size": config.policy.image_size,
        "collect": settings,
        "teacher": teacher_digests([task], config.collect.teachers).get(task),
        "engine": engine,
        "device": device.partition(":")[0],
        "randomise": to_plain(config.randomise),
        "source": _source_digest(),
        "task_source": _task_digest(task),
        "versions": {name: versions[name] for name in _SHAPING_PACKAGES},
    }
    text = json.dumps(content, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def demonstration_file(task: str, config: RunConfig) -> Path:
    """Return where the cache keeps a task's demonstrations."""
    folder = config.collect.cache_dir or default_cache_dir()
    return folder / f"{task}_{content_key(task, config)}.safetensors"


def success_words(episodes: EpisodeSet) -> str:
    """Return how often the teacher succeeded: of all tries where failures were left out."""
    if episodes.num_failed:
        return f"{episodes.num_episodes} of {episodes.num_episodes + episodes.num_failed} succeed"
    return f"{float(episodes.is_success.float().mean()):.0%} succeed"


def unstable_words(task: str, episodes: EpisodeSet) -> str:
    """Return how many demonstrations were left out because their physics broke."""
    asked = episodes.num_episodes + episodes.num_unstable
    return f"{episodes.num_unstable} of {asked} demonstrations of {task} became unstable: left out."


def load_demonstrations(
    task: str,
    config: RunConfig,
    progress: Progress = no_progress,
    *,
    is_cache_needed: bool = False,
) -> tuple[EpisodeSet, bool]:
    """Return a task's demonstrations from the cache, or collect and cache them.

    A damaged file is detected by its SHA-256 and collected anew. Where the run names a folder of
    demonstrations of one's own, they are read from there.

    Args:
        task: Name of the task.
        config: The run's configuration.
        progress: Called after each look.
        is_cache_needed: Whether a cache that cannot be written is an error, not a warning.

    Returns:
        The episodes, and whether they were there already.

    Raises:
        ConfigError: The cache is needed and cannot be written.
    """
    if config.demonstrations_path is not None:
        return read_demonstrations(task, config), True
    path = demonstration_file(task, config)
    seal = path.with_suffix(".sha256")
    if path.is_file():
        try:
            if not seal.is_file() or seal.read_text(encoding="utf-8") != file_digest(path):
                raise EpisodeError(f"{path} is damaged: its SHA-256 differs.")
            kept = EpisodeSet.load(path)
            # With `raise` they are collected anew, to say which episode breaks and when.
            if not kept.num_unstable or config.sim.on_unstable == "drop":
                return kept, True
        except EpisodeError as error:
            _LOG.warning("%s The demonstrations of %s are collected anew.", error, task)
    teacher = teacher_of(task, config.collect.teachers)
    episodes = collect_configured(task, teacher, config, progress)
    try:
        episodes.save(path)
        write_text_atomically(seal, file_digest(path))
    except OSError as error:
        words = f"cache {path.parent} cannot be written ({error.strerror or error})"
        if is_cache_needed:
            raise ConfigError(f"the {words}; choose another by --collect.cache-dir.") from error
        _LOG.warning(
            "The %s, so the demonstrations of %s are kept in memory alone; choose another by "
            "--collect.cache-dir.",
            words,
            task,
        )
    return episodes, False


def collect_configured(
    task: str, teacher: Teacher, config: RunConfig, progress: Progress = no_progress
) -> EpisodeSet:
    """Collect episodes as a run's configuration says; nothing is cached.

    Args:
        task: Name of the task.
        teacher: Who demonstrates.
        config: The configuration; demonstrations of one's own are left alone.
        progress: Called after each look.
    """
    engine, device = _simulation(config)
    return collect_episodes(
        task,
        teacher,
        episodes=config.num_demonstrations,
        seed=config.seed,
        config=config.collect,
        image_size=config.policy.image_size,
        horizon=config.eval.horizon,
        threads=config.threads,
        on_unstable=config.sim.on_unstable,
        randomisation=config.randomise,
        engine=engine,
        device=device,
        progress=progress,
    )
