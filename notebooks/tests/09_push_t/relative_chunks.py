from otter.test_files import test_case

OK_FORMAT = False

name = "relative_chunks"
points = [1, 2]

@test_case(points=None, hidden=False,
    failure_message="Three steps and chunks of two: the last chunk has the last target twice.")
def test_relative_chunks_of_three_moments(relative_chunks):
    """Three steps and chunks of two: the last chunk has the last target twice."""
    assert relative_chunks is not None, "relative_chunks is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    observations = torch.tensor(
        [
            [10.0, 20.0, 99.0, 98.0, 1.0],
            [13.0, 20.0, 97.0, 96.0, 2.0],
            [15.0, 26.0, 95.0, 94.0, 3.0],
        ]
    )
    actions = torch.tensor([[14.0, 20.0], [16.0, 28.0], [15.0, 30.0]])
    chunks = relative_chunks(observations, actions, 2)
    check_answered(chunks, "relative_chunks")
    check_shape(chunks, (3, 2, 2), "return (time, prediction_horizon, 2).")
    expected = [[[4.0, 0.0], [6.0, 8.0]], [[3.0, 8.0], [2.0, 10.0]], [[0.0, 4.0], [0.0, 4.0]]]
    check_close(chunks, expected, "both targets of a chunk are seen from where it starts.")

@test_case(points=None, hidden=False,
    failure_message="Moving agent and targets together across the table changes nothing.")
def test_relative_chunks_do_not_know_the_place(relative_chunks):
    """Moving agent and targets together across the table changes nothing."""
    assert relative_chunks is not None, "relative_chunks is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close

    generator = torch.Generator().manual_seed(2)
    observations = torch.randint(100, 300, (9, 5), generator=generator).float()
    actions = torch.randint(100, 300, (9, 2), generator=generator).float()
    chunks = relative_chunks(observations.clone(), actions.clone(), 4)
    check_answered(chunks, "relative_chunks")
    shift = torch.tensor([40.0, -70.0])
    moved = torch.cat([observations[:, :2] + shift, observations[:, 2:]], dim=1)
    elsewhere = relative_chunks(moved, actions + shift, 4)
    check_close(elsewhere, chunks, "subtract the agent's position from its targets.")
