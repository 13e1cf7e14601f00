"""`python -m demo`: three business days of 250 simulated accounts through the whole platform.  `--kafka`: on a real Kafka."""

import argparse
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import uvloop
from rich.console import Console

from demo.day import DemoFailed, Story, answer, play_day
from demo.figures import summary_of
from demo.must_occur import what_occurred
from demo.output import write_output
from demo.platform import Platform, local_parts, running_platform
from demo.refusals import refused_by_orders
from demo.report import Stages, print_report
from demo.sample import Sample, make_sample
from demo.sample.days import DEMO_DAYS
from libs.common.clock import ManualClock
from libs.common.observe import configure_logs
from services.optimizer.transition import command as transition

INTAKE = Path(__file__).parents[1] / "docs/examples/transition/seasoned.json"
MIDNIGHT = datetime(2025, 12, 15, tzinfo=UTC)


def main() -> int:
    """Run the demo; 0 when everything that must occur did."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--kafka", action="store_true", help="a real Kafka instead of the in-process bus (Java 17 and Maven)")
    parser.add_argument("--out", type=Path, default=Path("out/demo"), help="where the result is written")
    parser.add_argument("--log-level", default="error", help="of the services' logs on standard error")
    options = parser.parse_args()
    configure_logs(options.log_level)
    console = Console()
    try:
        summary = uvloop.run(run_demo(console, options.out, options.kafka))
    except (DemoFailed, TimeoutError) as error:
        console.print(f"[red]The demo failed:[/red] {error}")
        return 1
    missing = [name for name, occurred in summary["must_occur"].items() if not occurred]  # type: ignore[attr-defined]
    for name in missing:
        console.print(f"[red]did not occur:[/red] {name}")
    console.print(f"Written to {options.out}/; `make audit` checks every order in it against every rule.")
    console.print("\nWhat it would cost to move one client over, every way, on one page (docs/transition.md):")
    return 1 if missing or transition.run(INTAKE, options.out / "transition") else 0


async def run_demo(console: Console, out: Path, real_kafka: bool) -> dict[str, object]:
    """Play the days, write the output, print the table; returns the summary."""
    started = time.perf_counter()
    sample = make_sample()
    story = Story()
    clock = ManualClock(MIDNIGHT)
    with TemporaryDirectory(prefix="pma-demo-") as scratch:
        market_dir = Path(scratch)
        async with (
            local_parts(real_kafka) as (dsn, bus, bootstrap),
            running_platform(dsn, bus, clock, market_dir, bootstrap) as platform,
        ):
            with Stages(console) as stages:
                await _play(platform, sample, market_dir, story, stages)
            refused = await refused_by_orders(platform)
            parked = [household["key"] for household in await answer(platform.clients["ingest"].get("/v1/parked"))]
            occurred = what_occurred(platform.observer, story, parked)
            summary = summary_of(platform.observer, story, refused, occurred, time.perf_counter() - started)
            write_output(out, platform.observer, refused, sample.custodian.changes, summary)
    print_report(console, summary)
    return summary


async def _play(platform: Platform, sample: Sample, market_dir: Path, story: Story, stages: Stages) -> None:
    for day in DEMO_DAYS:
        if day.number > 1:
            sample.open_day(day)
        stages.begin_day(f"day {day.number}")
        await play_day(platform, sample, day, market_dir, story, stages.show)


if __name__ == "__main__":
    sys.exit(main())
