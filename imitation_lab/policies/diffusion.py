"""Behaviour cloning by diffusion: a network learns which noise was mixed into a chunk."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from imitation_lab.networks import MLP
from imitation_lab.types import Generator, Policy


class DiffusionPolicy(Policy):
    """A network that predicts the noise in a noisy chunk.

    In training, ``num_timesteps`` grades of noise are in use. At grade k a chunk is
    ``sqrt(alpha_bar[k]) * chunk + sqrt(1 - alpha_bar[k]) * noise``. Sampling starts from noise alone
    and goes down ``num_steps`` of these grades, evenly spaced. At each it estimates the clean chunk
    and goes on to the next grade's mixture of that estimate and noise.

    Attributes:
        num_timesteps: Grades of noise in training.
        num_steps: Grades visited when sampling, at most ``num_timesteps``.
        eta: How much of the noise is drawn afresh at each step. 0: none, which makes the first noise
            decide everything (DDIM). 1: as in DDPM.
        limit: Estimates of the clean chunk are clamped to plus or minus this, in normalised units.
            At the strongest noise an estimate divides by nearly zero.

    Raises:
        ValueError: If the numbers of grades or steps, or eta, are out of range.

    Source:
        Ho et al., DDPM, arXiv:2006.11239; Song et al., DDIM, arXiv:2010.02502, equations 12 and 16;
        Chi et al., Diffusion Policy, arXiv:2303.04137.
    """

    alpha_bar: Tensor

    def __init__(
        self,
        observation_dim: int,
        action_dim: int,
        prediction_horizon: int = 1,
        width: int = 128,
        depth: int = 2,
        generator: Generator | None = None,
        num_timesteps: int = 100,
        num_steps: int = 10,
        eta: float = 0.0,
        limit: float = 3.0,
    ) -> None:
        super().__init__(observation_dim, action_dim, prediction_horizon)
        if not 0 <= eta <= 1:
            raise ValueError(f"eta must be between 0 and 1, got {eta}.")
        if not limit > 0:
            raise ValueError(f"limit must be positive, got {limit}.")
        self.num_timesteps = num_timesteps
        self.num_steps = num_steps
        self.eta = eta
        self.limit = limit
        self.register_buffer("alpha_bar", cosine_alpha_bar(num_timesteps))
        self.visited_grades(num_steps)
        input_dim = observation_dim + self.chunk_dim + 1
        self.network: nn.Sequential = MLP(input_dim, self.chunk_dim, width, depth, generator)

    def predict_noise(
        self,
        points: Float[Tensor, "batch chunk_dim"],
        timesteps: Int[Tensor, "batch"],
        observations: Float[Tensor, "batch observation_dim"],
    ) -> Float[Tensor, "batch chunk_dim"]:
        """Return the predicted noise in noisy chunks of the given grades, 0 for the weakest."""
        times = (timesteps.to(points.dtype) / self.num_timesteps).unsqueeze(1)
        return self.network(torch.cat([points, times, observations], dim=1))

    def loss(
        self,
        observations: Float[Tensor, "batch observation_dim"],
        actions: Float[Tensor, "batch prediction_horizon action_dim"],
        generator: Generator | None = None,
    ) -> Float[Tensor, ""]:
        """Return the squared L2 norm of the noise's error, averaged over the batch."""
        chunks = actions.flatten(1)
        device = chunks.device
        noise = torch.randn(chunks.shape, generator=generator, device=device)
        timesteps = torch.randint(
            self.num_timesteps, (len(chunks),), generator=generator, device=device
        )
        points = self.add_noise(chunks, noise, timesteps)
        error = self.predict_noise(points, timesteps, observations) - noise
        return error.square().sum(dim=1).mean()

    def add_noise(
        self,
        chunks: Float[Tensor, "batch chunk_dim"],
        noise: Float[Tensor, "batch chunk_dim"],
        timesteps: Int[Tensor, "batch"],
    ) -> Float[Tensor, "batch chunk_dim"]:
        """Return noisy chunks of the given grades."""
        alpha_bar = self.alpha_bar[timesteps].unsqueeze(1)
        return alpha_bar.sqrt() * chunks + (1 - alpha_bar).sqrt() * noise

    def denoise(
        self,
        noise: Float[Tensor, "batch chunk_dim"],
        observations: Float[Tensor, "batch observation_dim"],
        num_steps: int | None = None,
        generator: Generator | None = None,
    ) -> Float[Tensor, "batch prediction_horizon action_dim"]:
        """Return the chunks that noise becomes. With ``eta`` 0, the same noise becomes the same chunk.

        Args:
            noise: Standard normal.
            observations: Normalised.
            num_steps: Instead of the policy's own number.
            generator: The source of fresh noise. Nothing is drawn from it if ``eta`` is 0.
        """
        grades = self.visited_grades(self.num_steps if num_steps is None else num_steps)
        shares = self.alpha_bar.tolist()  # once: numbers cost less than tensors of one number
        points = noise
        for grade, next_grade in zip(grades, [*grades[1:], None], strict=True):
            timesteps = torch.full((len(points),), grade, device=points.device)
            predicted = self.predict_noise(points, timesteps, observations)
            there = 1.0 if next_grade is None else shares[next_grade]
            points = self._step(points, predicted, shares[grade], there, generator)
        return points.unflatten(1, (self.prediction_horizon, self.action_dim))

    def sample(
        self,
        observations: Float[Tensor, "batch observation_dim"],
        generator: Generator | None = None,
    ) -> Float[Tensor, "batch prediction_horizon action_dim"]:
        """Draw one chunk for every observation: its own noise, made clean step by step."""
        shape = (len(observations), self.chunk_dim)
        noise = torch.randn(shape, generator=generator, device=observations.device)
        return self.denoise(noise, observations, generator=generator)

    def visited_grades(self, num_steps: int) -> list[int]:
        """Return the grades that sampling visits, from the strongest noise down.

        Raises:
            ValueError: If there are not that many grades, or no step.
        """
        if not 1 <= num_steps <= self.num_timesteps:
            raise ValueError(
                f"num_steps must be between 1 and num_timesteps ({self.num_timesteps}), "
                f"got {num_steps}."
            )
        stride = self.num_timesteps / num_steps
        return [round(self.num_timesteps - index * stride) - 1 for index in range(num_steps)]

    def _step(
        self,
        points: Tensor,
        predicted: Tensor,
        here: float,
        there: float,
        generator: Generator | None,
    ) -> Tensor:
        """Go from one share of the data's variance to a greater one."""
        clean = (points - math.sqrt(1 - here) * predicted) / math.sqrt(here)
        clean = clean.clamp(-self.limit, self.limit)
        # The noise that belongs to the clamped estimate, so that both still mix to the same point.
        remaining = (points - math.sqrt(here) * clean) / math.sqrt(1 - here)
        fresh = self.eta**2 * (1 - there) / (1 - here) * (1 - here / there)  # its variance
        moved = math.sqrt(there) * clean + math.sqrt(max(0, 1 - there - fresh)) * remaining
        if fresh == 0:
            return moved
        drawn = torch.randn(points.shape, generator=generator, device=points.device)
        return moved + math.sqrt(fresh) * drawn


def cosine_alpha_bar(num_timesteps: int) -> Float[Tensor, "num_timesteps"]:
    """Return the share of the data's variance that is left at every grade of noise, falling.

    Raises:
        ValueError: If there is no grade.

    Source:
        Nichol and Dhariwal, Improved DDPM, arXiv:2102.09672, equation 17.
    """
    if num_timesteps < 1:
        raise ValueError(f"num_timesteps must be at least 1, got {num_timesteps}.")
    times = torch.arange(num_timesteps + 1, dtype=torch.float64) / num_timesteps
    shares = (math.pi / 2 * (times + 0.008) / 1.008).cos().square()
    # A step that removed all of the data could never be undone.
    steps = (shares[1:] / shares[:-1]).clamp(min=0.001)
    return steps.cumprod(dim=0).float()
