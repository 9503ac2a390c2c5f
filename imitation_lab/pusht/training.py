"""Train Push-T policies, so that nothing is lost when somebody stops it."""

import hashlib
import json
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import safetensors.torch
import torch
from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from torch import Tensor
from tqdm import tqdm

from imitation_lab.data import Demonstrations
from imitation_lab.files import write_atomically
from imitation_lab.pusht.encoding import Range, encode, relative, stack_frames
from imitation_lab.pusht.environment import RATE
from imitation_lab.pusht.policy import PushTPolicy, untrained
from imitation_lab.pusht.recipe import Recipe
from imitation_lab.training import TrainingSettings, best_device
from imitation_lab.training.descent import checked_loss
from imitation_lab.training.settings import one_thread

SETTINGS = TrainingSettings(steps=20_000, batch_size=256, learning_rate=1e-3)
SAVE_EVERY = 20.0  # seconds


def train_policy(
    recipe: Recipe,
    demonstrations: Demonstrations,
    settings: TrainingSettings = SETTINGS,
    seed: int = 0,
    path: str | Path | None = None,
    device: torch.device | str | None = None,
    progress: bool = True,
) -> PushTPolicy:
    """Train a policy on demonstrations, in pixels.

    With a path, what was reached is kept beside it every twenty seconds and on Ctrl-C. The same call,
    on the same kind of device, then goes on from there, and ends where it would have ended without
    the interruption. Once it ends, what was kept is removed: save the policy.

    Args:
        recipe: Which policy.
        demonstrations: In pixels and radians.
        settings: How long and how fast.
        seed: Fixes the initial weights, the batches and the noise inside the loss.
        path: Where to keep what was reached.
        device: Where to train; by default the fastest.
        progress: Whether to show a bar.

    Raises:
        KeyboardInterrupt: If somebody stopped it.
        FloatingPointError: If the loss is no longer finite.
    """
    training = _Training(
        recipe, demonstrations, settings, seed, torch.device(device or best_device())
    )
    kept = Path(path).with_suffix(".training.safetensors") if path else None
    if kept and kept.is_file():
        training.resume(kept)
    bar = tqdm(
        total=training.steps, initial=training.step, desc=f"{recipe.kind}, seed {seed}",
        unit=" steps", disable=not progress, file=sys.stdout,
    )  # fmt: skip
    with bar, one_thread(), _interrupts_held_back() as interrupted:
        training.run(bar, kept, interrupted)
    if kept:
        kept.unlink(missing_ok=True)
    training.policy.expert_seconds = demonstrations.num_actions / RATE
    return training.policy


def training_pairs(
    recipe: Recipe, demonstrations: Demonstrations
) -> tuple[
    Float[Tensor, "num_actions feature_dim"],
    Float[Tensor, "num_actions prediction_horizon 2"],
]:
    """Return what a policy of this recipe learns from: features and relative chunks, not normalised."""
    stacked = torch.cat(
        [stack_frames(t.observations[:-1], recipe.frames) for t in demonstrations.trajectories]
    )
    chunks = demonstrations.chunks(recipe.prediction_horizon)
    return encode(stacked), relative(chunks, stacked)


@contextmanager
def _interrupts_held_back() -> Iterator[threading.Event]:
    """Yield what Ctrl-C sets, instead of raising: a step that stopped half-way cannot be taken up."""
    interrupted = threading.Event()
    in_charge = threading.current_thread() is threading.main_thread() and (
        signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )
    if in_charge:
        signal.signal(signal.SIGINT, lambda *_: interrupted.set())
    try:
        yield interrupted
    finally:
        if in_charge:
            signal.signal(signal.SIGINT, signal.default_int_handler)


class _Training:
    """A policy on its way, and all that is needed to go on from any step."""

    def __init__(
        self,
        recipe: Recipe,
        demonstrations: Demonstrations,
        settings: TrainingSettings,
        seed: int,
        device: torch.device,
    ) -> None:
        pairs = training_pairs(recipe, demonstrations)
        digest = hashlib.sha256(b"".join(part.numpy().tobytes() for part in pairs)).hexdigest()
        features, chunks = (part.to(device) for part in pairs)
        self.policy = untrained(recipe, torch.Generator().manual_seed(seed))
        self.policy.features, self.policy.actions = Range.fit(features), Range.fit(chunks)
        self.policy.to(device).policy.train()
        self._features = self.policy.features.normalize(features)
        self._chunks = self.policy.actions.normalize(chunks)
        self._settings = settings
        self.steps, self.step = settings.steps_to_run, 0
        self._generator = torch.Generator(device).manual_seed(seed)
        self._parameters = list(self.policy.policy.parameters())
        self._optimizer = torch.optim.AdamW(
            self._parameters,
            weight_decay=settings.weight_decay,
            fused=device.type != "mps",
        )
        facts = [asdict(recipe), asdict(settings), self.steps, seed, device.type, digest]
        self._identity = json.dumps(facts)

    def run(self, bar: tqdm, kept: Path | None, interrupted: threading.Event) -> None:
        """Make the steps that are left, and put what was reached into a file now and then."""
        saved = time.monotonic()
        while self.step < self.steps:
            loss = self._one_step()
            bar.update()
            # Reading the loss makes a GPU wait.
            if self.step % max(1, self.steps // 50) == 0 or self.step == self.steps:
                bar.set_postfix_str(f"loss {_finite(loss, self.step):.4g}", refresh=False)
            if kept and self.step % 100 == 0 and time.monotonic() - saved > SAVE_EVERY:
                self.keep(kept)
                saved = time.monotonic()
            if interrupted.is_set():
                self._stop(kept)
        self.policy.policy.eval()

    def _stop(self, kept: Path | None) -> None:
        if not kept:
            raise KeyboardInterrupt(f"stopped after {self.step} steps; without a path, all is lost")
        self.keep(kept)
        raise KeyboardInterrupt(f"stopped after {self.step} steps: call again to go on from there")

    def _one_step(self) -> Tensor:
        factor = self._settings.learning_rate_factor(self.step, self.steps)
        for group in self._optimizer.param_groups:
            group["lr"] = factor * self._settings.learning_rate
        chosen = torch.randint(
            len(self._chunks), (self._settings.batch_size,),
            generator=self._generator, device=self._chunks.device,
        )  # fmt: skip
        policy = self.policy.policy
        loss = checked_loss(
            policy.loss(self._features[chosen], self._chunks[chosen], self._generator)
        )
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self._optimizer.step()
        self.step += 1
        return loss.detach()

    def keep(self, path: Path) -> None:
        """Write down everything that is needed to go on."""
        tensors = self._state() | {"generator": self._generator.get_state()}
        on_cpu = {name: value.detach().cpu().clone() for name, value in tensors.items()}
        facts = {"training": self._identity, "step": str(self.step)}
        write_atomically(path, safetensors.torch.save(on_cpu, facts))

    def resume(self, path: Path) -> None:
        """Go on from what was written down, if it is this training that was."""
        try:
            with safe_open(path, framework="pt") as file:
                facts = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except SafetensorError:
            facts = {}
        if facts.get("training") != self._identity:
            print(f"{path.name} is from another training: this one begins anew")
            return
        self._generator.set_state(tensors.pop("generator"))
        for parameter in self._parameters:  # AdamW makes its averages at the first step only
            self._optimizer.state[parameter] = {
                "step": torch.zeros((), device=parameter.device),
                "exp_avg": torch.zeros_like(parameter),
                "exp_avg_sq": torch.zeros_like(parameter),
            }
        with torch.no_grad():
            for name, value in self._state().items():
                value.copy_(tensors[name])
        self.step = int(facts["step"])
        print(f"going on from step {self.step} of {self.steps}")

    def _state(self) -> dict[str, Tensor]:
        """Return the weights and the optimizer's averages, by name."""
        state: dict[str, Tensor] = {
            f"weights.{i}": parameter for i, parameter in enumerate(self._parameters)
        }
        for i, parameter in enumerate(self._parameters):
            for name, value in self._optimizer.state[parameter].items():
                state[f"{name}.{i}"] = value
        return state


def _finite(loss: Tensor, step: int) -> float:
    value = float(loss)
    if value != value or abs(value) == float("inf"):
        raise FloatingPointError(
            f"the loss became {value} before step {step}: lower the learning rate."
        )
    return value
