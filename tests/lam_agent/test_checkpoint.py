"""Checkpoints: round trip, controller contract, saving, finding, starting from one."""

from __future__ import annotations

import hashlib
import json
import math
import re
import resource
import shutil
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import lam_agent
from lam_agent.checkpoint import (
    check_rate,
    fitted_sizes,
    load_initial_weights,
    load_pretrained,
    resolve_checkpoint,
    weights,
)
from lam_agent.checkpoint.contract import FORMAT_VERSION
from lam_agent.config import PolicyConfig, to_plain
from lam_agent.errors import CheckpointError, ConfigError
from lam_agent.policy.instruction import bag_of_words
from lam_agent.policy.policy import VisualActionPolicy
from lam_envs.scene import load_model
from lam_envs.tasks.registry import make_task

MakePolicy = Callable[..., VisualActionPolicy]
MakeObservations = Callable[..., dict[str, torch.Tensor]]
SaveCheckpoint = Callable[..., None]

FILES = {
    "README.md",
    "config.json",
    "instructions.safetensors",
    "model.safetensors",
    "parity.safetensors",
}


def read_config(folder: Path) -> dict[str, Any]:
    config: dict[str, Any] = json.loads((folder / "config.json").read_text())
    return config


# Round trip ------------------------------------------------------------------------------------


def test_round_trip_is_exact(
    saved_checkpoint: Path,
    make_policy: MakePolicy,
    make_observations: MakeObservations,
    instructions: dict[str, str],
) -> None:
    policy, (loaded, _) = make_policy(), load_pretrained(saved_checkpoint)
    assert list(loaded.state_dict()) == list(policy.state_dict())
    for name, tensor in policy.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor), name
    assert loaded.config == policy.config and not loaded.training
    bag = bag_of_words(instructions["reach"])
    observations = make_observations(num_robots=5, seed=6)
    assert torch.equal(loaded.act(observations, bag), policy.act(observations, bag))


def test_a_small_policy_is_built_once(
    saved_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[PolicyConfig] = []

    def build(config: PolicyConfig) -> VisualActionPolicy:
        built.append(config)
        return VisualActionPolicy(config)

    monkeypatch.setattr(weights, "VisualActionPolicy", build)
    policy, _ = load_pretrained(saved_checkpoint)
    assert built == [policy.config]


def test_saving_twice_writes_the_same_bytes_and_leaves_policy_and_rng_alone(
    saved_checkpoint: Path,
    tmp_path: Path,
    save_checkpoint: SaveCheckpoint,
    make_policy: MakePolicy,
) -> None:
    policy, rng = make_policy().train(), torch.get_rng_state()
    before = {name: tensor.clone() for name, tensor in policy.state_dict().items()}
    for _ in range(2):  # The second save replaces the first.
        save_checkpoint(tmp_path / "again", policy)
    load_pretrained(tmp_path / "again")
    assert policy.training and torch.equal(torch.get_rng_state(), rng)
    assert all(torch.equal(before[name], value) for name, value in policy.state_dict().items())
    assert {file.name for file in saved_checkpoint.iterdir()} == FILES
    assert [path.name for path in tmp_path.iterdir()] == ["again"]
    for name in FILES:
        assert (tmp_path / "again" / name).read_bytes() == (saved_checkpoint / name).read_bytes(), (
            name
        )


def test_a_policy_in_channels_last_gives_the_same_checkpoint(
    saved_checkpoint: Path,
    tmp_path: Path,
    save_checkpoint: SaveCheckpoint,
    make_policy: MakePolicy,
) -> None:
    policy = make_policy()
    policy.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    save_checkpoint(tmp_path / "new", policy)
    for name in ("model.safetensors", "parity.safetensors"):
        assert (tmp_path / "new" / name).read_bytes() == (saved_checkpoint / name).read_bytes(), (
            name
        )


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_cuda_device_gives_the_sample_within_its_tolerance(
    saved_checkpoint: Path, tmp_path: Path, save_checkpoint: SaveCheckpoint
) -> None:
    policy, contract = load_pretrained(saved_checkpoint, "cuda")
    assert policy.device.type == "cuda" and contract.parity.tolerance_cuda == 2e-2
    save_checkpoint(tmp_path / "new", policy)
    load_pretrained(tmp_path / "new")


# The contract ----------------------------------------------------------------------------------


def test_config_holds_the_controller_contract(
    saved_checkpoint: Path, instructions: dict[str, str], small_sizes: dict[str, int]
) -> None:
    config = read_config(saved_checkpoint)
    assert config["format_version"] == FORMAT_VERSION == 1
    assert config["lam_agent_version"] == lam_agent.__version__
    sizes = to_plain(PolicyConfig(**small_sizes))
    del sizes["init"], sizes["init_part"]
    assert config["policy"] == sizes
    assert config["tasks"] == instructions
    assert config["control_dt"] == 0.0125
    assert (config["chunk_length"], config["execute_length"]) == (4, 2)
    assert config["versions"]["torch"] == version("torch")  # torch itself may add a build.
    assert config["protocol"] == {"episodes": 50, "horizon": 200}
    assert config["seeds"] == {"seed": 7}
    assert config["parity"] == {"task": "push", "tolerance_cpu": 1e-5, "tolerance_cuda": 2e-2}
    assert config["success_row"] == {
        "task": ["reach", "push", "drawer-open"],
        "success": [0.96, 0.5, None],
        "success_at_end": [0.9, 0.5, None],
        "episodes": [50, 50, None],
    }
    assert config["sha256"] == {
        name: hashlib.sha256((saved_checkpoint / name).read_bytes()).hexdigest()
        for name in FILES - {"config.json"}
    }


def test_config_describes_observations_and_actions(saved_checkpoint: Path) -> None:
    config = read_config(saved_checkpoint)
    model = load_model(make_task("push").model_file)
    for key in ("front", "wrist"):
        entry = config["observation"][key]
        assert (entry["shape"], entry["dtype"]) == ([32, 32, 3], "uint8")
        assert entry["order"] == ["red", "green", "blue"]
        assert entry["camera"]["position_m"] == model.cam(key).pos.tolist()
        assert entry["camera"]["quaternion_wxyz"] == model.cam(key).quat.tolist()
        assert entry["camera"]["fovy_deg"] == model.cam(key).fovy[0]
    assert config["observation"]["front"]["camera"]["mounted_on"] == "world"
    assert config["observation"]["wrist"]["camera"]["mounted_on"] == "hand"
    entry = config["observation"]["proprioception"]
    assert (entry["shape"], entry["dtype"], entry["camera"]) == ([4], "float32", None)
    assert entry["order"] == ["hand_x", "hand_y", "hand_z", "gripper_opening"]
    names = ["hand_dx", "hand_dy", "hand_dz", "gripper_effort"]
    assert [action["name"] for action in config["actions"]] == names
    assert [action["scale"] for action in config["actions"]] == [0.01, 0.01, 0.01, 1.0]
    assert {(action["low"], action["high"]) for action in config["actions"]} == {(-1.0, 1.0)}


def test_the_loaded_contract_is_what_was_saved(saved_checkpoint: Path) -> None:
    contract = load_pretrained(saved_checkpoint)[1]
    assert json.loads(contract.to_text()) == read_config(saved_checkpoint)
    assert contract.success_row.success == (0.96, 0.5, None)


def test_the_origin_of_the_weights_is_not_kept(
    tmp_path: Path, save_checkpoint: SaveCheckpoint, make_policy: MakePolicy
) -> None:
    save_checkpoint(tmp_path / "new", make_policy(init="/somewhere/private"))
    assert "private" not in (tmp_path / "new" / "config.json").read_text()
    assert load_pretrained(tmp_path / "new")[0].config.init == "none"


def test_model_card_says_what_it_is_and_its_example_runs(
    saved_checkpoint: Path,
    make_observations: MakeObservations,
    instructions: dict[str, str],
) -> None:
    card = (saved_checkpoint / "README.md").read_text()
    assert card.startswith("---\nlibrary_name: lam_agent\n")
    assert instructions["push"] in card and "## Limits" in card
    assert "| reach | 0.96 | 0.87 to 0.99 | 0.90 | 50 |" in card
    assert "| drawer-open |" not in card
    (example,) = re.findall(r"```python\n(.*?)```", card, re.S)
    names: dict[str, Any] = {
        "observation": {key: value[0].numpy() for key, value in make_observations().items()}
    }
    exec(example.replace("path/to/this/folder", str(saved_checkpoint)), names)
    assert names["action"].shape == (4,)


def test_the_vectors_of_the_instructions_are_kept(
    saved_checkpoint: Path, make_policy: MakePolicy, instructions: dict[str, str]
) -> None:
    vectors = load_file(saved_checkpoint / "instructions.safetensors")
    assert set(vectors) == set(instructions)
    for task, vector in vectors.items():
        expected = make_policy().instruction(bag_of_words(instructions[task])[None])[0]
        assert vector.shape == (32,)
        torch.testing.assert_close(vector, expected)


# Saving ----------------------------------------------------------------------------------------


def test_a_full_disk_leaves_the_old_checkpoint(
    checkpoint: Path, save_checkpoint: SaveCheckpoint, make_policy: MakePolicy
) -> None:
    before = {name: (checkpoint / name).read_bytes() for name in FILES}
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(CheckpointError, match="cannot be written"):
            save_checkpoint(checkpoint, make_policy(seed=4))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert {name: (checkpoint / name).read_bytes() for name in FILES} == before
    assert [path.name for path in checkpoint.parent.iterdir()] == [checkpoint.name]
    load_pretrained(checkpoint)


def test_a_policy_with_nan_is_not_saved(
    checkpoint: Path, save_checkpoint: SaveCheckpoint, make_policy: MakePolicy
) -> None:
    before = (checkpoint / "model.safetensors").read_bytes()
    policy = make_policy()
    with torch.no_grad():
        policy.positions[0, 0] = math.nan
    with pytest.raises(CheckpointError, match="positions of the policy holds NaN"):
        save_checkpoint(checkpoint, policy)
    assert (checkpoint / "model.safetensors").read_bytes() == before


def test_what_is_no_checkpoint_is_not_replaced(
    tmp_path: Path, save_checkpoint: SaveCheckpoint, make_policy: MakePolicy
) -> None:
    (tmp_path / "notes.txt").write_text("keep me")
    for path in (tmp_path, tmp_path / "notes.txt"):
        with pytest.raises(CheckpointError, match="another folder"):
            save_checkpoint(path, make_policy())
    assert (tmp_path / "notes.txt").read_text() == "keep me"


def test_what_lies_beside_a_checkpoint_and_a_link_are_not_replaced(
    tmp_path: Path, checkpoint: Path, save_checkpoint: SaveCheckpoint, make_policy: MakePolicy
) -> None:
    (tmp_path / "link").symlink_to(checkpoint, target_is_directory=True)
    with pytest.raises(CheckpointError, match="is a link; name the folder itself"):
        save_checkpoint(tmp_path / "link", make_policy())
    (checkpoint / "policy.onnx").write_text("mine")
    with pytest.raises(CheckpointError, match=r"holds 'policy.onnx' beside a checkpoint; move it"):
        save_checkpoint(checkpoint, make_policy())
    assert (checkpoint / "policy.onnx").read_text() == "mine"
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "config.json").write_text("{}")
    with pytest.raises(CheckpointError, match="holds no checkpoint"):
        save_checkpoint(tmp_path / "project", make_policy())


ROW: dict[str, Any] = {"task": ["push"], "success": [1], "success_at_end": [1], "episodes": [5]}


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"parity_task": "pull"}, "pull"),
        ({"parity_task": "drawer-open"}, "drawer-open"),
        ({"parity_observations": {}}, "lacks|as many"),
        ({"protocol": {"episodes": {1, 2}}}, "protocol"),
        ({"seeds": {"seed": math.nan}}, "seeds"),
        ({"success_row": {}}, "success_row"),
        ({"success_row": {**ROW, "task": "push"}}, "success_row"),
        ({"success_row": {**ROW, "success": ["all"]}}, "success_row.success"),
        ({"success_row": {**ROW, "success": 1.0}}, "success_row.success"),
        ({"success_row": {**ROW, "success": [1.0, 1.0]}}, "entries"),
        ({"success_row": {**ROW, "success": [1.2]}}, "1.2"),
        ({"success_row": {**ROW, "episodes": [0]}}, "at least 1"),
        ({"success_row": {**ROW, "episodes": [None]}}, "None"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(
    tmp_path: Path,
    changes: dict[str, Any],
    word: str,
    save_checkpoint: SaveCheckpoint,
    make_policy: MakePolicy,
) -> None:
    with pytest.raises(CheckpointError, match=word):
        save_checkpoint(tmp_path / "new", make_policy(), **changes)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("num_robots", [(0, 0), (2, 3)])
def test_parity_observations_that_do_not_fit_are_refused(
    tmp_path: Path,
    num_robots: tuple[int, int],
    save_checkpoint: SaveCheckpoint,
    make_policy: MakePolicy,
    make_observations: MakeObservations,
) -> None:
    first, second = (make_observations(number) for number in num_robots)
    observations = {**first, "wrist": second["wrist"]}
    with pytest.raises(CheckpointError, match="as many of each key, at least 1"):
        save_checkpoint(tmp_path / "new", make_policy(), parity_observations=observations)


def test_a_policy_that_nothing_is_known_of_can_be_saved(
    tmp_path: Path, save_checkpoint: SaveCheckpoint, make_policy: MakePolicy
) -> None:
    empty: dict[str, list[str]] = {name: [] for name in ROW}
    save_checkpoint(tmp_path / "new", make_policy(), success_row=empty)
    load_pretrained(tmp_path / "new")
    assert "Not measured." in (tmp_path / "new" / "README.md").read_text()


# Finding one and starting from it ----------------------------------------------------------------


def test_every_path_of_a_run_leads_to_its_checkpoint(
    saved_checkpoint: Path, tmp_path: Path, save_checkpoint: SaveCheckpoint
) -> None:
    run = tmp_path / "run"
    first, second = (run / "checkpoints" / name for name in ("000_reach", "001_push"))
    for stage in (first, second):
        shutil.copytree(saved_checkpoint, stage / "pretrained_model")
    # What a killed save leaves behind is not taken for a checkpoint.
    (run / "checkpoints" / "002_drawer-open" / ".pretrained_model.k1ll3d").mkdir(parents=True)
    assert resolve_checkpoint(first) == resolve_checkpoint(first / "pretrained_model")
    assert resolve_checkpoint(run) == second / "pretrained_model"
    last = run / "checkpoints" / "last"
    last.symlink_to("000_reach", target_is_directory=True)
    for path in (run, run / "checkpoints", last):
        assert resolve_checkpoint(path).resolve() == first / "pretrained_model"
    load_pretrained(str(run))


def test_a_path_without_a_checkpoint_says_what_to_name(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="is no folder; name a run folder"):
        resolve_checkpoint(tmp_path / "nowhere")
    with pytest.raises(CheckpointError, match="holds no checkpoint"):
        resolve_checkpoint(tmp_path)


def test_initial_weights_fill_a_policy_that_may_execute_more(
    saved_checkpoint: Path, make_policy: MakePolicy
) -> None:
    policy = make_policy(seed=9, execute_length=4)
    rng = torch.get_rng_state()
    load_initial_weights(policy, saved_checkpoint.parent)
    assert torch.equal(torch.get_rng_state(), rng)
    expected = make_policy().state_dict()
    assert all(torch.equal(expected[name], value) for name, value in policy.state_dict().items())
    assert policy.training and all(weight.requires_grad for weight in policy.parameters())


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"width": 64}, "policy.width is 64, but it is 32"),
        ({"heads": 4}, "policy.heads"),
        ({"image_size": 64}, "policy.image-size"),
        ({"chunk_length": 8}, "set --policy.chunk-length 4"),
    ],
)
def test_initial_weights_of_other_sizes_are_refused(
    saved_checkpoint: Path, change: dict[str, int], word: str, make_policy: MakePolicy
) -> None:
    policy = make_policy(**change)
    before = policy.positions.clone()
    with pytest.raises(CheckpointError, match=re.escape(word)):
        load_initial_weights(policy, saved_checkpoint)
    assert torch.equal(policy.positions, before)


def test_the_encoders_alone_are_taken_and_the_rest_is_random_from_the_seed(
    saved_checkpoint: Path, make_policy: MakePolicy
) -> None:
    policy = make_policy(seed=9)
    policy.normaliser.pixel_scale += 1.0
    rng = torch.get_rng_state()
    load_initial_weights(policy, saved_checkpoint, "encoders")
    assert torch.equal(torch.get_rng_state(), rng)
    theirs, random = make_policy().state_dict(), make_policy(seed=9).state_dict()
    for name, value in policy.state_dict().items():
        is_taken = name.startswith(("encoders.", "normaliser."))
        assert torch.equal(value, (theirs if is_taken else random)[name]), name
    assert not torch.equal(theirs["head.1.weight"], random["head.1.weight"])
    assert not torch.equal(policy.positions, theirs["positions"])


def test_what_is_not_taken_may_have_other_sizes(
    saved_checkpoint: Path, make_policy: MakePolicy
) -> None:
    policy = make_policy(width=64, chunk_length=8, depth=2)
    load_initial_weights(policy, saved_checkpoint, "encoders")
    theirs = make_policy().encoders.state_dict()
    assert all(torch.equal(theirs[k], v) for k, v in policy.encoders.state_dict().items())
    for change in ({"channels": 16}, {"keypoints": 4}, {"encoder_depth": 0}):
        with pytest.raises(CheckpointError, match=f"is {next(iter(change.values()))}, but it is"):
            load_initial_weights(make_policy(**change), saved_checkpoint, "encoders")


def test_sizes_asked_for_and_sizes_of_a_policy_are_refused_in_the_same_words(
    saved_checkpoint: Path, small_sizes: dict[str, int], make_policy: MakePolicy
) -> None:
    asked = PolicyConfig(init=str(saved_checkpoint), **{**small_sizes, "width": 64})
    with pytest.raises(CheckpointError, match=r"set --policy\.width 32, or start from") as first:
        fitted_sizes(asked)
    with pytest.raises(CheckpointError) as second:
        load_initial_weights(make_policy(width=64), saved_checkpoint)
    assert str(first.value) == str(second.value)


def test_another_rate_of_the_tasks_is_refused_unless_the_encoders_alone_are_taken(
    saved_checkpoint: Path, check_sentence: Callable[[object], str]
) -> None:
    config = PolicyConfig(init=str(saved_checkpoint.parent))
    check_rate(config, 0.0125)
    check_rate(replace(config, init_part="encoders"), 0.025)
    check_rate(PolicyConfig(init="none"), 0.025)
    with pytest.raises(CheckpointError) as raised:
        check_rate(config, 0.025)
    assert check_sentence(raised.value) == (
        f"the policy of the checkpoint {saved_checkpoint} acts every 0.0125 s, but the tasks every "
        "0.025 s; start from its encoders alone (--policy.init-part encoders) or from random "
        "weights (--policy.init none)."
    )
    with pytest.raises(CheckpointError, match="is no folder"):
        check_rate(replace(config, init=str(saved_checkpoint / "nothing")), 0.025)


def test_a_part_of_no_checkpoint_is_refused(check_sentence: Callable[[object], str]) -> None:
    with pytest.raises(ConfigError, match=r"without --policy\.init") as raised:
        PolicyConfig(init="none", init_part="encoders")
    check_sentence(raised.value)


def test_sizes_of_what_is_not_taken_may_be_asked_for(
    saved_checkpoint: Path, small_sizes: dict[str, int]
) -> None:
    config = PolicyConfig(init=str(saved_checkpoint), init_part="encoders")
    asked = replace(config, width=64, execute_length=2)
    found = fitted_sizes(asked)
    assert {name: getattr(found, name) for name in small_sizes} == {**small_sizes, "width": 64}
    with pytest.raises(CheckpointError, match=r"policy\.channels is 16, but it is 8"):
        fitted_sizes(replace(asked, channels=16))
    with pytest.raises(CheckpointError, match=r"set --policy\.execute-length 4 or less"):
        fitted_sizes(replace(asked, execute_length=8))
    with pytest.raises(CheckpointError, match=r"policy\.width is 64, but it is 32"):
        fitted_sizes(replace(asked, init_part="all"))


def test_sizes_that_are_not_asked_for_are_those_of_the_weights(
    saved_checkpoint: Path, small_sizes: dict[str, int]
) -> None:
    fitted = fitted_sizes(PolicyConfig(init=str(saved_checkpoint), execute_length=3))
    found = {name: getattr(fitted, name) for name in small_sizes}
    assert found == {**small_sizes, "execute_length": 3}
    random = PolicyConfig(init="none")
    assert fitted_sizes(random) == random
