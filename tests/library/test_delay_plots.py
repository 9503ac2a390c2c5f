"""The drawings of chunks that meet, read back from their axes."""

import pytest
import torch

from imitation_lab.evaluation import SuccessRate
from imitation_lab.plots import POLICY_LOOKS, format_side
from imitation_lab.plots.delay import WAY_LOOKS, plot_predictions, plot_seam, plot_success_over


def test_a_way_to_play_a_flow_has_no_other_policys_colour():
    others = {look.color for name, look in POLICY_LOOKS.items() if name != "flow"}
    assert not others & {look.color for look in WAY_LOOKS.values()}
    assert len({(look.color, look.marker, look.linestyle) for look in WAY_LOOKS.values()}) == len(
        WAY_LOOKS
    )


def test_predictions_stand_at_their_steps(axes):
    predictions = [torch.tensor([0.5]), torch.tensor([0.1, -0.2]), torch.tensor([0.3])]
    plot_predictions(axes, predictions, torch.tensor([0.5, -0.05, 0.3]))
    dots, taken = axes.lines
    assert dots.get_xdata().tolist() == [0, 1, 1, 2]
    assert dots.get_ydata().tolist() == pytest.approx([0.5, 0.1, -0.2, 0.3])
    assert taken.get_ydata().tolist() == pytest.approx([0.5, -0.05, 0.3])


@pytest.mark.parametrize(("delay", "shaded"), [(0, 0), (2, 1)])
def test_a_seam_shades_what_is_played_while_thinking(axes, delay, shaded):
    plot_seam(axes, torch.zeros(4), torch.ones(3, 6), delay)
    assert len(axes.patches) == shaded
    if shaded:
        assert axes.patches[0].get_extents().transformed(axes.transData.inverted()).x1 == (
            pytest.approx(delay - 0.5)
        )


def test_a_seam_draws_every_new_chunk_and_names_them_once(axes):
    plot_seam(axes, torch.zeros(4), torch.arange(18.0).view(3, 6), 0)
    heights = [line.get_ydata().tolist() for line in axes.lines]
    assert heights == [*torch.arange(18.0).view(3, 6).tolist(), [0.0] * 4]
    assert axes.get_legend_handles_labels()[1] == ["new chunks", "the old plan"]


def test_success_is_drawn_in_per_cent_with_its_interval(axes):
    rate = SuccessRate(3, 4)
    plot_success_over(
        axes, [2], {"a way": [rate], "none": [SuccessRate(0, 4)]}, list(POLICY_LOOKS.values())[:2]
    )
    bars = [container.lines[2][0].get_segments()[0] for container in axes.containers]
    low, high = rate.interval
    assert bars[0][:, 1].tolist() == pytest.approx([100 * low, 100 * high])
    assert bars[1][0].tolist() == pytest.approx([2, 0], abs=1e-6)
    assert axes.get_legend_handles_labels()[1] == ["a way", "none"]


def test_sides_are_written_at_ticks_that_are_whole_numbers(axes):
    axes.set_yticks([-1, 0, 1])
    axes.yaxis.set_major_formatter(format_side)
    axes.figure.draw_without_rendering()
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["1 right", "0", "1 left"]
