from otter.test_files import test_case

OK_FORMAT = False

name = "choose_labels"
points = [1]

@test_case(points=None, hidden=False,
    failure_message="Three of eight observations, each with the expert's label for it.")
def test_choose_labels_of_three(choose_labels):
    """Three of eight observations, each with the expert's label for it."""
    assert choose_labels is not None, "choose_labels is not defined yet: run the cell with your answer."
    import torch

    from imitation_lab.testing import check_answered, check_close, check_shape

    observations = torch.arange(16.0).view(8, 2)
    dataset = choose_labels(observations, lambda seen: 100 + seen[:, :1], 3, torch.Generator())
    check_answered(dataset, "choose_labels")
    chosen, labels = dataset
    check_shape(chosen, (3, 2), "as many observations as the budget allows.")
    check_close(labels, 100 + torch.as_tensor(chosen)[:, :1], "a label belongs to its observation.")
    assert len(torch.as_tensor(chosen)[:, 0].unique()) == 3, "no observation is chosen twice."
