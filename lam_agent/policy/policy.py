"""VisualActionPolicy: two cameras, proprioception and an instruction in, a chunk of actions out.

images -> camera encoders -> features -> tokens ---+
proprioception -> token ---------------------------+--> where objects are (auxiliary head) -> token
instruction -> token ------------------------------+
all tokens -> transformer trunk -> head -> L actions

Where the policy has adapters, one follows each layer of the trunk and one precedes the head.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import nn
from torch.func import functional_call

from lam_agent.config import PolicyConfig
from lam_agent.errors import ObservationError, TrainingError
from lam_agent.policy.adapter import Adapter
from lam_agent.policy.encoders import make_encoders
from lam_agent.policy.instruction import InstructionEncoder
from lam_agent.policy.normaliser import Normaliser
from lam_agent.policy.packs import TaskPacks
from lam_agent.policy.parts import is_trained_in
from lam_agent.policy.trunk_layer import TrunkLayer
from lam_agent.types import PROPRIOCEPTION_NAMES, TRACKED_NAMES
from lam_envs.scene import CAMERAS
from lam_envs.tasks.sawyer import ACTION_SIZE

PROPRIOCEPTION_SIZE = len(PROPRIOCEPTION_NAMES)
TRACKED_SIZE = len(TRACKED_NAMES)

_FINE_GAIN = 4.0
"""Factor on normalised offsets from the hand: the fine copy saturates some centimetres away."""


@dataclass(frozen=True)
class PolicyOutput:
    """What the policy computes from a batch of observations.

    Attributes:
        actions: Chunk of actions, shape (B, L, 4), not yet clipped to [-1, 1].
        tracked: Where it believes object and goal to be, normalised, shape (B, 6).
    """

    actions: torch.Tensor
    tracked: torch.Tensor


class VisualActionPolicy(nn.Module):
    """The policy network; its normaliser is part of it and frozen.

    Args:
        config: Sizes. `init` is not used here, and weights of a backbone are not loaded.

    Raises:
        ConfigError: There is no backbone such as `encoder` names.
        MissingExtraError: Its library is not installed.
    """

    def __init__(self, config: PolicyConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.normaliser = Normaliser()
        self.encoders = make_encoders(config, CAMERAS)
        self.views = nn.ModuleDict(
            {camera: nn.Linear(self.encoders.size, width) for camera in CAMERAS}
        )
        self.proprioception = nn.Linear(PROPRIOCEPTION_SIZE, width)
        self.instruction = InstructionEncoder(width)
        self.tracker = nn.Sequential(
            nn.Linear((len(CAMERAS) + 1) * width, width),
            nn.ReLU(),
            nn.Linear(width, TRACKED_SIZE),
        )
        self.tracked_token = nn.Linear(3 * TRACKED_SIZE, width)
        num_tokens = len(CAMERAS) + 3
        self.positions = nn.Parameter(0.02 * torch.randn(num_tokens, width))
        layer = TrunkLayer(width, config.heads)
        self.trunk = nn.TransformerEncoder(layer, config.depth, enable_nested_tensor=False)
        self.head = nn.Sequential(
            nn.LayerNorm(num_tokens * width),
            nn.Linear(num_tokens * width, 2 * width),
            nn.GELU(),
            nn.Linear(2 * width, 2 * width),
            nn.GELU(),
            nn.Linear(2 * width, config.chunk_length * ACTION_SIZE),
        )
        # After all else, so that a seed gives the rest the same weights with adapters and without.
        adapted = [*[width] * config.depth, num_tokens * width] if config.adapter_size else []
        self.adapters = nn.ModuleList([Adapter(size, config.adapter_size) for size in adapted])
        self.packs: TaskPacks | None = None
        if config.packed != "none":
            named = list(self.named_parameters())
            self.packs = TaskPacks(item for item in named if is_trained_in(config.packed, item[0]))

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.positions.device

    @property
    def is_encoder_frozen(self) -> bool:
        """Whether the encoders are not trained, so that a picture's features stay what they are."""
        return not _is_trained(self.encoders)

    def forward(
        self,
        images: Mapping[str, torch.Tensor],
        proprioception: torch.Tensor,
        bags: torch.Tensor,
        features: torch.Tensor | None = None,
    ) -> PolicyOutput:
        """Compute actions and the tracked positions.

        Args:
            images: Camera -> RGB, uint8 (B, H, W, 3).
            proprioception: Hand xyz (metres) and gripper opening, float32 (B, 4).
            bags: Bags of instruction words, float32 (B, NUM_BUCKETS).
            features: What `encode` returned for the images, (B, F); the images are not needed then.
        """
        seen = self.encode(images) if features is None else features
        return self.decide(seen, proprioception, bags)

    def train(self, mode: bool = True) -> VisualActionPolicy:
        """Set the mode of the parts that are trained; frozen encoders stay in evaluation mode."""
        super().train(mode)
        for part in (self.encoders, self.instruction):
            if not _is_trained(part):  # Batch statistics would change, were there any.
                part.eval()
        return self

    def set_dropout(self, share: float) -> None:
        """Set the dropout of the trunk; only training feels it."""
        for module in self.trunk.modules():
            if isinstance(module, nn.Dropout):
                module.p = share
            elif isinstance(module, nn.MultiheadAttention):
                module.dropout = share

    def encode(self, images: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Compute what the encoders see: the only part of the policy that pictures go through.

        Args:
            images: Camera -> RGB, uint8 (B, H, W, 3).

        Returns:
            Features of all cameras, float32 (B, F).
        """
        features: torch.Tensor = self.encoders(images, self.normaliser)
        return features

    def decide(
        self, features: torch.Tensor, proprioception: torch.Tensor, bags: torch.Tensor
    ) -> PolicyOutput:
        """Compute actions and the tracked positions from what the encoders saw.

        Args:
            features: What `encode` returned, (B, F).
            proprioception: Hand xyz (metres) and gripper opening, float32 (B, 4).
            bags: Bags of instruction words, float32 (B, NUM_BUCKETS).
        """
        parts = features.chunk(len(CAMERAS), 1)
        tokens = [self.views[camera](part) for camera, part in zip(CAMERAS, parts, strict=True)]
        feeling = self.normaliser.proprioception(proprioception)  # (B, 4)
        tokens.append(self.proprioception(feeling))
        tracked = self.tracker(torch.cat(tokens, 1)).float()  # (B, 3 * D) -> (B, 6)
        tokens += [self._place(tracked, feeling), self.instruction(bags)]
        thoughts = self._think(torch.stack(tokens, 1) + self.positions)  # (B, T * D)
        actions = self.head(thoughts).float()  # (B, T * D) -> (B, L * 4)
        return PolicyOutput(actions.view(-1, self.config.chunk_length, ACTION_SIZE), tracked)

    def _think(self, tokens: torch.Tensor) -> torch.Tensor:
        """Pass tokens (B, T, D) through the trunk, and adapters where there are some."""
        if not self.adapters:
            thoughts: torch.Tensor = self.trunk(tokens)
            return thoughts.flatten(1)
        for layer, adapter in zip(self.trunk.layers, self.adapters, strict=False):
            tokens = adapter(layer(tokens))
        adapted: torch.Tensor = self.adapters[-1](tokens.flatten(1))
        return adapted

    def _place(self, tracked: torch.Tensor, feeling: torch.Tensor) -> torch.Tensor:
        """Turn tracked positions into a token: absolute, from the hand, and finely near the hand.

        The last centimetres decide; a saturating copy of the offset makes them large numbers.
        """
        hand = feeling[:, :3].repeat(1, TRACKED_SIZE // 3)  # (B, 6)
        offset = tracked - hand
        fine = torch.tanh(_FINE_GAIN * offset)
        token: torch.Tensor = self.tracked_token(torch.cat((tracked, offset, fine), 1))
        return token

    @torch.inference_mode()
    def act(self, observation: Mapping[str, torch.Tensor], bag: torch.Tensor) -> torch.Tensor:
        """Return the chunk of actions for each observation, (B, L, 4), in [-1, 1].

        Args:
            observation: `front`, `wrist`: uint8 (B, H, W, 3); `proprioception`: float32 (B, 4).
            bag: Bag of words of the instruction, shape (NUM_BUCKETS,).

        Raises:
            ObservationError: A key is missing or has a wrong shape or type.
            TrainingError: An action is NaN or infinite.
        """
        self.check_observation(observation)
        actions = self.plan(observation, bag)
        if not bool(torch.isfinite(actions).all()):
            raise not_finite()
        clipped: torch.Tensor = actions.clamp(-1.0, 1.0)
        return clipped

    @torch.inference_mode()
    def plan(self, observation: Mapping[str, torch.Tensor], bag: torch.Tensor) -> torch.Tensor:
        """Return what `act` does, not clipped, without its checks, which wait for the device."""
        was_training = self.training
        if was_training:
            self.eval()
        moved = {key: value.to(self.device) for key, value in observation.items()}
        bag = bag.to(self.device)
        bags = bag.expand(len(moved["proprioception"]), -1)
        inputs = (moved, moved["proprioception"], bags)
        output: PolicyOutput
        if self.packs is None or self.packs.is_open:
            output = self(*inputs)
        else:
            output = functional_call(self, self.packs.weights_for(self, bag), inputs)
        if was_training:
            self.train()
        return output.actions

    def on_task(self, bag: torch.Tensor) -> VisualActionPolicy:
        """Return a policy in which the weights of one task are those of all.

        It acts as this one does on that task, and is quicker where it looks more than once.

        Args:
            bag: Bag of words of the task's instruction, shape (NUM_BUCKETS,).

        Returns:
            A copy without packs; the policy itself if it has none or is learning a task.
        """
        if self.packs is None or self.packs.is_open:
            return self
        plain = copy.deepcopy(self)
        plain.config, plain.packs = replace(self.config, packed="none"), None
        weights = self.packs.weights_for(self, bag.to(self.device))
        plain.load_state_dict({**plain.state_dict(), **weights})
        return plain

    def check_observation(self, observation: Mapping[str, torch.Tensor]) -> None:
        """Refuse an observation that does not fit.

        Raises:
            ObservationError: A key is missing or has a wrong shape or type.
        """
        size = self.config.image_size
        expected: dict[str, tuple[tuple[int, ...], torch.dtype]] = {
            camera: ((size, size, 3), torch.uint8) for camera in CAMERAS
        }
        expected["proprioception"] = ((PROPRIOCEPTION_SIZE,), torch.float32)
        for key, (shape, dtype) in expected.items():
            if key not in observation:
                raise ObservationError(
                    f"the observation lacks {key!r}; it needs {', '.join(expected)}."
                )
            value = observation[key]
            if tuple(value.shape[1:]) != shape or value.dtype != dtype:
                raise ObservationError(
                    f"{key} has shape {tuple(value.shape)} and type {value.dtype}; "
                    f"it must have shape (batch, {', '.join(map(str, shape))}) and type {dtype}."
                )
        counts = {key: len(observation[key]) for key in expected}
        if len(set(counts.values())) > 1:
            words = ", ".join(f"{key} {count}" for key, count in counts.items())
            raise ObservationError(
                f"the keys of the observation hold different numbers of robots ({words}); "
                "give as many of each."
            )
        if not bool(torch.isfinite(observation["proprioception"]).all()):
            raise ObservationError(
                "proprioception holds NaN or infinity; check the robot's sensors."
            )

    def num_parameters(self, *, trainable: bool) -> int:
        """Return the number of parameters: of all, or of those that are trained."""
        return sum(p.numel() for p in self.parameters() if p.requires_grad or not trainable)


def not_finite() -> TrainingError:
    """Return the error for a policy whose actions hold NaN or infinity."""
    return TrainingError("the policy's actions hold NaN or infinity; load an earlier checkpoint.")


def _is_trained(module: nn.Module) -> bool:
    """Tell whether any parameter of a module is trained."""
    return any(parameter.requires_grad for parameter in module.parameters())
