"""The same vehicle, asked more often: what must change with the time step so that nothing else does."""

from torch import Tensor


def response_at(response: float, share: float) -> float:
    """Return the response of a step that lasts ``share`` as long.

    Small steps that make up a long one then close the same share of a constant gap.

    Args:
        response: Share of the gap that one long step closes, in (0, 1].
        share: Duration of the new step over that of the old one.
    """
    return float(1 - (1 - response) ** share)


def kick_at(kick: float | Tensor, share: float) -> float | Tensor:
    """Return the random kick of a step that lasts ``share`` as long, where kicks add up.

    Variances add, so the small kicks of a long step sum up to one of the old size.
    """
    return kick * share**0.5


def fading_kick_at(kick: float | Tensor, response: float, share: float) -> float | Tensor:
    """Return the random kick of a step that lasts ``share`` as long, where kicks fade away.

    A kick to the velocity fades at the rate at which the vehicle answers, whoever asks for what. What is
    left of the small kicks at the end of a long step has the old size.
    """
    left = 1 - response  # of a kick, one long step later
    if left == 0:
        return kick
    return kick * ((1 - left ** (2 * share)) / (1 - left**2)) ** 0.5


def steps_at(steps: int, share: float) -> int:
    """Return how many steps that last ``share`` as long take the same time, at least one."""
    return max(1, round(steps / share))
