"""Demonstrations as data sets of Minari, the format in which others publish theirs.

Minari keeps its data sets by name, in the folder of the environment variable
``MINARI_DATASETS_PATH`` or else in a folder of its own in the user's home.
"""

import warnings
from types import ModuleType
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium.spaces import Box
from torch import Tensor

from imitation_lab.data import Demonstrations
from imitation_lab.types import Ending, Trajectory


def save_minari(
    demonstrations: Demonstrations, dataset_id: str, environment: gymnasium.Env | str | None = None
) -> None:
    """Save demonstrations as a local Minari data set.

    The last step of a success has reward 1, all others 0. Successes and failures are terminations,
    all other ends are truncations. Driver and ending are kept in every episode's metadata, the task's
    name in the data set's.

    Args:
        demonstrations: In physical units.
        dataset_id: A name such as ``"fork/two-drivers-v0"``. It must end in a version.
        environment: The Gymnasium environment or its name, so that ``recover_environment`` works.

    Raises:
        ImportError: If Minari is missing.
        ValueError: If there is a data set of that name already, or the name has no version.
    """
    minari = _import_minari()
    buffers = [_buffer(minari, trajectory) for trajectory in demonstrations.trajectories]
    with warnings.catch_warnings():
        # Author, address and permalink are for data sets that are published.
        warnings.simplefilter("ignore", UserWarning)
        dataset = minari.create_dataset_from_buffers(
            dataset_id,
            buffers,
            env=environment,
            observation_space=Box(-np.inf, np.inf, (demonstrations.observation_dim,)),
            action_space=Box(-np.inf, np.inf, (demonstrations.action_dim,)),
        )
    dataset.storage.update_metadata({"task": demonstrations.task})
    dataset.storage.update_episode_metadata(
        {"driver": t.driver, "ending": str(t.ending)} for t in demonstrations.trajectories
    )


def load_minari(dataset_id: str) -> Demonstrations:
    """Load a local Minari data set, of this course or of anyone else, as demonstrations.

    In data sets of others, a termination counts as a success if its last reward is positive, and
    nobody's name is known.

    Args:
        dataset_id: The name under which Minari knows it.

    Raises:
        ImportError: If Minari is missing.
        FileNotFoundError: If there is no data set of that name.
        ValueError: If its observations or actions are not plain rows of numbers.
    """
    dataset = _import_minari().load_dataset(dataset_id)
    _check_space(dataset_id, "observations", dataset.observation_space)
    _check_space(dataset_id, "actions", dataset.action_space)
    facts = dataset.storage.get_episode_metadata(dataset.episode_indices)
    episodes = zip(dataset.iterate_episodes(), facts, strict=True)
    trajectories = tuple(_trajectory(episode, fact) for episode, fact in episodes)
    return Demonstrations(trajectories, dataset.storage.metadata.get("task", ""))


def _import_minari() -> ModuleType:
    try:
        import h5py  # noqa: F401  (Minari imports it only once it is writing)
        import minari
    except ImportError as error:
        raise ImportError(
            'the Minari format needs more packages: pip install "imitation-lab[minari]"'
        ) from error
    return minari


def _buffer(minari: ModuleType, trajectory: Trajectory) -> Any:
    last = np.arange(len(trajectory)) == len(trajectory) - 1
    terminated = trajectory.ending is not Ending.CUT_OFF
    return minari.data_collector.EpisodeBuffer(
        observations=trajectory.observations.cpu().numpy(),
        actions=trajectory.actions.cpu().numpy(),
        rewards=(last & (trajectory.ending is Ending.SUCCESS)).astype(np.float64),
        terminations=last & terminated,
        truncations=last & (not terminated),
    )


def _trajectory(episode: Any, facts: dict[str, Any]) -> Trajectory:
    ending = Ending(facts["ending"]) if "ending" in facts else _guessed_ending(episode)
    observations, actions = _tensor(episode.observations), _tensor(episode.actions)
    return Trajectory(observations, actions, facts.get("driver", ""), ending)


def _guessed_ending(episode: Any) -> Ending:
    if not episode.terminations[-1]:
        return Ending.CUT_OFF
    return Ending.SUCCESS if episode.rewards[-1] > 0 else Ending.FAILURE


def _tensor(array: np.ndarray) -> Tensor:
    return torch.from_numpy(np.asarray(array, dtype=np.float32))


def _check_space(dataset_id: str, what: str, space: gymnasium.Space) -> None:
    if not isinstance(space, Box) or len(space.shape) != 1:
        raise ValueError(f"the {what} of {dataset_id} are {space}: expected a Box of one axis.")
