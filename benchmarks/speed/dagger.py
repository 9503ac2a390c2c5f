"""DAgger: the same rounds, episodes and gradient steps as `imitation` takes."""

from collections.abc import Iterator

from benchmarks.speed.frame import Row, Settings, in_turns, timed
from benchmarks.speed.peers import peer
from benchmarks.speed.work import BATCH, WIDTH, given_to_peers, seeded
from imitation_lab.corrections import as_demonstrations, as_function
from imitation_lab.dagger import dagger
from imitation_lab.envs import Fork
from imitation_lab.experiment import players
from imitation_lab.experts import ForkDriver
from imitation_lab.policies.gaussian import GaussianPolicy
from imitation_lab.training import TrainingSettings, train
from imitation_lab.types import ActionFunction, Dataset

GROUP, UNIT = "dagger", "labels"
ROUNDS, EPISODES, STEPS, PAIRS = 4, 12, 300, 7


def measure(settings: Settings) -> Iterator[Row]:
    """Yield the group's row."""
    labels: list[float] = []
    theirs_labels: list[float] = []
    with given_to_peers() as path, peer("peer_imitation", path) as imitation:

        def by_imitation() -> float:
            answer = imitation.ask(
                "dagger", rounds=ROUNDS, episodes=EPISODES, steps=STEPS, batch=BATCH
            )
            theirs_labels.append(answer["labels"])
            return answer["seconds"]

        ours, theirs = in_turns(
            timed(lambda: labels.append(learn())), by_imitation, settings.pairs(PAIRS)
        )
    work = f"DAgger, {ROUNDS} trainings of {STEPS} steps, {EPISODES} episodes before each"
    extra = (("labels", labels[-1]), ("peer's labels", theirs_labels[-1]))
    yield Row(GROUP, work, "imitation", ours, theirs, 7, labels[-1], UNIT, extra=extra)


def learn() -> int:
    """Learn in rounds, and return the number of labels."""
    task = Fork()
    driver = as_function(ForkDriver(task, sides=("left",)), EPISODES, seeded(0))
    _, labelled = dagger(task, driver, trained, ROUNDS - 1, EPISODES, 0.5, seeded(1))
    return len(labelled[0])


def trained(dataset: Dataset) -> ActionFunction:
    """Return the policy that a Gaussian learns from labels."""
    settings = TrainingSettings(steps=STEPS, batch_size=BATCH)
    policy = GaussianPolicy(8, 2, width=WIDTH)
    run = train(policy, as_demonstrations(dataset), settings, device="cpu", progress=False)
    return as_function(players([run])[0], EPISODES, seeded(2))
