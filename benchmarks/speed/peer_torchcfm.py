"""torchcfm as a peer: a step of flow matching, as its examples have it, on tensors.

Runs in the peers' environment: `.peers/bin/python -m benchmarks.speed.peer_torchcfm`. The network and
the batches are the library's. AdamW is torch's as one gets it: to fuse its steps is the library's choice.
"""

import time

import torch
from torchcfm.conditional_flow_matching import ConditionalFlowMatcher

from benchmarks.speed.serving import serve
from benchmarks.speed.shapes import BATCH, CHUNK, CONDITION, ROWS, network

MATCHER = ConditionalFlowMatcher(sigma=0.0)


def learn(steps: int) -> dict[str, float]:
    """Take gradient steps on fresh data and a fresh network."""
    conditions, chunks = torch.randn(ROWS, CONDITION), torch.randn(ROWS, CHUNK)
    velocity = network()
    optimizer = torch.optim.AdamW(velocity.parameters())
    started = time.perf_counter()
    for _ in range(steps):
        rows = torch.randint(ROWS, (BATCH,))
        condition, chunk = conditions[rows], chunks[rows]
        times, points, target = MATCHER.sample_location_and_conditional_flow(
            torch.randn_like(chunk), chunk
        )
        predicted = velocity(torch.cat([points, times.unsqueeze(1), condition], dim=1))
        loss = (predicted - target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return {"seconds": time.perf_counter() - started}


if __name__ == "__main__":
    serve(learn=learn)
