"""The cockpit's Python side: what it hands over, what it takes in, what it keeps."""

import numpy as np
import pytest
import torch
from traitlets import TraitError

from imitation_lab.controller import PhysicalPolicy
from imitation_lab.envs import Fork, Racetrack
from imitation_lab.normalizer import Normalizer
from imitation_lab.policies.gaussian import GaussianPolicy
from imitation_lab.policies.regression import RegressionPolicy
from imitation_lab.training import TrainingRun
from imitation_lab.training.settings import Normalizers
from imitation_lab.types import Ending
from imitation_lab.widgets import Cockpit
from imitation_lab.widgets.cockpit_sessions import (
    Session,
    corrections_of,
    load_sessions,
    read_session,
    results_of,
    save_sessions,
)
from imitation_lab.widgets.cockpit_weights import layer_sizes, name_weights, pack_weights

DIMS = (5, 1)


def make_policy(seed: int, dims=DIMS, width: int = 6, horizon: int = 1) -> PhysicalPolicy:
    generator = torch.Generator().manual_seed(seed)
    policy = RegressionPolicy(*dims, horizon, width=width, generator=generator)
    normalizers = [
        Normalizer.fit(torch.randn(20, dim, generator=generator) * 3 + 1) for dim in dims
    ]
    return PhysicalPolicy(policy, *normalizers)


def make_session(engaged: str, seed: int = 0, ending: Ending = Ending.SUCCESS, **more) -> Session:
    """Return a session of random numbers; in ``engaged`` an x stands for a step of the person."""
    generator = torch.Generator().manual_seed(seed)
    steps = len(engaged)
    observations, actions, wishes = (
        torch.randn(steps, dim, generator=generator) for dim in (5, 1, 1)
    )
    flags = torch.tensor([letter == "x" for letter in engaged])
    doubt = torch.rand(steps, generator=generator)
    return Session(observations, actions, wishes, flags, doubt, ending, **more)


def sent_by_browser(session: Session) -> list[memoryview]:
    columns = [session.observations, session.actions, session.policy_actions]
    rows = torch.cat([*columns, session.engaged[:, None].float(), session.doubt[:, None]], dim=1)
    return [memoryview(rows.numpy().astype("<f4").tobytes())]


def deliver(cockpit: Cockpit, session: Session) -> None:
    """Let the cockpit hear what the browser sends at the end of a drive."""
    content = {
        "kind": "session",
        "id": 1,
        "ending": str(session.ending),
        "weights": session.weights,
    }
    cockpit._handle_custom_msg(content, sent_by_browser(session))


def assert_same(one: Session, other: Session) -> None:
    for name in ("observations", "actions", "policy_actions", "engaged", "doubt"):
        torch.testing.assert_close(getattr(one, name), getattr(other, name), rtol=0, atol=0)
    assert (one.ending, one.weights) == (other.ending, other.weights)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "drives.npz"


@pytest.fixture
def cockpit(path):
    return Cockpit(Racetrack(), [make_policy(0)], path=path)


# --- sessions -------------------------------------------------------------------------------------


def test_corrections_are_what_was_done_where_the_person_drove():
    session = make_session(".xx..x")
    observations, actions = session.corrections
    torch.testing.assert_close(observations, session.observations[[1, 2, 5]])
    torch.testing.assert_close(actions, session.actions[[1, 2, 5]])


def test_corrections_of_several_drives_stand_one_after_the_other():
    first, second = make_session(".x", seed=1), make_session("xx.", seed=2)
    observations, actions = corrections_of([first, second], DIMS)
    torch.testing.assert_close(
        observations, torch.cat([first.observations[1:], second.observations[:2]])
    )
    torch.testing.assert_close(actions, torch.cat([first.actions[1:], second.actions[:2]]))


@pytest.mark.parametrize("sessions", [[], [make_session("...")]])
def test_where_nobody_took_over_there_are_no_corrections_of_the_right_width(sessions):
    observations, actions = corrections_of(sessions, DIMS)
    assert (observations.shape, actions.shape) == ((0, 5), (0, 1))
    assert observations.dtype == actions.dtype == torch.float32


@pytest.mark.parametrize(
    ("engaged", "expected"),
    [
        ("....", []),
        ("x...", [0]),
        (".xx.x", [1, 4]),
        ("...x", [3]),
        ("xxxx", [0]),
        ("x..x", [0, 3]),
    ],
)
def test_a_takeover_is_where_the_person_begins_to_drive(engaged, expected):
    assert make_session(engaged).takeovers == expected


def test_what_the_browser_sends_is_read_column_by_column():
    session = make_session("..xx.", ending=Ending.FAILURE, weights="abc")
    [content] = sent_by_browser(session)
    assert_same(read_session(bytes(content), DIMS, "failure", "abc"), session)


@pytest.mark.parametrize("numbers", [[], [float("nan")] * 9, [float("inf")] * 9])
def test_a_drive_without_steps_or_with_broken_numbers_is_refused(numbers):
    content = np.array(numbers, dtype="<f4").tobytes()
    with pytest.raises(ValueError, match="no step, or numbers that are not finite"):
        read_session(content, DIMS, "success", "")


def test_saved_sessions_come_back(path):
    sessions = [
        make_session("x.x", seed=1, ending=Ending.FAILURE, weights="first"),
        make_session(".", seed=2, ending=Ending.CUT_OFF, weights="second"),
    ]
    save_sessions(sessions, path, "racetrack")
    for one, other in zip(load_sessions(path, "racetrack"), sessions, strict=True):
        assert_same(one, other)


def test_a_file_of_another_task_is_not_taken_for_this_one_s(path):
    save_sessions([make_session("x")], path, "racetrack")
    with pytest.raises(ValueError, match="choose another path"):
        load_sessions(path, "fork")


def test_a_file_of_something_else_is_refused(path):
    path.write_text("not a drive")
    with pytest.raises(ValueError, match="not a file of supervised drives"):
        load_sessions(path, "racetrack")


def test_results_count_the_drives_of_each_policy_and_list_the_present_one_last():
    sessions = [
        make_session("x.xx", ending=Ending.FAILURE, weights="old"),
        make_session("...", ending=Ending.SUCCESS, weights="old"),
        make_session(".", ending=Ending.CUT_OFF, weights="other"),
    ]
    old, other, now = results_of(sessions, "now")
    assert old == {
        "weights": "old", "drives": 2, "reached": 1, "crashed": 1,
        "steps": 7, "by_hand": 3, "takeovers": 2,
    }  # fmt: skip
    assert (other["drives"], other["reached"], other["crashed"]) == (1, 0, 0)
    assert (now["weights"], now["drives"]) == ("now", 0)


def test_weights_that_have_driven_before_keep_their_place_in_the_results():
    sessions = [make_session(".", weights="a"), make_session(".", weights="b")]
    assert [row["weights"] for row in results_of(sessions, "a")] == ["a", "b"]


# --- the cockpit ----------------------------------------------------------------------------------


def test_a_drive_is_saved_as_it_arrives_and_there_after_a_restart(path, cockpit):
    session = make_session("..xx", weights=cockpit.network["name"])
    deliver(cockpit, session)
    assert len(cockpit) == 1
    assert_same(cockpit.sessions[0], session)
    again = Cockpit(Racetrack(), [make_policy(0)], path=path)
    assert_same(again.sessions[0], session)
    assert again.results == cockpit.results
    for here, there in zip(cockpit.corrections, session.corrections, strict=True):
        torch.testing.assert_close(here, there)


def test_without_recording_nothing_is_saved_or_loaded(path):
    save_sessions([make_session("x")], path, "racetrack")
    before = path.read_bytes()
    watching = Cockpit(Racetrack(), [make_policy(0)], path=path, record=False)
    assert len(watching) == 0
    deliver(watching, make_session(".x"))
    assert len(watching) == 1
    assert path.read_bytes() == before


def test_a_deleted_drive_is_gone_from_the_file_too(path, cockpit):
    first, second = make_session("x", seed=1), make_session(".", seed=2)
    deliver(cockpit, first)
    deliver(cockpit, second)
    cockpit.delete(0)
    assert_same(load_sessions(path, "racetrack")[0], second)
    cockpit.delete(0)
    assert not path.exists()
    assert len(cockpit) == 0


def test_the_browser_may_discard_the_last_drive(cockpit):
    for seed in (1, 2):
        deliver(cockpit, make_session("x", seed=seed))
    cockpit._handle_custom_msg({"kind": "discard", "id": 2}, [])
    assert_same(cockpit.sessions[-1], make_session("x", seed=1))


def test_a_drive_that_cannot_be_saved_stays_and_the_browser_hears_why(tmp_path):
    nowhere = tmp_path / "missing" / "drives.npz"
    cockpit = Cockpit(Racetrack(), [make_policy(0)], path=nowhere)
    deliver(cockpit, make_session("x"))
    assert len(cockpit) == 1
    assert "missing" in cockpit.receipt["trouble"]


def test_every_drive_is_answered_with_its_number(cockpit):
    deliver(cockpit, make_session("x"))
    assert cockpit.receipt == {"id": 1, "trouble": ""}


def test_new_policies_send_new_weights_and_a_new_line_of_results(cockpit):
    before = cockpit.network["name"]
    deliver(cockpit, make_session("x", weights=before))
    cockpit.policies = [make_policy(1), make_policy(2)]
    assert cockpit.weights == pack_weights([make_policy(1), make_policy(2)])
    assert [row["weights"] for row in cockpit.results] == [before, cockpit.network["name"]]
    assert cockpit.network["name"] != before


def test_the_driver_is_one_of_the_policies(cockpit):
    cockpit.policies = [make_policy(seed) for seed in range(3)]
    cockpit.driver = 2
    with pytest.raises(TraitError, match="between 0 and 2"):
        cockpit.driver = 3
    cockpit.policies = [make_policy(0)]
    assert cockpit.driver == 0


def test_the_numbers_of_all_policies_are_sent_in_the_order_of_acting():
    policies = [make_policy(1), make_policy(2)]
    numbers = np.frombuffer(pack_weights(policies), dtype="<f4")
    sizes = layer_sizes(policies[0])
    assert sizes == [5, 6, 6, 1]
    assert len(numbers) == 2 * (2 * 5 + (5 + 1) * 6 + (6 + 1) * 6 + (6 + 1) * 1 + 2 * 1)
    first = policies[0]
    np.testing.assert_array_equal(numbers[:5], first.observation_normalizer.mean)
    np.testing.assert_array_equal(
        numbers[10:40].reshape(6, 5), first.policy.network[0].weight.detach()
    )
    np.testing.assert_array_equal(numbers[-1], policies[1].action_normalizer.scale)


def test_the_name_of_weights_changes_with_any_of_them():
    one, other = make_policy(1), make_policy(1)
    assert name_weights(pack_weights([one])) == name_weights(pack_weights([other]))
    with torch.no_grad():
        other.policy.network[-1].bias += 1e-4
    assert name_weights(pack_weights([one])) != name_weights(pack_weights([other]))


def test_trained_runs_do_as_well_as_policies_in_physical_units():
    trained = make_policy(3)
    normalizers = Normalizers(trained.observation_normalizer, trained.action_normalizer)
    run = TrainingRun(trained.policy, normalizers, torch.zeros(1), 0.0, False)
    cockpit = Cockpit(Racetrack(), [run], record=False)
    assert cockpit.weights == pack_weights([make_policy(3)])


# --- what it refuses ------------------------------------------------------------------------------


def test_a_policy_that_is_no_regression_is_refused():
    gaussian = GaussianPolicy(5, 1)
    physical = PhysicalPolicy(gaussian, Normalizer(5), Normalizer(1))
    with pytest.raises(ValueError, match="RegressionPolicy only, got GaussianPolicy"):
        Cockpit(Racetrack(), [physical], record=False)


def test_no_policy_and_policies_of_several_shapes_are_refused():
    with pytest.raises(ValueError, match="at least one trained policy"):
        Cockpit(Racetrack(), [], record=False)
    with pytest.raises(ValueError, match="of one shape"):
        Cockpit(Racetrack(), [make_policy(0), make_policy(0, width=7)], record=False)


def test_policies_of_another_task_are_refused():
    with pytest.raises(ValueError, match=r"\(5, 1\) numbers, the fork \(8, 2\)"):
        Cockpit(Fork(), [make_policy(0)], record=False)


# --- the static picture ---------------------------------------------------------------------------


def test_the_picture_is_of_the_last_drive_and_says_who_drove(cockpit):
    deliver(cockpit, make_session("xxxx....xx", ending=Ending.FAILURE))
    words = cockpit.describe()
    assert "drove in 60 % of its steps and took over twice" in words
    assert "It crashed." in words
    assert "above the line" not in words
    assert len(cockpit.to_png()) > 10_000


def test_the_picture_says_how_often_the_doubt_lay_above_the_line(cockpit):
    session = make_session("....", seed=4)
    deliver(cockpit, session)
    cockpit.threshold = session.doubt.sort().values[-2].item()
    assert "above the line in 25 % of the steps" in cockpit.describe()


def test_the_fork_is_drawn_as_well(tmp_path):
    policy = make_policy(0, dims=(8, 2))
    cockpit = Cockpit(Fork(angle=0.4), [policy], path=tmp_path / "none.npz")
    assert len(cockpit.to_png()) > 5_000
