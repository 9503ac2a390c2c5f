"""Demonstrations: how they are checked, split, cut into chunks, saved and loaded."""

import io
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from imitation_lab.files import write_atomically
from imitation_lab.types import Ending, Generator, Trajectory


@dataclass(frozen=True)
class Demonstrations:
    """Episodes of one task, checked once so that nothing later has to.

    Attributes:
        trajectories: At least one, all of the same dimensions, all finite.
        task: The name of the task that was demonstrated. Empty when unknown.

    Raises:
        ValueError: If there is no trajectory, or one has wrong shapes,
            another type than float32, or numbers that are not finite.
    """

    trajectories: tuple[Trajectory, ...]
    task: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "trajectories", tuple(self.trajectories))
        if not self.trajectories:
            raise ValueError("these demonstrations are empty: at least one trajectory is needed.")
        for index, trajectory in enumerate(self.trajectories):
            _check_trajectory(trajectory, index)
            _check_dimensions(trajectory, index, (self.observation_dim, self.action_dim))

    def __len__(self) -> int:
        return len(self.trajectories)

    def __add__(self, other: "Demonstrations") -> "Demonstrations":
        return Demonstrations(self.trajectories + other.trajectories, self.task or other.task)

    @property
    def observation_dim(self) -> int:
        """Numbers per observation."""
        return self.trajectories[0].observations.shape[-1]

    @property
    def action_dim(self) -> int:
        """Numbers per action."""
        return self.trajectories[0].actions.shape[-1]

    @cached_property
    def num_actions(self) -> int:
        """Actions in all trajectories together."""
        return sum(len(trajectory) for trajectory in self.trajectories)

    @cached_property
    def observations(self) -> Float[Tensor, "num_actions observation_dim"]:
        """The observation before every action, episode after episode, in physical units."""
        return torch.cat([trajectory.observations[:-1] for trajectory in self.trajectories])

    @cached_property
    def actions(self) -> Float[Tensor, "num_actions action_dim"]:
        """Every action, episode after episode, in physical units."""
        return torch.cat([trajectory.actions for trajectory in self.trajectories])

    def chunks(
        self, prediction_horizon: int
    ) -> Float[Tensor, "num_actions prediction_horizon action_dim"]:
        """Return the chunk of actions that starts at every action, in physical units.

        No chunk crosses into the next episode: at an episode's end the last action is repeated.

        Args:
            prediction_horizon: Actions per chunk, at least 1.

        Raises:
            ValueError: If ``prediction_horizon`` is below 1.
        """
        if prediction_horizon < 1:
            raise ValueError(f"prediction_horizon must be at least 1, got {prediction_horizon}.")
        windows = []
        for trajectory in self.trajectories:
            tail = trajectory.actions[-1:].expand(prediction_horizon - 1, -1)
            padded = torch.cat([trajectory.actions, tail])
            windows.append(padded.unfold(0, prediction_horizon, 1).transpose(1, 2))
        return torch.cat(windows)

    def by_driver(self, driver: str) -> "Demonstrations":
        """Return the episodes of one driver.

        Raises:
            ValueError: If that driver has none.
        """
        chosen = tuple(t for t in self.trajectories if t.driver == driver)
        if not chosen:
            drivers = sorted({t.driver for t in self.trajectories})
            raise ValueError(f"no demonstrations by {driver!r}: there are {drivers}.")
        return Demonstrations(chosen, self.task)

    def split(
        self, held_out: float, generator: Generator
    ) -> tuple["Demonstrations", "Demonstrations"]:
        """Split into training and held-out demonstrations, by whole trajectories.

        Steps of one episode resemble each other: a split by steps would let the training data leak
        into the held-out data.

        Args:
            held_out: Share of the trajectories to hold out, in (0, 1).
            generator: Draws which.

        Raises:
            ValueError: If either side would be empty.
        """
        count = round(held_out * len(self))
        if not 0 < count < len(self):
            raise ValueError(
                f"holding out {held_out} of {len(self)} trajectories leaves one side empty."
            )
        order = torch.randperm(len(self), generator=generator, device=generator.device).tolist()
        sides = (sorted(order[count:]), sorted(order[:count]))
        training, test = (tuple(self.trajectories[i] for i in side) for side in sides)
        return Demonstrations(training, self.task), Demonstrations(test, self.task)

    def save(self, path: str | Path) -> None:
        """Save as a compressed npz file, which replaces an older one in one step."""
        arrays = {
            "observations": torch.cat([t.observations for t in self.trajectories]).cpu().numpy(),
            "actions": self.actions.cpu().numpy(),
            "lengths": np.array([len(t) for t in self.trajectories]),
            "drivers": np.array([t.driver for t in self.trajectories]),
            "endings": np.array([str(t.ending) for t in self.trajectories]),
            "task": np.array(self.task),
        }
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
        write_atomically(path, buffer.getvalue())

    @classmethod
    def load(cls, path: str | Path) -> "Demonstrations":
        """Load what ``save`` wrote.

        Raises:
            ValueError: If the file holds something else.
        """
        try:
            with np.load(path, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
            lengths = arrays["lengths"].tolist()
            observations = torch.from_numpy(arrays["observations"]).split([n + 1 for n in lengths])
            actions = torch.from_numpy(arrays["actions"]).split(lengths)
            drivers = arrays["drivers"].tolist()
            endings = [Ending(name) for name in arrays["endings"].tolist()]
            task = str(arrays["task"])
        except FileNotFoundError:
            raise
        except Exception as error:
            raise ValueError(f"{path} is not a file of demonstrations ({error}).") from error
        trajectories = map(Trajectory, observations, actions, drivers, endings)
        return cls(tuple(trajectories), task)


def _check_trajectory(trajectory: Trajectory, index: int) -> None:
    for name, values in _named(trajectory):
        if values.dtype != torch.float32 or values.dim() != 2:
            raise ValueError(
                f"trajectory {index} has {name} of {values.dtype} with shape {tuple(values.shape)}: "
                "expected torch.float32 with two axes, time and dimension."
            )
        if not values.isfinite().all():
            count = int((~values.isfinite()).any(dim=-1).sum())
            raise ValueError(
                f"trajectory {index} has NaN or infinite {name} in {count} steps: leave it out."
            )
    if len(trajectory) == 0 or len(trajectory.observations) != len(trajectory) + 1:
        raise ValueError(
            f"trajectory {index} has {_shapes(trajectory)}: expected at least one action, and one "
            "observation more than actions (the last shows how the episode ended)."
        )


def _check_dimensions(trajectory: Trajectory, index: int, expected: tuple[int, int]) -> None:
    given = (trajectory.observations.shape[1], trajectory.actions.shape[1])
    if given != expected:
        raise ValueError(
            f"trajectory {index} has {_shapes(trajectory)}: expected dimensions {expected} as in "
            "the first."
        )


def _named(trajectory: Trajectory) -> list[tuple[str, Tensor]]:
    return [("observations", trajectory.observations), ("actions", trajectory.actions)]


def _shapes(trajectory: Trajectory) -> str:
    return ", ".join(f"{name} {tuple(values.shape)}" for name, values in _named(trajectory))
