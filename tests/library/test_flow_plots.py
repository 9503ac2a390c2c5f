"""Pictures of fields, paths and mixtures of noise and data."""

import pytest
import torch

from imitation_lab.plots.flows import SHARE, plot_arrows, plot_mixtures, plot_paths


def test_an_arrow_points_to_where_its_point_would_end(axes):
    target = torch.tensor([1.0, -2.0])
    plot_arrows(
        axes, lambda points, times: (target - points) / (1 - times[:, None]), 0.75, per_side=4
    )
    (arrows,) = axes.collections
    starts = torch.as_tensor(arrows.get_offsets()).float()
    ways = torch.stack([torch.as_tensor(arrows.U), torch.as_tensor(arrows.V)], dim=1).float()
    assert torch.allclose(starts + ways / SHARE, target.expand(16, 2), atol=1e-5)


def test_an_arrow_of_speed_one_shows_the_time_that_is_left(axes):
    plot_arrows(axes, lambda points, times: torch.ones_like(points), 0.5, per_side=3)
    (arrows,) = axes.collections
    assert arrows.U.tolist() == pytest.approx([SHARE / 2] * 9)


def test_the_field_is_asked_at_the_time_that_is_drawn(axes):
    asked = []
    plot_arrows(axes, lambda points, times: asked.append(times) or points, 0.3, per_side=2)
    assert asked[0].tolist() == pytest.approx([0.3] * 4)


def test_every_path_is_drawn_from_noise_to_action(axes):
    paths = torch.randn(6, 5, 2, generator=torch.Generator().manual_seed(0))
    plot_paths(axes, paths)
    (lines,) = axes.collections
    drawn = torch.stack([torch.as_tensor(line).float() for line in lines.get_segments()])
    assert torch.allclose(drawn, paths.transpose(0, 1))
    starts, ends = axes.lines
    assert torch.allclose(torch.as_tensor(starts.get_xydata()).float(), paths[0])
    assert torch.allclose(torch.as_tensor(ends.get_xydata()).float(), paths[-1])


def test_mixtures_lie_on_a_straight_line_and_on_a_circle(axes):
    plot_mixtures(axes, torch.tensor([0.99, 0.8, 0.5, 0.1]), every=1)
    named = {line.get_label(): torch.as_tensor(line.get_xydata()) for line in axes.lines}
    assert named["flow matching"].sum(dim=1).tolist() == pytest.approx([1] * 11)
    assert named["DDPM"].square().sum(dim=1).tolist() == pytest.approx([1] * 4)


def test_joined_mixtures_have_noise_and_data_in_the_same_ratio(axes):
    plot_mixtures(axes, torch.tensor([0.9, 0.4]), every=1)
    for line in axes.lines[:2]:
        (near_data, near_noise), (data, noise) = line.get_xydata().tolist()
        assert near_data + near_noise == pytest.approx(1)
        assert near_data * noise == pytest.approx(data * near_noise)
