from otter.test_files import test_case

OK_FORMAT = False

name = "make_chunks"
points = [1, 1]

@test_case(points=None, hidden=False,
    failure_message="Chunks of two: at the end of an episode the last action comes twice.")
def test_make_chunks_of_two_small_episodes(make_chunks):
    """Chunks of two: at the end of an episode the last action comes twice."""
    assert make_chunks is not None, "make_chunks is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    episodes = [torch.tensor([[1.0], [2.0], [3.0]]), torch.tensor([[7.0], [8.0]])]
    chunks = make_chunks(episodes, 2)
    check_answered(chunks, "make_chunks")
    check_shape(chunks, (5, 2, 1), "every action begins a chunk, also the last ones of an episode.")
    expected = torch.tensor([[1.0, 2], [2, 3], [3, 3], [7, 8], [8, 8]]).unsqueeze(2)
    check_close(
        chunks,
        expected,
        "a chunk begins with its own step's action, and an episode's last action repeats.",
    )

@test_case(points=None, hidden=False,
    failure_message="Chunks of one are the actions themselves.")
def test_make_chunks_of_one_action(make_chunks):
    """Chunks of one are the actions themselves."""
    assert make_chunks is not None, "make_chunks is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close

    episodes = [torch.tensor([[1.0, 5.0], [2.0, 6.0]]), torch.tensor([[3.0, 7.0]])]
    chunks = make_chunks(episodes, 1)
    check_answered(chunks, "make_chunks")
    expected = torch.tensor([[[1.0, 5.0]], [[2.0, 6.0]], [[3.0, 7.0]]])
    check_close(chunks, expected, "the chunk of a step begins with the action of that step.")
