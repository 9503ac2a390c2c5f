from otter.test_files import test_case

OK_FORMAT = False

name = "relative_chunks"
points = [1, 2, 3, 2, 2]

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

@test_case(points=None, hidden=True,
    failure_message="At every step, each target of the chunk minus where the agent was at that step.")
def test_relative_chunks_are_seen_from_their_start(relative_chunks):
    """At every step, each target of the chunk minus where the agent was at that step."""
    assert relative_chunks is not None, "relative_chunks is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape, fresh_generator

    generator = fresh_generator()
    for time, prediction_horizon in [(23, 4), (11, 7), (30, 2)]:
        observations = 512 * torch.rand(time, 5, generator=generator)
        actions = 512 * torch.rand(time, 2, generator=generator)
        chunks = relative_chunks(observations.clone(), actions.clone(), prediction_horizon)
        check_answered(chunks, "relative_chunks")
        check_shape(chunks, (time, prediction_horizon, 2), "(time, prediction_horizon, 2).")
        hint = "actions[t + h] minus the agent's position at step t, the same for the whole chunk."
        whole = time - prediction_horizon + 1
        for later in range(prediction_horizon):
            expected = actions[later : later + whole] - observations[:whole, :2]
            check_close(chunks[:whole, later], expected, hint, 1e-4, 1e-3)

@test_case(points=None, hidden=True,
    failure_message="Late chunks end with the last target on the table, again and again, seen from where they start.")
def test_relative_chunks_at_the_end(relative_chunks):
    """Late chunks end with the last target on the table, again and again, seen from where they start."""
    assert relative_chunks is not None, "relative_chunks is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape, fresh_generator

    generator = fresh_generator()
    for time, prediction_horizon in [(6, 4), (3, 8), (1, 5), (1, 1), (7, 7)]:
        observations = 512 * torch.rand(time, 5, generator=generator)
        actions = 512 * torch.rand(time, 2, generator=generator)
        chunks = relative_chunks(observations.clone(), actions.clone(), prediction_horizon)
        check_answered(chunks, "relative_chunks")
        check_shape(
            chunks, (time, prediction_horizon, 2), "one chunk for every step, late ones too."
        )
        for step in range(time):
            for later in range(time - step, prediction_horizon):
                expected = actions[-1] - observations[step, :2]
                hint = "past the end, the last target repeats: the place on the table."
                check_close(chunks[step, later], expected, hint, 1e-4, 1e-3)
        check_close(chunks[:, 0], actions - observations[:, :2], "a chunk starts now.", 1e-4, 1e-3)

@test_case(points=None, hidden=True,
    failure_message="Observations and actions are as they were, and the numbers are float32.")
def test_relative_chunks_leave_the_episode_alone(relative_chunks):
    """Observations and actions are as they were, and the numbers are float32."""
    assert relative_chunks is not None, "relative_chunks is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, check_dtype, fresh_generator

    generator = fresh_generator()
    observations = 512 * torch.rand(14, 5, generator=generator)
    actions = 512 * torch.rand(14, 2, generator=generator)
    given = observations.clone(), actions.clone()
    chunks = relative_chunks(observations, actions, 3)
    check_answered(chunks, "relative_chunks")
    check_dtype(chunks, torch.float32, "float32 in, float32 out.")
    for now, before in zip((observations, actions), given, strict=True):
        check_close(now, before, "an argument was changed in place: make a new tensor.")
    # What comes after a step's chunk says nothing about it.
    again = relative_chunks(given[0][:9].clone(), given[1][:9].clone(), 3)
    check_close(again[:7], chunks[:7], "a chunk looks ahead by its length, and no further.")
