"""Reference runs: each task alone, all jointly, and the naive strategy, under one protocol.

They give the bounds of a run, its forward transfer by learning speed, and are kept in the cache
under a hash of all that shapes them, so that every strategy of a protocol shares them.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import lam_agent
from lam_agent import __version__
from lam_agent.checkpoint import weights_digest
from lam_agent.config import (
    EwcConfig,
    L2Config,
    MasConfig,
    MemoryConfig,
    PackNetConfig,
    PretrainingConfig,
    ReplayConfig,
    RunConfig,
    StreamConfig,
    to_plain,
)
from lam_agent.demonstrations.folder import demonstration_source
from lam_agent.demonstrations.load import content_key, default_cache_dir
from lam_agent.errors import ResultsError
from lam_agent.files import joint_digest, known_digest
from lam_agent.metrics import compute_metrics
from lam_agent.results import Results, learning_areas, read_results, write_results
from lam_agent.running.folder import RunFolder

RunStream = Callable[[RunConfig, RunFolder, bool], Results]
"""Runs a configuration in a folder, new or to go on with, and returns its results."""

_WAIT_S = 1.0
"""Seconds between two looks whether another process is still making a reference run."""


def reference_configs(config: RunConfig) -> dict[str, RunConfig]:
    """Return the configuration of each reference run by name.

    Returns:
        `single_task:<task>` for each task, `joint`, and `naive`.
    """
    plain = replace(
        config,
        strategy="naive",
        allow_repeats=True,
        output_dir=None,
        video=0,
        logger=(),
        references=False,
        replay=ReplayConfig(),
        pretraining=PretrainingConfig(),
        memory=MemoryConfig(),
        ewc=EwcConfig(),
        mas=MasConfig(),
        l2=L2Config(),
        packnet=PackNetConfig(),
        policy=replace(config.policy, packed="none"),
    )
    distinct = tuple(dict.fromkeys(config.tasks))
    in_order = replace(plain, stream=StreamConfig(), task_stream=config.tasks)
    configs = {
        f"single_task:{task}": replace(in_order, task_stream=(task,), allow_repeats=False)
        for task in sorted(distinct)
    }
    if len(config.tasks) > 1:
        # Those who learn all at once share one run, whatever the order: it changes the draws alone.
        configs["joint"] = replace(
            in_order,
            strategy="joint",
            task_stream=tuple(sorted(distinct)),
            allow_repeats=False,
        )
        configs["naive"] = in_order
    return configs


def reference_folder(config: RunConfig) -> RunFolder:
    """Return where the cache keeps a reference run."""
    plain = to_plain(config)
    for name in (
        "output_dir",
        "device",
        "threads",
        "workers",
        "video",
        "logger",
        "references",
        "collect",
    ):
        del plain[name]
    if not config.augment.copies:  # Runs of earlier versions are the same.
        del plain["augment"]
    del plain["demonstrations_path"], plain["policy"]["init"], plain["imports"]
    tasks = dict.fromkeys(config.tasks)
    content = {
        "config": plain,
        "init": weights_digest(config.policy.init),
        "demonstrations": [content_key(task, config) for task in tasks],
        "source": demonstration_source(config),
        "version": __version__,
        "code": _training_digest(),
    }
    encoder_weights = Path(config.policy.encoder_weights)
    if encoder_weights.is_file():
        plain["policy"]["encoder_weights"] = known_digest(encoder_weights)
    text = json.dumps(content, sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()[:24]
    cache = config.collect.cache_dir
    root = (cache if cache else default_cache_dir().parent) / "references"
    return RunFolder(root / f"{digest}_{config.strategy}_{'-'.join(config.tasks)}"[:120])


@cache
def _training_digest() -> str:
    """Return a digest of the source files that shape what is learned and how it is measured.

    They are read once, as a process runs what it has loaded.
    """
    root = Path(lam_agent.__file__).parent
    folders = [root / name for name in ("continual", "evaluation", "optimisation", "policy")]
    files = [file for folder in folders for file in folder.rglob("*.py")]
    files += [root / "episodes.py", root / "seeding.py"]
    return joint_digest(sorted(files))


def make_references(config: RunConfig, run: RunStream, say: Callable[[str], None]) -> None:
    """Make the reference runs that are not in the cache, or go on with them.

    Args:
        config: The run's configuration.
        run: Runs a stream in a folder, which is locked meanwhile.
        say: Told what is being made.
    """
    for name, reference in reference_configs(config).items():
        folder, words = reference_folder(reference), name.replace(":", " ")
        if _finished(folder) is not None:
            continue
        folder.path.mkdir(parents=True, exist_ok=True)
        told = iter([f"Reference run {words}: another process is making it in {folder.path}."])

        def wait(told: Iterator[str] = told) -> None:
            for sentence in told:
                say(sentence)
            time.sleep(_WAIT_S)

        with folder.locked(wait):
            if _finished(folder) is not None:  # By the process that was waited for.
                continue
            say(f"Reference run {words}: {folder.path}")
            is_new = not folder.config.is_file()
            if is_new:
                folder.write_config(reference)
            run(reference, folder, not is_new)


def keep_as_reference(results: Results, config: RunConfig) -> None:
    """Keep the results of a naive run as the reference that it is.

    Args:
        results: Results of the run, finished.
        config: Its configuration.
    """
    reference = reference_configs(config).get("naive")
    if reference is None or config.strategy != "naive":
        return
    folder = reference_folder(reference)
    if not folder.config.is_file():
        folder.path.mkdir(parents=True, exist_ok=True)
        write_results(folder.results, results)
        folder.write_config(reference)


def with_references(results: Results, config: RunConfig) -> Results:
    """Return results with the bounds and the metrics that the cached reference runs give.

    Args:
        results: Results of the run.
        config: Its configuration.
    """
    found: dict[str, Results] = {}
    for name, reference in reference_configs(config).items():
        kept = _finished(reference_folder(reference))
        if kept is not None:
            found[name] = kept
    alone = [found.get(f"single_task:{task}") for task in results.tasks]
    single = None
    if all(item is not None for item in alone):
        measured = [item for item in alone if item is not None]
        single = {
            "success": [float(item.matrix.success[1, 0]) for item in measured],
            "episodes": int(measured[0].matrix.episodes[1, 0]),
            "area": [item.per_task[0].get("learning_area") for item in measured],
        }
    joint, naive = found.get("joint"), found.get("naive")
    references: dict[str, Mapping[str, Any] | None] = {
        "single_task": single,
        "joint": None if joint is None else _last_row(joint, results.tasks),
        "naive": None
        if naive is None
        else {name: naive.metrics[name] for name in ("average_success", "forgetting")},
    }
    metrics = compute_metrics(
        results.matrix,
        learning_areas(results.per_task, len(results.tasks)),
        learning_areas([item.per_task[0] for item in alone if item], len(results.tasks)),
    )
    return replace(results, references=references, metrics={**results.metrics, **metrics})


def _last_row(results: Results, tasks: tuple[str, ...]) -> dict[str, Any]:
    """Return the success after the last experience, in the order of a stream."""
    row = dict(zip(results.tasks, results.matrix.success[-1].tolist(), strict=True))
    episodes = int(results.matrix.episodes[-1, 0])
    return {"success": [row[task] for task in tasks], "episodes": episodes}


def _finished(folder: RunFolder) -> Results | None:
    """Return the results of a reference run that is finished and whole."""
    try:
        results = read_results(folder.results)
    except ResultsError:
        return None
    return results if results.finished else None
