"""What a supervised drive leaves behind: its steps, who drove them, and what is kept for training."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from imitation_lab.files import write_atomically
from imitation_lab.types import Dataset, Ending
from imitation_lab.widgets.recorded import recorded_path

STEPS = ("observations", "actions", "policy_actions", "engaged", "doubt")  # one row for every step


@dataclass(frozen=True)
class Session:
    """One drive of a policy under a person's eyes. All units are physical.

    Attributes:
        observations: What was seen before every step.
        actions: What was done, by whoever drove.
        policy_actions: What the policy would have done.
        engaged: Whether the person drove.
        doubt: How much the policies disagreed about the action, 0 for a single one.
        ending: How the drive ended. Cut off as well if the person ended it.
        weights: Names the weights that drove: the same letters for the same numbers.
    """

    observations: Float[Tensor, "time observation_dim"]
    actions: Float[Tensor, "time action_dim"]
    policy_actions: Float[Tensor, "time action_dim"]
    engaged: Bool[Tensor, "time"]
    doubt: Float[Tensor, "time"]
    ending: Ending
    weights: str = ""

    def __len__(self) -> int:
        return len(self.engaged)

    @property
    def takeovers(self) -> list[int]:
        """The steps at which the person took over."""
        before = self.engaged.roll(1)
        before[0] = False
        return (self.engaged & ~before).nonzero().flatten().tolist()

    @property
    def corrections(self) -> Dataset:
        """Where the person drove, and what they did there."""
        return self.observations[self.engaged], self.actions[self.engaged]


def corrections_of(sessions: Sequence[Session], dims: tuple[int, int]) -> Dataset:
    """Return what people did in some sessions, as ``human_gated_rollout`` gives it.

    Args:
        sessions: Any number of them, none included.
        dims: Numbers per observation and per action.

    Returns:
        The observations (n, observation_dim) and actions (n, action_dim) of all engaged steps.
    """
    nothing = (torch.zeros(0, dims[0]), torch.zeros(0, dims[1]))
    parts = [nothing, *[session.corrections for session in sessions]]
    observations, actions = zip(*parts, strict=True)
    return torch.cat(observations), torch.cat(actions)


def read_session(content: bytes, dims: tuple[int, int], ending: str, weights: str) -> Session:
    """Return the session that the browser has sent: for every step one row of float32.

    A row holds what ``Session`` does, in its order: observation, action, the policy's action, 1 or 0
    for engaged, doubt.

    Raises:
        ValueError: If there is no row, or if numbers are not finite.
    """
    sizes = [dims[0], dims[1], dims[1], 1, 1]
    numbers = np.frombuffer(content, dtype="<f4").astype(np.float32)
    rows = torch.from_numpy(numbers).reshape(-1, sum(sizes))
    if len(rows) == 0 or not rows.isfinite().all():
        raise ValueError(
            "a session from the browser holds no step, or numbers that are not finite."
        )
    observations, actions, policy_actions, engaged, doubt = rows.split(sizes, dim=1)
    return Session(
        observations.clone(),
        actions.clone(),
        policy_actions.clone(),
        engaged[:, 0] > 0.5,
        doubt[:, 0].clone(),
        Ending(ending),
        weights,
    )


def save_sessions(sessions: Sequence[Session], path: str | Path, task_name: str) -> None:
    """Save sessions as a compressed npz file, which replaces an older one in one step.

    Raises:
        ValueError: If there are none.
    """
    if not sessions:
        raise ValueError("there is no session to save.")
    arrays = {
        name: torch.cat([getattr(session, name) for session in sessions]).numpy() for name in STEPS
    }
    arrays["lengths"] = np.array([len(session) for session in sessions])
    arrays["endings"] = np.array([str(session.ending) for session in sessions])
    arrays["weights"] = np.array([session.weights for session in sessions])
    arrays["task"] = np.array(task_name)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    write_atomically(path, buffer.getvalue())


def load_sessions(path: str | Path, task_name: str) -> list[Session]:
    """Load what ``save_sessions`` wrote.

    Raises:
        ValueError: If the file holds something else, or sessions of another task.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        lengths = arrays["lengths"].tolist()
        steps = [torch.from_numpy(arrays[name]).split(lengths) for name in STEPS]
        endings = map(Ending, arrays["endings"].tolist())
        ways = zip(*steps, endings, arrays["weights"].tolist(), strict=True)
        sessions = [Session(*way) for way in ways]
        task = str(arrays["task"])
    except FileNotFoundError:
        raise
    except Exception as error:
        raise ValueError(f"{path} is not a file of supervised drives ({error}).") from error
    if task != task_name:
        raise ValueError(
            f"{path} holds drives of the task {task!r}, not {task_name!r}: choose another path."
        )
    return sessions


def results_of(sessions: Sequence[Session], weights: str) -> list[dict[str, Any]]:
    """Return how the drives of each policy went, in the order in which they first drove.

    Args:
        sessions: Any number of them.
        weights: Those that are to drive now, which stand in the list in any case.
    """
    names = list(dict.fromkeys([*[session.weights for session in sessions], weights]))
    return [_result(name, [one for one in sessions if one.weights == name]) for name in names]


def _result(weights: str, sessions: Sequence[Session]) -> dict[str, Any]:
    endings = [session.ending for session in sessions]
    return {
        "weights": weights,
        "drives": len(sessions),
        "reached": endings.count(Ending.SUCCESS),
        "crashed": endings.count(Ending.FAILURE),
        "steps": sum(map(len, sessions)),
        "by_hand": sum(int(session.engaged.sum()) for session in sessions),
        "takeovers": sum(len(session.takeovers) for session in sessions),
    }


def recorded_supervision(task_name: str) -> list[Session]:
    """Return drives that were supervised once and for all, for those who read without a browser.

    A scripted hand supervised five policies that had been cloned from the simulated driver.

    Args:
        task_name: ``"racetrack"`` or ``"fork"``.

    Raises:
        ValueError: If there are no drives of such a task.
    """
    return load_sessions(recorded_path(f"supervision_{task_name}.npz"), task_name)
