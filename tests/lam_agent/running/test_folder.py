"""The run folder: new ones, what a kill leaves in it, and who may write into it."""

import os
from pathlib import Path

import pytest
import torch

from lam_agent.config import RunConfig
from lam_agent.errors import RunFolderError
from lam_agent.files import folder_atomically, replace_atomically, save_tensors
from lam_agent.running.folder import RunFolder


def test_runs_that_begin_in_the_same_second_have_folders_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folders = [RunFolder.create(RunConfig(seed=seed)) for seed in range(4)]
    assert len({folder.path for folder in folders}) == 4
    assert all(folder.config.is_file() for folder in folders)


def test_what_a_kill_leaves_is_removed_and_nothing_of_the_user(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    kept = ["config.yaml", ".git/HEAD", ".gitignore", "checkpoints/000_reach/.gitattributes"]
    for name in kept:
        (folder.path / name).parent.mkdir(parents=True, exist_ok=True)
        (folder.path / name).write_text("mine")
    with (
        pytest.raises(KeyError),
        replace_atomically(folder.results) as file,
        folder_atomically(folder.checkpoint(0, "reach") / "pretrained_model") as weights,
    ):
        left = [file, weights, folder.checkpoints / ".last.part", weights.parent / ".tmpa1B2c3"]
        for path in left:
            if path.is_dir():
                (path / "model.safetensors").write_text("half")
            else:
                path.write_text("half")
        folder.clean()
        assert not any(os.path.lexists(path) for path in left)
        raise KeyError
    found = [path.relative_to(folder.path) for path in folder.path.rglob("*") if path.is_file()]
    assert sorted(map(str, found)) == sorted(kept)


def test_who_waits_for_a_folder_gets_it_when_it_is_free(tmp_path: Path) -> None:
    folder, waited = RunFolder(tmp_path), []
    other = folder.locked()
    other.__enter__()

    def wait() -> None:
        waited.append(1)
        if len(waited) == 3:
            other.__exit__(None, None, None)

    with pytest.raises(RunFolderError, match="another process is working"), folder.locked():
        pass
    with folder.locked(wait):
        assert len(waited) == 3


def test_an_error_of_the_block_is_no_lock(tmp_path: Path) -> None:
    with pytest.raises(BlockingIOError, match="full"), RunFolder(tmp_path).locked():
        raise BlockingIOError("the pipe is full")


def test_tensors_are_readable_as_far_as_the_umask_allows(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        save_tensors(tmp_path / "new.safetensors", {"a": torch.zeros(1)})
        with replace_atomically(tmp_path / "whole.safetensors") as path:
            save_tensors(path, {"a": torch.zeros(1)})
    finally:
        os.umask(before)
    for path in tmp_path.iterdir():
        assert path.stat().st_mode & 0o777 == 0o640
