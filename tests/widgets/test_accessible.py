"""No widget puts a serious barrier in anybody's way: axe-core looks at each, by day and by night."""

from typing import Any

import pytest
import torch
from axe_playwright_python.sync_playwright import Axe

from imitation_lab.controller import PhysicalPolicy
from imitation_lab.envs import Racetrack
from imitation_lab.normalizer import Normalizer
from imitation_lab.policies.regression import RegressionPolicy
from imitation_lab.widgets import (
    ChooseTheBins,
    ChooseTheOrder,
    ChunkTimeline,
    Cockpit,
    DragTheComponents,
    DragTheModes,
    FlowScene,
    FollowTheFlow,
    Recorder,
)
from imitation_lab.widgets.base import CourseWidget

pytestmark = pytest.mark.browser

SERIOUS = {"serious", "critical"}


def make_cockpit() -> Cockpit:
    numbers = torch.arange(3.0).unsqueeze(1)
    normalizers = [Normalizer.fit(numbers.expand(3, size)) for size in (5, 1)]
    policy = PhysicalPolicy(RegressionPolicy(5, 1, width=16), *normalizers)
    return Cockpit(Racetrack(), [policy], record=False)


def make_flow() -> FollowTheFlow:
    points = torch.randn(20, 2, generator=torch.Generator().manual_seed(0))
    return FollowTheFlow([FlowScene("plain", points)], particles=100)


WIDGETS = {
    "modes": DragTheModes,
    "bins": ChooseTheBins,
    "components": DragTheComponents,
    "order": ChooseTheOrder,
    "flow": make_flow,
    "timeline": ChunkTimeline,
    "cockpit": make_cockpit,
    "recorder": Recorder,
}


def serious_faults(page: Any) -> list[tuple[str, list[str]]]:
    # A bare page has no headings or language of its own: only the widget is looked at.
    options = {"resultTypes": ["violations"], "preload": False}
    found = Axe().run(page, {"include": [["#host"]]}, options).response["violations"]
    return [
        (fault["id"], [node["html"][:160] for node in fault["nodes"]])
        for fault in found
        if fault["impact"] in SERIOUS
    ]


@pytest.mark.parametrize("make", WIDGETS.values(), ids=WIDGETS.keys())
def test_a_widget_has_no_serious_barrier(open_widget, make, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # some keep drives where the notebook stands
    widget: CourseWidget = make()
    for scheme in ("light", "dark"):
        shown = open_widget(widget, color_scheme=scheme)
        assert serious_faults(shown.page) == [], scheme


def test_a_barrier_is_found(open_widget):
    page = open_widget(DragTheModes()).page
    page.evaluate("document.querySelector('#host').innerHTML = '<button></button>'")
    assert [name for name, _ in serious_faults(page)] == ["button-name"]
