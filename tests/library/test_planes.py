"""Pictures of actions in the plane: steer runs along the horizontal, speed along the vertical."""

import torch

from imitation_lab.plots.planes import plot_plane, plot_table


def test_a_table_has_steer_along_the_horizontal_and_speed_along_the_vertical(axes):
    table = torch.zeros(3, 3)
    table[2, 0] = 1  # right, and slow
    (image,) = plot_table(axes, table).get_images()
    drawn = image.get_array()  # rows run along the vertical axis, from the origin below
    assert image.origin == "lower"
    assert drawn[0, 2] == 1 and drawn.sum() == 1


def test_tables_with_one_darkest_probability_share_their_shades(axes):
    (image,) = plot_table(axes, torch.full((2, 2), 0.25), darkest=0.5).get_images()
    assert image.get_clim() == (0, 0.5)


def test_a_plane_shows_every_action_where_it_is(axes):
    actions = torch.tensor([[0.5, -0.25], [-1.0, 1.0]])
    (points,) = plot_plane(axes, actions, "expert").collections
    assert points.get_offsets().tolist() == actions.tolist()
