"""Success over horizons for everything that chunks may depend on: `python -m benchmarks.chunking`.

Three tasks, three demonstrators, three kinds of noise, three delays, two classes of policies, and all
pairs of horizons. The result goes into the library, from where notebook 06 shows it.
"""

import time

from benchmarks.recording import LIBRARY, parse, record_parser
from imitation_lab.horizons import RECORDED, HorizonMap, run_map, write_map

RECORD = LIBRARY / RECORDED


def best_horizons(record: HorizonMap) -> str:
    """Return a table in Markdown: the success of single actions, and of the best chunks."""
    lines = [
        "| task | policy | demonstrator | noise | delay | 1 / 1 | best | predict / execute |",
        "|---|---|---|---|--:|--:|--:|:-:|",
    ]
    for panel in record.panels:
        rates = {cell: 100 * panel.success(*cell).rate for cell in panel.successes}
        best = max(rates, key=lambda cell: rates[cell])
        lines.append(
            f"| {panel.task} | {panel.policy} | {panel.demonstrator} | {panel.noise} | {panel.delay} "
            f"| {rates[1, 1]:.0f} % | {rates[best]:.0f} % | {best[0]} / {best[1]} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Run the map, print its table and record it."""
    parser = record_parser(__doc__, RECORD, seeds=3)
    parser.add_argument("--episodes", type=int, default=50, help="of each seed (default: 50)")
    parser.add_argument("--device", default="cpu", help="where to compute (default: cpu)")
    parser.add_argument("--processes", type=int, default=2, help="side by side (default: 2)")
    arguments, seeds = parse(parser)
    started = time.perf_counter()
    record = run_map(
        seeds=seeds,
        episodes=arguments.episodes,
        device=arguments.device,
        processes=arguments.processes,
    )
    print(best_horizons(record))
    write_map(record, arguments.out)
    print(f"{time.perf_counter() - started:.0f} s; written to {arguments.out.name}")


if __name__ == "__main__":
    main()
