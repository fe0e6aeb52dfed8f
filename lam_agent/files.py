"""Files that are never half-written: to a temporary file, fsync, rename."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from lam_agent.errors import RunFolderError

if TYPE_CHECKING:
    import torch


_TEMPORARY = re.compile(r"\..+\.part|\.tmp\w{6}")
"""What a killed process may leave: names of ours, and of safetensors."""


def is_temporary(path: Path) -> bool:
    """Say whether a file or folder is one that was being written."""
    return _TEMPORARY.fullmatch(path.name) is not None


def _sync(path: Path) -> None:
    """Force a file or a folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def replace_atomically(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; when the block ends well, it takes its place.

    If the block raises, `path` stays as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Made by touch, not by mkstemp, so that others may read it as far as the umask allows.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    temporary.touch(exist_ok=False)
    try:
        yield temporary
        _sync(temporary)
        temporary.replace(path)
        _sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def folder_atomically(path: Path) -> Iterator[Path]:
    """Give a temporary folder beside `path`; when the block ends well, it takes its place.

    An existing folder is replaced. If the block raises, it stays as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part"))
    try:
        yield temporary
        for file in temporary.rglob("*"):
            _sync(file)
        _sync(temporary)
        temporary.chmod(0o755)
        if path.exists():
            old = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part"))
            path.replace(old)
            temporary.replace(path)
            shutil.rmtree(old)
        else:
            temporary.replace(path)
        _sync(path.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_text_atomically(path: Path, text: str) -> None:
    """Write a text file as UTF-8."""
    with replace_atomically(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_bytes_atomically(path: Path, content: bytes) -> None:
    """Write a binary file."""
    with replace_atomically(path) as temporary:
        temporary.write_bytes(content)


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def joint_digest(files: Iterable[Path]) -> str:
    """Return the SHA-256 of the contents of files, one behind the other, in hexadecimal."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()


def known_digest(path: Path) -> str:
    """Return the SHA-256 of a file, which is read again only where it was written anew."""
    return _known_digest(path.resolve(), file_stamp(path))


@cache
def _known_digest(path: Path, stamp: tuple[int, ...]) -> str:
    return file_digest(path)


def file_stamp(path: Path) -> tuple[int, ...]:
    """Return what changes when a file is written anew."""
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def save_tensors(
    path: Path, tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str] | None = None
) -> None:
    """Write tensors as safetensors, readable for others as far as the umask allows.

    Raises:
        OSError: The disk is full or the like; safetensors has an exception of its own for it.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    path.touch()
    mode = path.stat().st_mode
    try:
        save_file(dict(tensors), path, dict(metadata) if metadata else None)
        path.chmod(mode)  # safetensors leaves it to the owner alone.
    except SafetensorError as error:
        number = re.search(r"os error (\d+)", str(error))
        if number is None:
            raise
        code = int(number[1])
        raise OSError(code, os.strerror(code), str(path)) from error


@contextmanager
def locked_folder(path: Path, wait: Callable[[], None] | None = None) -> Iterator[None]:
    """Keep other processes that ask from writing into a folder while the block runs.

    Args:
        path: The folder.
        wait: Called again and again while another process does; None to raise an error.

    Raises:
        RunFolderError: Another process does.
    """
    folder = os.open(path, os.O_RDONLY)
    try:
        while not _lock(folder):
            if wait is None:
                raise RunFolderError(
                    f"another process is working on {path}; wait until it ends or stop it."
                )
            wait()
        yield
    finally:
        os.close(folder)


def _lock(folder: int) -> bool:
    """Lock an open folder; return False where another process has done so."""
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
