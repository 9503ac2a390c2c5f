from otter.test_files import test_case

OK_FORMAT = False

name = "human_gated_rollout"
points = [2, 1, 2]

@test_case(points=None, hidden=False,
    failure_message="The lecture's case: the policy drives three steps, the expert takes over, and drives to the end.")
def test_human_gated_rollout_from_step_three_on(human_gated_rollout):
    """The lecture's case: the policy drives three steps, the expert takes over, and drives to the end."""
    assert human_gated_rollout is not None, "human_gated_rollout is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close

    class Road:
        """A state is the step, and the two numbers of the action before it."""

        max_steps = 6

        def initial_states(self, num_episodes, generator):
            return torch.zeros(num_episodes, 3)

        def observe(self, states, generator):
            return 1 * states

        def advance(self, states, actions, generator):
            return torch.cat([states[:, :1] + 1, actions], dim=1)

        def failed(self, states):
            return states[:, 0] < 0

        succeeded = failed

    result = human_gated_rollout(
        Road(),
        policy=lambda seen: torch.full((len(seen), 2), -1.0),
        expert=lambda seen: torch.cat([seen[:, :1], 10 + seen[:, :1]], dim=1),
        gate=lambda seen, engaged: engaged | (seen[:, 0] == 3),
        generator=torch.Generator().manual_seed(0),
    )
    check_answered(result, "human_gated_rollout")
    assert len(result) == 2, "return two tensors: observations and actions."
    observations, actions = (torch.as_tensor(part) for part in result)
    order = observations[:, 0].argsort()
    hint = (
        "keep the observations of steps 3, 4 and 5. Each is three numbers: the step, and the action "
        "that was taken one step before, by the policy before step 3 and by the expert before the others."
    )
    check_close(observations[order], [[3.0, -1, -1], [4, 3, 13], [5, 4, 14]], hint)
    hint = "keep the expert's actions of steps 3, 4 and 5, each beside the observation that it answers."
    check_close(actions[order], [[3.0, 13], [4, 14], [5, 15]], hint)

@test_case(points=None, hidden=False,
    failure_message="An expert who only watches does nothing that could be kept.")
def test_human_gated_rollout_where_nobody_engages(human_gated_rollout):
    """An expert who only watches does nothing that could be kept."""
    assert human_gated_rollout is not None, "human_gated_rollout is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_shape

    class Road:
        """Nothing happens here."""

        max_steps = 3

        def initial_states(self, num_episodes, generator):
            return torch.zeros(num_episodes, 4)

        def observe(self, states, generator):
            return states[:, :3]

        def advance(self, states, actions, generator):
            return states + actions.sum(dim=1, keepdim=True)

        def failed(self, states):
            return states[:, 0] > 100

        succeeded = failed

    result = human_gated_rollout(
        Road(),
        policy=lambda seen: seen[:, :2] + 1,
        expert=lambda seen: seen[:, :2] - 1,
        gate=lambda seen, engaged: torch.zeros(len(seen), dtype=torch.bool),
        generator=torch.Generator().manual_seed(0),
        episodes=5,
    )
    check_answered(result, "human_gated_rollout")
    assert len(result) == 2, "return two tensors: observations and actions."
    check_shape(result[0], (0, 3), "no observation was the expert's to act on.")
    check_shape(result[1], (0, 2), "no action was the expert's.")

@test_case(points=None, hidden=False,
    failure_message="Of three episodes one fails after two steps, one succeeds after three, and one runs out of time after five.")
def test_human_gated_rollout_of_three_lengths(human_gated_rollout):
    """Of three episodes one fails after two steps, one succeeds after three, and one runs out of time after five."""
    assert human_gated_rollout is not None, "human_gated_rollout is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close

    class Road:
        """A state is the number of the episode, and the step."""

        max_steps = 5

        def initial_states(self, num_episodes, generator):
            return torch.stack(
                [torch.arange(float(num_episodes)), torch.zeros(num_episodes)], dim=1
            )

        def observe(self, states, generator):
            return 1 * states

        def advance(self, states, actions, generator):
            return torch.cat([states[:, :1], states[:, 1:] + actions], dim=1)

        def failed(self, states):
            return (states[:, 0] == 0) & (states[:, 1] == 2)

        def succeeded(self, states):
            return (states[:, 0] == 1) & (states[:, 1] == 3)

    result = human_gated_rollout(
        Road(),
        policy=lambda seen: torch.ones(len(seen), 1),
        expert=lambda seen: torch.ones(len(seen), 1),
        gate=lambda seen, engaged: torch.ones(len(seen), dtype=torch.bool),
        generator=torch.Generator().manual_seed(0),
        episodes=3,
    )
    check_answered(result, "human_gated_rollout")
    assert len(result) == 2, "return two tensors: observations and actions."
    kept = torch.as_tensor(result[0]).float()[:, 0]
    for episode, (number, end) in enumerate(
        [(2, "fails"), (3, "succeeds"), (5, "runs out of time")]
    ):
        check_close(
            (kept == episode).sum(),
            number,
            f"episode {episode} {end} after {number} steps, and the expert drove in all of them: keep {number} rows of it.",
        )
