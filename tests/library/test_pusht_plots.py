"""Push-T's figures and films: what is drawn is what was seen."""

import base64
import re

import numpy as np
import pytest
import torch
from matplotlib import pyplot as plt

from imitation_lab.plots import pusht as plots
from imitation_lab.plots.looks import DRIVER_LOOKS
from imitation_lab.pusht.environment import drive, make_environment
from imitation_lab.types import Trajectory

SIZE = 128
GOAL = np.array([144, 238, 144])  # the environment's light green
AGENT = np.array([65, 105, 225])  # and its royal blue


@pytest.fixture(autouse=True)
def figures_are_closed():
    yield
    plt.close("all")


class Circling:
    """Goes round the table in a circle, whatever it sees."""

    def reset(self, mask):
        self.step = 0

    def act(self, observations, generator):
        self.step += 1
        angle = torch.tensor(self.step / 8)
        target = 256 + 150 * torch.stack([angle.cos(), angle.sin()])
        return target.expand(len(observations), 2)


@pytest.fixture(scope="module")
def trajectories():
    return drive(Circling(), [3, 4], torch.Generator(), max_steps=30).trajectories


def standing(observation, moments=3):
    """An episode in which nothing moves."""
    seen = torch.tensor(observation).repeat(moments, 1)
    return Trajectory(seen, torch.zeros(moments - 1, 2))


def share_of(picture, color, tolerance=30):
    return float((np.abs(picture.astype(int) - color).max(axis=-1) < tolerance).mean())


def test_pictures_are_those_that_the_environment_draws_of_itself(trajectories):
    """The renderer also shows the physics' own angle, so a picture after the last step is the same."""
    environment = make_environment(size=SIZE)
    environment.reset(seed=3)
    for action in trajectories[0].actions.numpy():
        environment.step(action.astype(np.float64))
    own = plots.draw(trajectories[0], SIZE)
    assert len(own) == len(trajectories[0]) + 1
    off = np.abs(own[-1].astype(int) - environment.render())
    # What was seen was rounded to float32: a pixel at an edge may differ.
    assert float((off.max(axis=-1) > 30).mean()) < 0.005


def test_a_tee_on_its_goal_hides_the_goal():
    on_it, beside = (
        plots.draw(standing([40.0, 40.0, x, y, turn]), SIZE)[0]
        for x, y, turn in [(256.0, 256.0, np.pi / 4), (120.0, 400.0, np.pi / 4)]
    )
    assert share_of(on_it, GOAL) < 0.003 < 0.015 < share_of(beside, GOAL)


def test_the_agent_is_drawn_where_it_was_seen():
    picture = plots.draw(standing([384.0, 128.0, 256.0, 400.0, 0.0]), SIZE)[0]
    rows, columns = np.nonzero(np.abs(picture.astype(int) - AGENT).max(axis=-1) < 30)
    assert rows.mean() == pytest.approx(128 * SIZE / 512, abs=1)
    assert columns.mean() == pytest.approx(384 * SIZE / 512, abs=1)


@pytest.fixture
def shown(monkeypatch, trajectories):
    """What a film of two episodes, of which one is shorter, sends to the notebook."""
    sent = []
    monkeypatch.setattr(plots, "display", lambda output: sent.append(output.data))
    monkeypatch.setattr(plots, "show", lambda figure, *words: sent.append((figure, *words)))
    short = Trajectory(trajectories[1].observations[:11], trajectories[1].actions[:10])
    plots.film({"long": trajectories[0], "short": short}, 'two "films"', "look", SIZE)
    return sent


def test_a_film_waits_to_be_started_and_is_described(shown):
    html = shown[0]
    tag = html[: html.index(">")]
    assert "controls" in tag and "autoplay" not in tag
    assert 'aria-label="two &quot;films&quot;"' in tag
    assert 'poster="data:image/png;base64,' in tag


def test_a_film_is_webm_of_all_moments_and_a_last_second(shown, tmp_path):
    import cv2

    video = re.search(r"data:video/webm;base64,([^\"]+)", shown[0])
    path = tmp_path / "film.webm"
    path.write_bytes(base64.b64decode(video.group(1)))
    assert path.read_bytes()[:4] == b"\x1a\x45\xdf\xa3"  # the first bytes of every WebM file
    film = cv2.VideoCapture(str(path))
    pictures = []
    while (taken := film.read())[0]:
        pictures.append(taken[1])
    assert film.get(cv2.CAP_PROP_FPS) == pytest.approx(30)
    assert len(pictures) == 31 + 30
    assert pictures[0].shape == (SIZE, 2 * SIZE, 3)
    # The right half is the short episode, which waits at its end; the left one goes on.
    moved = np.abs(pictures[12].astype(int) - pictures[30]).max(axis=-1) > 60
    assert moved[:, :SIZE].sum() > 50 and moved[:, SIZE:].sum() < 10


def test_the_pictures_for_print_have_each_episodes_own_times(shown):
    figure, alt, caption = shown[1]
    titles = [axes.get_title(loc="center") for axes in figure.axes]
    assert len(titles) == 2 * plots.STRIP
    assert (titles[plots.STRIP - 1], titles[-1]) == ("3.0 s", "1.0 s")
    assert (alt, caption) == ('two "films"', "look")


def test_filming_prints_nothing(capfd, trajectories):
    pictures = plots.draw(trajectories[0], SIZE)
    assert len(plots._webm(pictures)) > 1000
    assert capfd.readouterr().err == ""


def test_paths_are_told_apart_by_the_side_of_their_first_push(trajectories):
    _, axes = plt.subplots()
    plots.plot_paths(axes, trajectories, moments=5)
    labels = [line.get_label() for line in axes.lines if "push" in line.get_label()]
    assert len(labels) == 2 and all("first push" in label for label in labels)
    drawn = [line for line in axes.lines if len(line.get_xdata()) > 1]
    assert all(len(line.get_xdata()) == 5 for line in drawn)
    assert axes.get_ylim() == (512, 0)  # y points down


def test_coverage_has_a_dot_for_every_seed_and_the_mean_of_all():
    reached = {"flow": torch.tensor([[0.5, 0.7], [0.9, 0.9], [0.3, 0.9]])}
    _, axes = plt.subplots()
    plots.plot_coverage(axes, reached, {"flow": (0.6, 0.8)})
    dots = next(line for line in axes.lines if line.get_marker() == ".")
    assert dots.get_xdata() == pytest.approx([0.6, 0.9, 0.6])
    assert "0.70 (0.60–0.80)" in [text.get_text() for text in axes.texts]


def test_differences_show_both_intervals():
    _, axes = plt.subplots()
    plots.plot_differences(axes, {"a − b": (0.2, (0.1, 0.3), (-0.1, 0.5))}, "coverage")
    ends = [tuple(line.get_xdata()) for line in axes.lines if len(line.get_xdata()) == 2]
    assert (0.1, 0.3) in ends and (-0.1, 0.5) in ends


def test_points_are_named_where_they_stand():
    _, axes = plt.subplots()
    plots.plot_against(axes, {"10": (4.0, 0.9, (0.8, 0.95)), "1": (1.0, 0.5, (0.4, 0.6))})
    assert [(text.get_text(), *text.xy) for text in axes.texts] == [("10", 4, 0.9), ("1", 1, 0.5)]


def test_a_bar_is_shared_out_between_the_sides_and_empty_where_nothing_was_pushed():
    _, axes = plt.subplots()
    plots.plot_choices(axes, torch.tensor([0.25, 1.0, torch.nan]), "flow")
    left, right = ([bar.get_height() for bar in container.patches] for container in axes.containers)
    assert left == pytest.approx([0.25, 1, 0]) and right == pytest.approx([0.75, 0, 0])
    assert (
        axes.containers[0].patches[0].get_facecolor()
        != axes.containers[1].patches[0].get_facecolor()
    )
    assert set(DRIVER_LOOKS) == {"left", "right"}
