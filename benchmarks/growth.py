"""How the cost of an account grows with the number of accounts, and with partitions and processes.

    python -m benchmarks.growth [--accounts 100 400] [--lots 500] [--spread 1 2 4] [--spread-accounts 100] [--svg FILE]

Each point is one day of benchmarks/throughput on a platform of its own.  First the numbers of accounts, with 4 partitions and one process
a service; then `--spread`: as many partitions as processes of each service.  One JSON line a point; `--svg` draws CPU milliseconds an
account by stage over the number of accounts.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import book
from benchmarks.machine import machine
from benchmarks.platform_day import play, prepare, running_platform
from benchmarks.throughput import figures, parse_s

WIDTH, HEIGHT, LEFT, TOP, BAR = 760, 320, 60, 20, 46
COLOURS = ("#4c72b0", "#8ba6d1", "#937860", "#c44e52", "#e39a9c", "#55a868", "#8172b3", "#ccb974", "#64b5cd")


def point(sizes: book.Sizes, partitions: int, processes: int) -> dict[str, Any]:
    """One day's figures."""
    with running_platform(partitions, processes) as platform:
        files = prepare(platform, sizes)
        measured = figures(sizes, play(platform, sizes, files), parse_s(files))
        peak = {name: max(found) for name, found in platform.peaks().items()}
    return {"benchmark": "growth", **measured, "partitions": partitions, "processes": processes, "peak_mib": peak, **machine()}


def drawn(points: Sequence[dict[str, Any]]) -> str:
    """Stacked bars: CPU milliseconds an account by stage, one bar a number of accounts."""
    stages = sorted(points[0]["cpu_ms_by_stage"])
    most = max(found["cpu_ms_an_account"] for found in points)
    scale, floor = (HEIGHT - 2 * TOP - 30) / most, HEIGHT - TOP - 30
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">']
    step = (WIDTH - LEFT - 200) / len(points)
    for place, found in enumerate(points):
        x, y = LEFT + place * step, float(floor)
        for stage, colour in zip(stages, COLOURS, strict=False):
            high = found["cpu_ms_by_stage"][stage] * scale
            y -= high
            parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{BAR}" height="{high:.1f}" fill="{colour}"/>')
        parts.append(f'<text x="{x + BAR / 2:.1f}" y="{y - 4:.1f}" text-anchor="middle">{found["cpu_ms_an_account"]}</text>')
        parts.append(f'<text x="{x + BAR / 2:.1f}" y="{floor + 16}" text-anchor="middle">{found["accounts"]}</text>')
    for row, (stage, colour) in enumerate(zip(stages, COLOURS, strict=False)):
        parts.append(f'<rect x="{WIDTH - 180}" y="{TOP + 18 * row}" width="12" height="12" fill="{colour}"/>')
        parts.append(f'<text x="{WIDTH - 162}" y="{TOP + 10 + 18 * row}">{stage}</text>')
    lots = points[0]["lots"]
    parts.append(f'<text x="{LEFT}" y="{HEIGHT - 8}">accounts of {lots} lots; CPU milliseconds an account</text></svg>')
    return "\n".join(parts) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    parser.add_argument("--accounts", type=int, nargs="*", default=[100, 400])
    parser.add_argument("--lots", type=int, default=500)
    parser.add_argument("--spread", type=int, nargs="*", default=[1, 2, 4])
    parser.add_argument("--spread-accounts", type=int, default=100)
    parser.add_argument("--svg", type=Path)
    options = parser.parse_args()
    found = []
    for accounts in options.accounts:
        found.append(point(book.Sizes(accounts, options.lots), 4, 1))
        sys.stdout.write(json.dumps(found[-1]) + "\n")
        sys.stdout.flush()
    for number in options.spread:
        sys.stdout.write(json.dumps(point(book.Sizes(options.spread_accounts, options.lots), number, number)) + "\n")
        sys.stdout.flush()
    if options.svg and found:
        options.svg.write_text(drawn(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
