"""The package as a user gets it: metadata, contents, pins, imports and the README's commands."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import lam_agent

ROOT = Path(__file__).resolve().parents[1]
SOURCES = {"lam_agent": ROOT / "lam_agent", "lam_envs": ROOT / "envs" / "lam_envs"}

TORCH_BUILD_PREFIXES = ("cuda-", "nvidia-", "triton")
"""Packages of torch's CUDA builds, which torch itself pins."""


@pytest.fixture(scope="module")
def pyproject() -> dict[str, Any]:
    with (ROOT / "pyproject.toml").open("rb") as file:
        return tomllib.load(file)


@pytest.fixture(scope="module")
def pins() -> dict[str, str]:
    """Return package -> version of constraints.txt."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in pinned}


@pytest.fixture(scope="module")
def declared(pyproject: dict[str, Any]) -> list[Requirement]:
    """Return every requirement of pyproject.toml: of users, of the extras and of developers."""
    project = pyproject["project"]
    groups = [*project["optional-dependencies"].values(), *pyproject["dependency-groups"].values()]
    return [Requirement(line) for line in sum(groups, project["dependencies"])]


def package_files(suffix: str) -> set[str]:
    """Return the files of both source roots as they are named inside a wheel."""
    return {
        f"{package}/{path.relative_to(folder).as_posix()}"
        for package, folder in SOURCES.items()
        for path in folder.rglob(f"*{suffix}")
    }


def imported_packages(path: Path) -> Iterator[str]:
    """Yield the top-level packages that a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.partition(".")[0]


def installed_closure(requirements: Iterable[Requirement]) -> set[str]:
    """Return the names of everything installed that the requirements bring along."""
    pending = [*requirements]
    visited: set[tuple[str, str]] = set()
    while pending:
        requirement = pending.pop()
        name = canonicalize_name(requirement.name)
        for extra in ("", *requirement.extras):
            if (name, extra) in visited:
                continue
            try:
                children = [Requirement(line) for line in distribution(name).requires or []]
            except PackageNotFoundError:
                break
            visited.add((name, extra))
            pending += [
                child
                for child in children
                if child.marker is None or child.marker.evaluate({"extra": extra})
            ]
    return {name for name, _ in visited}


def readme_command(name: str) -> str:
    """Return the fenced block that follows the comment `<!-- name -->` in the README."""
    readme = (ROOT / "README.md").read_text()
    (command,) = re.findall(rf"^<!-- {name} -->\n```bash\n(.*?)\n```$", readme, re.M | re.S)
    return str(command)


def test_version_is_the_same_everywhere() -> None:
    assert distribution("lam-agent").version == lam_agent.__version__
    assert f"\nversion: {lam_agent.__version__}\n" in (ROOT / "CITATION.cff").read_text()
    assert f"\n## [{lam_agent.__version__}]" in (ROOT / "CHANGELOG.md").read_text()


def test_console_script_is_installed() -> None:
    (script,) = distribution("lam-agent").entry_points.select(group="console_scripts")
    assert (script.name, script.value) == ("lam-agent", "lam_agent.__main__:main")
    assert callable(script.load())


def test_help_imports_no_heavy_package() -> None:
    code = "import sys, lam_agent.__main__, lam_agent.config; print(*sorted(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    loaded = set(result.stdout.split())
    assert "lam_agent.config" in loaded
    assert loaded.isdisjoint({"avalanche", "mujoco", "stable_baselines3", "torch", "warp"})


def test_wheel_contains_both_packages(tmp_path: Path) -> None:
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    for name in ("lam_agent", "envs", "benchmarks", "tests"):
        if (ROOT / name).is_dir():
            ignore = shutil.ignore_patterns("__pycache__", "*.egg-info")
            shutil.copytree(ROOT / name, tmp_path / name, ignore=ignore)
    code = "from setuptools import build_meta; build_meta.build_wheel('dist')"
    built = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True)
    assert built.returncode == 0, built.stderr.decode()
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    templates = package_files(".html.j2") | package_files(".css")
    assert len(templates) > 5
    scenes = package_files(".xml")
    assert "lam_envs/tasks/stick_push.xml" in scenes
    weights = {
        file.relative_to(ROOT).as_posix() for file in (ROOT / "lam_agent/weights").glob("*/*")
    }
    assert "lam_agent/weights/lam-tiny/model.safetensors" in weights
    room = {"lam_envs/sim/buffers.json"}
    sources = package_files(".py") | package_files("py.typed")
    assert names == sources | templates | scenes | weights | room
    assert {"lam_agent/py.typed", "lam_envs/py.typed"} <= names


def test_constraints_pin_every_dependency(
    declared: list[Requirement], pins: dict[str, str]
) -> None:
    for requirement in declared:
        name = canonicalize_name(requirement.name)
        assert name in pins, f"constraints.txt does not pin {name}."
        assert requirement.specifier.contains(pins[name]), f"{requirement} excludes {pins[name]}."
    brought = {
        name for name in installed_closure(declared) if not name.startswith(TORCH_BUILD_PREFIXES)
    }
    assert len(brought) > len(declared)
    assert brought <= set(pins), f"constraints.txt does not pin {sorted(brought - set(pins))}."


def test_every_import_is_a_declared_dependency(pyproject: dict[str, Any]) -> None:
    dependencies = [Requirement(line).name for line in pyproject["project"]["dependencies"]]
    extras = pyproject["project"]["optional-dependencies"]
    extra = [Requirement(line).name for name in extras if name != "test" for line in extras[name]]
    allowed = {canonicalize_name(name) for name in (*dependencies, *extra)}
    owners = packages_distributions()
    for folder in SOURCES.values():
        for path in folder.rglob("*.py"):
            for package in set(imported_packages(path)) - set(SOURCES) - sys.stdlib_module_names:
                names = {canonicalize_name(name) for name in owners.get(package, [package])}
                assert names & allowed, f"{path.name} imports {package}, which is not declared."


def test_readme_gives_the_two_commands() -> None:
    install = "pip install -c constraints.txt -e"
    run = "python -m lam_agent.run --task-stream reach,push"
    assert readme_command("run-command") == f"{install} . && {run}"
    assert readme_command("test-command") == f'{install} ".[test]" && python -m pytest'


def test_readme_python_is_valid_syntax() -> None:
    snippets = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    assert len(snippets) >= 3
    for snippet in snippets:
        ast.parse(snippet)
