from otter.test_files import test_case

OK_FORMAT = False

name = "dagger"
points = [1, 1]

@test_case(points=None, hidden=False,
    failure_message="Two episodes of three steps in each of two rounds: 6, 12 and 18 labels to learn from.")
def test_dagger_counts_its_labels(dagger):
    """Two episodes of three steps in each of two rounds: 6, 12 and 18 labels to learn from."""
    assert dagger is not None, "dagger is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    class Line:
        """The state is a number, the action is added to it, and time is up after three steps."""

        max_steps = 3

        def initial_states(self, n, generator):
            return torch.zeros(n, 1)

        def observe(self, states, generator):
            return 1 * states

        def advance(self, states, actions, generator):
            return states + actions

        def failed(self, states):
            return states[:, 0] > 1e6

        succeeded = failed

    class Counting(int):
        """A policy that is the number of labels it was trained with, and does nothing."""

        def __call__(self, observations):
            return torch.zeros(len(observations), 1)

    def expert(seen):
        return 1 - seen

    found = dagger(Line(), expert, lambda dataset: Counting(len(dataset[0])), 2, 2, 0.0)
    check_answered(found, "dagger")
    policies, dataset = found
    assert list(policies) == [6, 12, 18], (
        f"the policies were trained with {list(policies)} labels: all that is there, in each round."
    )
    check_shape(dataset[0], (18, 1), "return the dataset of all rounds.")
    check_close(dataset[1], 1 - torch.as_tensor(dataset[0]), "all labels are the expert's.")

@test_case(points=None, hidden=False,
    failure_message="With no rounds there is one policy, trained on the expert's own drives.")
def test_dagger_of_no_round_is_cloning(dagger):
    """With no rounds there is one policy, trained on the expert's own drives."""
    assert dagger is not None, "dagger is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    class Line:
        """The state is a number, the action is added to it, and time is up after four steps."""

        max_steps = 4

        def initial_states(self, n, generator):
            return torch.zeros(n, 1)

        def observe(self, states, generator):
            return 1 * states

        def advance(self, states, actions, generator):
            return states + actions

        def failed(self, states):
            return states[:, 0] > 1e6

        succeeded = failed

    found = dagger(
        Line(),
        lambda seen: torch.full_like(seen, 2.0),
        lambda data: float(data[0].sum()),
        0,
        1,
        0.5,
    )
    check_answered(found, "dagger")
    policies, dataset = found
    check_shape(dataset[1], (4, 1), "one episode of four steps.")
    check_close(dataset[0][:, 0].sort().values, [0.0, 2, 4, 6], "the expert drives first.")
    assert list(policies) == [12.0], "one policy, trained on what the expert saw."
