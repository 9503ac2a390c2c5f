"""The network that flow matching trains and samples in this benchmark. Every side has the same."""

from torch import nn

CONDITION, CHUNK, WIDTH = 8, 16, 128  # a chunk of eight actions of two numbers
BATCH, ROWS = 256, 5000


def network() -> nn.Sequential:
    """Return the network of a flow policy with two hidden layers of this width, as plain torch."""
    return nn.Sequential(
        nn.Linear(CHUNK + 1 + CONDITION, WIDTH),
        nn.ReLU(),
        nn.Linear(WIDTH, WIDTH),
        nn.ReLU(),
        nn.Linear(WIDTH, CHUNK),
    )
