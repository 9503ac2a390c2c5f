from otter.test_files import test_case

OK_FORMAT = False

name = "rollout_and_label"
points = [1, 1]

@test_case(points=None, hidden=False,
    failure_message="With beta = 0 the policy drives 0, 2, 4 to its end at 6, and the labels are the expert's.")
def test_rollout_and_label_by_the_policy(rollout_and_label):
    """With beta = 0 the policy drives 0, 2, 4 to its end at 6, and the labels are the expert's."""
    assert rollout_and_label is not None, "rollout_and_label is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    class Stairs:
        """The state is a number, the action is added to it, and 5 is far enough."""

        max_steps = 9

        def initial_states(self, n, generator):
            return torch.zeros(n, 1)

        def observe(self, states, generator):
            return states.repeat(1, 2)

        def advance(self, states, actions, generator):
            return states + actions

        def failed(self, states):
            return states[:, 0] < 0

        def succeeded(self, states):
            return states[:, 0] >= 5

    def policy(seen):
        return torch.full((len(seen), 1), 2.0)

    def expert(seen):
        return 10 + seen[:, :1]

    dataset = rollout_and_label(Stairs(), policy, expert, 1, 0.0, torch.Generator())
    check_answered(dataset, "rollout_and_label")
    observations, labels = dataset
    check_shape(observations, (3, 2), "three steps of two lead from 0 past 5.")
    check_close(observations[:, 0].sort().values, [0.0, 2, 4], "with beta = 0 the policy drives.")
    check_close(labels, 10 + observations[:, :1], "a label is what the expert says of this row.")

@test_case(points=None, hidden=False,
    failure_message="With beta = 1 the expert drives, and time is up after four steps.")
def test_rollout_and_label_by_the_expert(rollout_and_label):
    """With beta = 1 the expert drives, and time is up after four steps."""
    assert rollout_and_label is not None, "rollout_and_label is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    class Line:
        """The state is a number, the action is added to it, and nothing ends it but the time."""

        max_steps = 4

        def initial_states(self, n, generator):
            return torch.zeros(n, 1)

        def observe(self, states, generator):
            return 1 * states

        def advance(self, states, actions, generator):
            return states + actions

        def failed(self, states):
            return states[:, 0] > 1e6

        def succeeded(self, states):
            return states[:, 0] < -1e6

    dataset = rollout_and_label(
        Line(), lambda seen: seen - 7, lambda seen: 0 * seen + 3, 2, 1.0, torch.Generator()
    )
    check_answered(dataset, "rollout_and_label")
    observations, labels = dataset
    check_shape(labels, (8, 1), "two episodes of four steps each.")
    check_close(
        observations[:, 0].sort().values,
        [0.0, 0, 3, 3, 6, 6, 9, 9],
        "with beta = 1 the expert drives.",
    )
    check_close(labels, [[3.0]] * 8, "the labels are the expert's.")
