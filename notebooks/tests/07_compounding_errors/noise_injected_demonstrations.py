from otter.test_files import test_case

OK_FORMAT = False

name = "noise_injected_demonstrations"
points = [1, 1]

@test_case(points=None, hidden=False,
    failure_message="Without noise the vehicle counts 1, 2, 3, as the expert wants it, up to the goal at 5.")
def test_noise_injected_demonstrations_without_noise(noise_injected_demonstrations):
    """Without noise the vehicle counts 1, 2, 3, as the expert wants it, up to the goal at 5."""
    assert noise_injected_demonstrations is not None, "noise_injected_demonstrations is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    class Stairs:
        """The state is a number, the action is added to it, and 5 is the goal."""

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

    def expert(seen):
        return torch.ones(len(seen), 1)

    dataset = noise_injected_demonstrations(Stairs(), expert, 0.5, 0.0, torch.Generator())
    check_answered(dataset, "noise_injected_demonstrations")
    observations, actions = dataset
    check_shape(observations, (5, 2), "five steps lead from 0 to 5, and the end itself is no step.")
    check_shape(actions, (5, 1), "a label for every observation.")
    check_close(observations[:, 0].sort().values, [0.0, 1, 2, 3, 4], "keep what was seen.")
    check_close(actions, [[1.0]] * 5, "the label is what the expert wanted.")

@test_case(points=None, hidden=False,
    failure_message="With noise at every step the vehicle goes astray, and the labels stay the expert's.")
def test_noise_injected_demonstrations_have_clean_labels(noise_injected_demonstrations):
    """With noise at every step the vehicle goes astray, and the labels stay the expert's."""
    assert noise_injected_demonstrations is not None, "noise_injected_demonstrations is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    class Line:
        """The state is a number, the action is added to it, and time is up after four steps."""

        max_steps = 4

        def initial_states(self, n, generator):
            return 10 * torch.rand(n, 1, generator=generator)

        def observe(self, states, generator):
            return 1 * states

        def advance(self, states, actions, generator):
            return states + actions

        def failed(self, states):
            return states[:, 0] > 1e6

        def succeeded(self, states):
            return states[:, 0] < -1e6

    dataset = noise_injected_demonstrations(
        Line(), lambda seen: 3 - seen, 0.5, 1.0, torch.Generator(), episodes=6
    )
    check_answered(dataset, "noise_injected_demonstrations")
    observations, actions = dataset
    check_shape(observations, (24, 1), "six episodes of four steps.")
    check_close(actions, 3 - torch.as_tensor(observations), "labels carry no noise.")
    exact = (torch.as_tensor(observations) - 3).abs() < 1e-4
    # By chance one in 6,000 does.
    assert exact.sum() < 4, (
        "what is executed carries noise: the vehicle hardly ever hits 3 exactly."
    )
