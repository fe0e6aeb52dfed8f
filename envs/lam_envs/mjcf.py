"""Read the MJCF of a scene: one of metaworld's, or one of another package that uses its assets.

A file of another package, and one that it includes, may name every file by a path that is absolute,
relative to the scene, relative to itself, or relative to metaworld's folder `assets/sawyer_xyz`, as
metaworld's own scenes do: a copy of one of those works wherever it lies.
"""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

import mujoco

from lam_envs.errors import SceneError

_SCENES = "sawyer_xyz"
_FILE_ATTRIBUTE = re.compile(r"""(\bfile\s*=\s*)(["'])(.*?)\2""")
_INCLUDED = re.compile(r"""<include\s+file\s*=\s*(["'])(.*?)\1""")
_COMMENT_OR_ROOT = re.compile(r"""<!--.*?-->|(<mujoco\b(?:[^>"']|"[^"]*"|'[^']*')*>)""", re.S)


def assets_folder() -> Path | None:
    """Return the `assets` folder of the installed metaworld package; None without the package."""
    # The package is found, not imported: importing it loads a window system's library.
    package = find_spec("metaworld")
    for root in (package.submodule_search_locations or ()) if package else ():
        return Path(root) / "assets"
    return None


def scene_path(model_file: str | Path) -> Path:
    """Return where an MJCF file is.

    Args:
        model_file: Path below metaworld's `assets` folder, such as
            `sawyer_xyz/sawyer_push_v3.xml`, or an absolute path.

    Raises:
        SceneError: There is no such file.
    """
    path = Path(model_file)
    if path.is_absolute():
        if path.is_file():
            return path
        raise SceneError(
            f"the scene {path} is missing; name an MJCF file in model_file, such as "
            "str(Path(__file__).with_name('scene.xml')) for one beside the task's file."
        )
    assets = assets_folder()
    if assets is not None and (assets / path).is_file():
        return assets / path
    raise SceneError(
        f"the scene {str(model_file)!r} is not in the installed metaworld package; install it "
        "with `pip install metaworld==3.0.0`, or name an MJCF of your own by its absolute path."
    )


def read_spec(path: Path) -> mujoco.MjSpec:
    """Parse an MJCF file.

    Raises:
        SceneError: The file cannot be read.
        ValueError: MuJoCo refuses its content.
    """
    assets = assets_folder()
    if assets is None or path.is_relative_to(assets):
        return mujoco.MjSpec.from_file(str(path))
    scenes = assets / _SCENES
    included: dict[str, bytes] = {}
    text = _with_absolute_paths(path, path.parent, assets, included)
    # MuJoCo looks for the meshes and textures of metaworld's files below the folders named here.
    # All stays on its line, so that MuJoCo's messages name the right ones.
    compiler = f'<compiler meshdir="{scenes}" texturedir="{scenes}"/>'
    for found in _COMMENT_OR_ROOT.finditer(text):
        if found[1]:
            text = text[: found.end()] + compiler + text[found.end() :]
            break
    return mujoco.MjSpec.from_string(text, include=included)


def _with_absolute_paths(
    path: Path, scene_folder: Path, assets: Path, included: dict[str, bytes]
) -> str:
    """Return the text of an MJCF file that is not metaworld's, with each file by its absolute path.

    Args:
        path: The file.
        scene_folder: Where the scene lies: MuJoCo looks there first, then beside the file.
        assets: Metaworld's folder.
        included: Gets the same of the files that it includes, by their absolute paths.

    Raises:
        SceneError: The file cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SceneError(
            f"the scene {path} cannot be read ({error}); name an MJCF file."
        ) from error

    def absolute(match: re.Match[str]) -> str:
        for folder in (scene_folder, path.parent, assets / _SCENES):
            if (folder / match[3]).is_file():
                return f'{match[1]}"{(folder / match[3]).resolve()}"'
        return match[0]

    text = _FILE_ATTRIBUTE.sub(absolute, text)
    for _, name in _INCLUDED.findall(text):
        file = Path(name)
        if name in included or not file.is_file() or file.is_relative_to(assets.resolve()):
            continue
        included[name] = b""  # It is being read: MuJoCo refuses a file that includes itself.
        included[name] = _with_absolute_paths(file, scene_folder, assets, included).encode()
    return text
