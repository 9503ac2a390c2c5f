from otter.test_files import test_case

OK_FORMAT = False

name = "make_chunks"
points = [1, 1, 2, 1, 1]

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

@test_case(points=None, hidden=True,
    failure_message="Action h of chunk t is the episode's action t + h, or its last one.")
def test_make_chunks_begin_at_every_action(make_chunks):
    """Action h of chunk t is the episode's action t + h, or its last one."""
    assert make_chunks is not None, "make_chunks is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape, fresh_generator

    generator = fresh_generator()
    for lengths, horizon, action_dim in [([6, 4, 9], 3, 2), ([5], 5, 1), ([3, 8], 2, 4)]:
        episodes = [10 * torch.randn(n, action_dim, generator=generator) for n in lengths]
        given = [episode.clone() for episode in episodes]
        chunks = make_chunks(given, horizon)
        check_answered(chunks, "make_chunks")
        check_shape(chunks, (sum(lengths), horizon, action_dim), "one chunk for every action.")
        expected = [
            [episode[min(t + h, len(episode) - 1)].tolist() for h in range(horizon)]
            for episode in episodes
            for t in range(len(episode))
        ]
        check_close(chunks, expected, "chunks[t, h] is action t + h of its episode, or the last.")
        for after, before in zip(given, episodes, strict=True):
            check_close(after, before, "the actions were changed in place: make new tensors.")

@test_case(points=None, hidden=True,
    failure_message="Episodes shorter than a chunk have their chunks too, down to a single action.")
def test_make_chunks_of_episodes_that_are_shorter(make_chunks):
    """Episodes shorter than a chunk have their chunks too, down to a single action."""
    assert make_chunks is not None, "make_chunks is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape, fresh_generator

    generator = fresh_generator()
    for lengths in ([1], [1, 1, 3], [2, 7, 1, 4]):
        episodes = [torch.randn(n, 3, generator=generator) for n in lengths]
        chunks = make_chunks(episodes, 9)
        check_answered(chunks, "make_chunks")
        check_shape(chunks, (sum(lengths), 9, 3), "no episode may be left out, however short.")
        starts = torch.tensor(lengths).cumsum(dim=0) - torch.tensor(lengths)
        for episode, start in zip(episodes, starts.tolist(), strict=True):
            own = chunks[start : start + len(episode)]
            check_close(own[:, 0], episode, "the chunk of a step begins with that step's action.")
            late = torch.as_tensor(own)[-1]
            check_close(
                late, episode[-1].repeat(9, 1), "the last chunk is the last action, repeated."
            )

@test_case(points=None, hidden=True,
    failure_message="An episode has the same chunks alone and in company, wherever it stands in the list.")
def test_make_chunks_keep_episodes_apart(make_chunks):
    """An episode has the same chunks alone and in company, wherever it stands in the list."""
    assert make_chunks is not None, "make_chunks is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape, fresh_generator

    generator = fresh_generator()
    episodes = [torch.randn(n, 2, generator=generator) for n in (4, 7, 2, 5)]
    alone = [make_chunks([episode], 6) for episode in episodes]
    for chunks in alone:
        check_answered(chunks, "make_chunks")
    for order in ([0, 1, 2, 3], [3, 1, 0, 2], [2, 0]):
        together = make_chunks([episodes[i] for i in order], 6)
        check_shape(together, (sum(len(episodes[i]) for i in order), 6, 2), "one for every action.")
        expected = torch.cat([torch.as_tensor(alone[i]) for i in order])
        check_close(together, expected, "a chunk holds actions of its own episode only.")
