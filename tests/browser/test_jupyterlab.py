"""A student's walk through the notebooks, and each widget, in a real JupyterLab."""

import io

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.browser

NOTEBOOK = "notebooks/01_the_mean_is_not_an_action.ipynb"
WIDGET = ".imitation-widget"


def changed_share(before: bytes, after: bytes) -> float:
    """Return the share of pixels that differ visibly."""
    one, other = (
        np.asarray(Image.open(io.BytesIO(png)).convert("RGB"), int) for png in (before, after)
    )
    assert one.shape == other.shape
    return float((np.abs(one - other).max(-1) > 24).mean())


@pytest.fixture
def widget_notebook(write_notebook) -> str:
    """A notebook of two cells: one shows the widget, one sets a trait."""
    sources = [
        "from imitation_lab.widgets import DragTheModes\nmodes = DragTheModes()\nmodes",
        "modes.guess = 0.9",
    ]
    return write_notebook("widget", sources)


def test_a_student_answers_checks_and_moves_the_widget(notebook, lab):
    notebook.open(lab, NOTEBOOK)
    answer, check = (
        notebook.find("def best_constant("),
        notebook.find('grader.check("best_constant")'),
    )
    for index in [index for index, source in enumerate(notebook.sources()[:check]) if source]:
        notebook.run(index)
    blank = notebook.run(check).locator(".jp-OutputArea").inner_text()
    assert "best_constant" in blank
    assert "passed" not in blank.split("\n")[0]

    notebook.type_into(answer, ["def best_constant(actions):", "return actions.mean(dim=0)"])
    notebook.run(answer)
    passed = notebook.run(check).locator(".jp-OutputArea").inner_text()
    assert "best_constant passed" in passed

    notebook.run(notebook.find("DragTheModes()"))
    notebook.page.locator(WIDGET).wait_for()
    before = notebook.settled(WIDGET)
    notebook.page.get_by_role("slider", name="Left driver’s share").press("Home")
    assert changed_share(before, notebook.settled(WIDGET)) > 0.01
    assert float(notebook.kernel("print(modes.left_weight)")) == 0


FIRST_ANSWERS = {  # a notebook's first question, a wrong answer and a right one
    "02_categorical_policies": (
        "def discretize(actions, low, high, num_bins):",
        "return ((actions - low) / (high - low) * num_bins).floor().long()",
        "return ((actions - low) / (high - low) * num_bins).floor().long().clamp(0, num_bins - 1)",
    ),
    "03_mixtures_of_gaussians": (
        "def component_log_probs(means, log_stds, actions):",
        "return torch.distributions.Normal(means, log_stds).log_prob(actions[:, None]).sum(dim=2)",
        "return torch.distributions.Normal(means, log_stds.exp()).log_prob(actions[:, None]).sum(dim=2)",
    ),
    "04_discretise_and_autoregress": (
        "def independent_log_prob(policy, observations, indices):",
        "return policy(observations).gather(-1, indices[:, :, None])[:, :, 0].sum(dim=1)",
        "return policy(observations).log_softmax(dim=-1).gather(-1, indices[:, :, None])[:, :, 0].sum(dim=1)",
    ),
    "05_flow_matching": (
        "def idea0_loss(model, actions, generator):",
        "return (model(torch.randn(actions.shape, generator=generator)) - actions).square().mean()",
        "return (model(torch.randn(actions.shape, generator=generator)) - actions).square().sum(dim=1).mean()",
    ),
    "06_action_chunking": (
        "def make_chunks(actions, prediction_horizon):",
        "return torch.cat(actions).unfold(0, prediction_horizon, 1).transpose(1, 2)",
        "return torch.cat([torch.cat([e, e[-1:].repeat(prediction_horizon - 1, 1)])"
        ".unfold(0, prediction_horizon, 1).transpose(1, 2) for e in actions])",
    ),
    "07_compounding_errors": (
        "def state_divergence(expert_states, policy_states):",
        "return 2 * torch.cdist(expert_states, policy_states).mean(dim=(1, 2))",
        "return sum(w * torch.cdist(x, y).mean(dim=(1, 2)) for w, x, y in [(2, expert_states, policy_states),"
        " (-1, expert_states, expert_states), (-1, policy_states, policy_states)])",
    ),
    "08_interventions": (
        "def gate(score, engaged, low, high):",
        "return score > high",
        "return (score > high) | (engaged & (score >= low))",
    ),
    "09_push_t": (
        "def normalize_by_training(episodes, is_training):",
        "return (lambda low, high: ([(2 * e - low - high) / (high - low) for e in episodes], low, high))"
        "(*torch.cat(episodes).aminmax(dim=0))",
        "return (lambda low, high: ([(2 * e - low - high) / (high - low) for e in episodes], low, high))"
        "(*torch.cat([e for e, t in zip(episodes, is_training) if t]).aminmax(dim=0))",
    ),
}


@pytest.mark.parametrize("name", FIRST_ANSWERS)
def test_a_check_turns_a_wrong_answer_down_and_lets_the_right_one_pass(notebook, lab, name):
    head, wrong, right = FIRST_ANSWERS[name]
    question = head.removeprefix("def ").partition("(")[0]
    notebook.open(lab, f"notebooks/{name}.ipynb")
    answer, check = (
        notebook.find(head.partition("(")[0] + "("),
        notebook.find(f'grader.check("{question}")'),
    )
    for index in [index for index, source in enumerate(notebook.sources()[:check]) if source]:
        notebook.run(index)
    for body, verdict in [(wrong, False), (right, True)]:
        notebook.type_into(answer, [head, body])
        notebook.run(answer)
        said = notebook.run(check).locator(".jp-OutputArea").inner_text()
        assert (f"{question} passed" in said) == verdict, said


def test_the_modes_widget_and_the_kernel_hear_each_other(notebook, lab, widget_notebook):
    notebook.open(lab, widget_notebook)
    notebook.run(0)
    handle = notebook.page.get_by_role("slider", name="Left driver", exact=True)
    handle.wait_for()
    before = notebook.settled(WIDGET)
    box = handle.locator(".knob").bounding_box()
    notebook.page.mouse.move(box["x"] + 8, box["y"] + 8)
    notebook.page.mouse.down()
    notebook.page.mouse.move(box["x"] + 80, box["y"] + 8, steps=5)
    notebook.page.mouse.up()
    dragged = notebook.settled(WIDGET)
    assert changed_share(before, dragged) > 0.01
    assert -0.5 < float(notebook.kernel("print(modes.left_mode)")) < 0

    notebook.run(1)
    shown = notebook.page.get_by_role("slider", name="Your constant action")
    notebook.page.wait_for_function(
        "(ball) => ball.getAttribute('aria-valuenow') === '0.9'", arg=shown.element_handle()
    )


@pytest.mark.parametrize(
    ("widget", "role", "name", "key", "trait"),
    [
        ("ChooseTheBins", "slider", "Number of bins", "ArrowRight", "num_bins"),
        ("DragTheComponents", "slider", "Mean of component 1", "PageUp", "components"),
        ("ChooseTheOrder", "button", "Ring", "Enter", "actions"),
        ("FollowTheFlow", "slider", "Time", "PageUp", "time"),
        ("ChunkTimeline", "slider", "Step", "PageUp", "step"),
    ],
)
def test_every_widget_answers_the_keyboard_and_tells_the_kernel(
    notebook, lab, write_notebook, widget, role, name, key, trait
):
    source = f"from imitation_lab.widgets import {widget}\nwidget = {widget}()\nwidget"
    notebook.open(lab, write_notebook(widget, [source]))
    notebook.run(0)
    control = notebook.page.get_by_role(role, name=name, exact=True)
    control.wait_for()
    before = notebook.settled(WIDGET)
    told = notebook.kernel(f"print(widget.{trait})")
    control.press(key)
    # Any change that can be seen at all: a single bin more moves few pixels.
    assert changed_share(before, notebook.settled(WIDGET)) > 0.001
    assert notebook.kernel(f"print(widget.{trait})") != told


def test_the_notebook_leaves_a_focused_handle_its_keys(notebook, lab, widget_notebook):
    notebook.open(lab, widget_notebook)
    notebook.run(0)
    sources = notebook.sources()
    notebook.page.get_by_role("slider", name="Left driver", exact=True).focus()
    for key in ["b", "a", "x", "d", "d", "ArrowDown", "ArrowUp", "m"]:
        notebook.page.keyboard.press(key)
    assert notebook.sources() == sources
    assert (
        notebook.page.evaluate("() => document.activeElement.getAttribute('aria-label')")
        == "Left driver"
    )


def test_the_widget_moves_on_when_the_kernel_has_died(notebook, lab, widget_notebook):
    notebook.open(lab, widget_notebook)
    notebook.run(0)
    ball = notebook.page.get_by_role("slider", name="Your constant action")
    ball.wait_for()
    before = notebook.settled(WIDGET)
    notebook.shut_down_kernel()
    ball.press("End")
    assert changed_share(before, notebook.settled(WIDGET)) > 0.01


def test_widgets_wear_the_notebook_s_dark_theme(notebook, lab, widget_notebook):
    notebook.open(lab, widget_notebook)
    notebook.run(0)
    notebook.page.locator(WIDGET).wait_for()
    notebook.page.evaluate(
        "() => jupyterapp.commands.execute('apputils:change-theme', { theme: 'JupyterLab Dark' })"
    )
    notebook.page.wait_for_function(
        """() => getComputedStyle(document.querySelector(".imitation-widget")).colorScheme === "dark" """
    )


def test_the_course_s_settings_keep_callbacks_out_of_a_second_thread(
    notebook, lab, widget_notebook
):
    notebook.open(lab, widget_notebook)
    setting = (
        "() => jupyterapp.shell.currentWidget.sessionContext.session.kernel.commsOverSubshells"
    )
    assert notebook.page.evaluate(setting) == "disabled"


@pytest.mark.long
def test_a_copy_of_a_notebook_is_told_its_name_and_what_was_packed(notebook, lab, work_folder):
    original = work_folder / NOTEBOOK
    copy = original.with_name(f"{original.stem}-Copy1.ipynb")
    copy.write_bytes(original.read_bytes())
    notebook.open(lab, f"notebooks/{copy.name}")
    told = notebook.run(notebook.find("look_around(")).locator(".jp-OutputArea").inner_text()
    assert f"This notebook is called {copy.name}" in told
    packed = notebook.run(notebook.find("look_into_zip(")).locator(".jp-OutputArea").inner_text()
    assert f"You work in {copy.name}, but {original.name} was packed" in packed
