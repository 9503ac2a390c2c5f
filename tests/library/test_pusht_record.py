"""What is recorded of Push-T comes back as it was, down to the last success."""

import torch

from imitation_lab.pusht.recipe import main_recipe
from imitation_lab.pusht.record import Judged, as_json, from_json


def judged(coverage):
    return Judged(main_recipe("flow"), 1, 100, 2.0, torch.tensor(coverage))


def test_what_is_written_is_read_again():
    (found,) = from_json(as_json([judged([0.25, 0.5])]))
    assert (found.recipe, found.seed, found.parameters, found.seconds) == (
        main_recipe("flow"), 1, 100, 2.0,
    )  # fmt: skip
    assert torch.equal(found.coverage, torch.tensor([0.25, 0.5]))


def test_a_success_by_a_hairs_breadth_is_still_one_after_it_was_written():
    result = judged([0.95002, 0.94998, 0.2])
    (found,) = from_json(as_json([result]))
    assert result.success.successes == found.success.successes == 1
