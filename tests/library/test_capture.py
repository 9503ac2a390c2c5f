"""Recorded steps: the same curve as steps that are computed anew, whoever records, or nobody."""

import pytest
import torch

from imitation_lab.data import Demonstrations
from imitation_lab.policies.flow import FlowPolicy
from imitation_lab.training import TrainingSettings, train
from imitation_lab.training.capture import NO_CAPTURE, WARM_UP, CudaGraphs, Steps, recorder_for
from imitation_lab.training.optimizer import AdamW
from imitation_lab.training.tape import TapeRecorder
from imitation_lab.types import Trajectory

RATES = [0.01 / (step + 1) for step in range(8)]
CPU = torch.device("cpu")


class Recording:
    """Stands for a GPU: keeps the work, and counts how it is asked for."""

    def __init__(self):
        self.warmed_up = self.recorded = self.replayed = 0

    def warm_up(self, work):
        self.warmed_up += 1
        return work()

    def record(self, work, generators):
        self.recorded += 1

        def replay():
            self.replayed += 1
            return work()

        return replay


class Refusing(Recording):
    """Draws, and gives up in the middle: as where a loss asks for a number's value."""

    def record(self, work, generators):
        for generator in generators:
            torch.rand(3, generator=generator)
        raise RuntimeError("operation not permitted when stream is capturing\nand much more")


def curve(recorder=None, device=CPU):
    """Return the losses of some steps of flow matching, which draws rows, noise and times."""
    generator = torch.Generator(device).manual_seed(1)
    policy = FlowPolicy(3, 2, width=8, generator=torch.Generator().manual_seed(0)).to(device)
    rows = torch.randn(50, 5, generator=torch.Generator().manual_seed(2)).to(device)

    def next_loss():
        chosen = rows[torch.randint(50, (16,), generator=generator, device=device)]
        return policy.loss(chosen[:, :3], chosen[:, None, 3:], generator)

    optimizer = AdamW(list(policy.parameters()), 0.01)
    steps = Steps(next_loss, optimizer, [generator], device, recorder)
    return torch.stack([steps.take(rate) for rate in RATES])


def test_recorded_steps_are_the_steps_to_the_bit():
    recording = Recording()
    assert torch.equal(curve(recording), curve())
    assert recording.warmed_up == WARM_UP
    assert (recording.recorded, recording.replayed) == (1, len(RATES) - WARM_UP)


def test_what_cannot_be_recorded_is_computed_anew_and_one_line_says_so(capsys):
    assert torch.equal(curve(Refusing()), curve())
    said = capsys.readouterr().out
    assert said.count("\n") == 1 and "cannot be captured" in said
    assert "stream is capturing" in said and "much more" not in said


def test_losses_are_kept_without_their_graph():
    assert not curve(Recording()).requires_grad


def test_each_device_has_its_recorder_and_the_environment_may_forbid_it(monkeypatch):
    monkeypatch.delenv(NO_CAPTURE, raising=False)
    assert isinstance(recorder_for(CPU), TapeRecorder)
    assert isinstance(recorder_for(torch.device("cuda")), CudaGraphs)
    assert recorder_for(torch.device("mps")) is None
    monkeypatch.setenv(NO_CAPTURE, "1")
    assert recorder_for(CPU) is None and recorder_for(torch.device("cuda")) is None


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_graph_on_a_gpu_gives_the_curve_of_steps_that_are_computed_anew():
    device = torch.device("cuda")
    captured = curve(CudaGraphs(), device).cpu()
    assert torch.equal(captured, curve(CudaGraphs(), device).cpu())
    assert torch.allclose(captured, curve(device=device).cpu(), rtol=1e-4)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_loss_that_asks_for_its_value_is_trained_all_the_same(capsys):
    class Asking(FlowPolicy):
        def loss(self, observations, actions, generator=None):
            loss = super().loss(observations, actions, generator)
            return loss if loss.item() > 0 else -loss

    generator = torch.Generator().manual_seed(0)
    noise = Trajectory(*(torch.randn(size, generator=generator) for size in [(51, 3), (50, 2)]))
    settings = TrainingSettings(steps=20, batch_size=8)
    run = train(
        Asking(3, 2, width=8),
        Demonstrations((noise,), "noise"),
        settings,
        device="cuda",
        progress=False,
    )
    assert run.losses.isfinite().all() and len(run.losses) == 20
    assert capsys.readouterr().out.count("cannot be captured") == 1
