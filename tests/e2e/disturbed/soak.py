"""`make soak`: hundreds of kills at random points and times, stops of Kafka and PostgreSQL, processes that stand still.

The small book's days are played again and again, each time on new servers and disturbed all through, until there were `--kills` kills or
`--minutes` are over; each run must equal one undisturbed run.  The last line is one of JSON; the exit status is 1 when anything was
lost, doubled or different, or a run did not come to its end.
"""

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from demo.sample.days import DEMO_DAYS
from libs.common.observe import configure_logs
from tests.e2e.disturbed.disturber import Disturber
from tests.e2e.disturbed.outcome import Outcome
from tests.e2e.disturbed.runs import Platform, Played, platform_on
from tests.e2e.disturbed.servers import running_servers

PROGRESS_EVERY_S = 5.0
COUNTED = ("decisions", "orders", "executions", "trades")


@dataclass
class Tally:
    """What all runs came to."""

    seed: int
    runs: int = 0
    kills: int = 0
    events: int = 0
    orders: int = 0
    repeated: int = 0
    lost: int = 0
    doubled: int = 0
    differing_accounts: int = 0
    disturbances: Counter[str] = field(default_factory=Counter)
    killed: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        return not (self.lost or self.doubled or self.differing_accounts or self.failed)

    def add(self, played: Played, undisturbed: Outcome) -> None:
        """One run more, compared."""
        outcome = played.outcome
        self.runs += 1
        self.events += outcome.events
        self.orders += len(outcome.orders)
        self.repeated += played.repeated
        self.lost += sum(len(undisturbed.parts[part].keys() - outcome.parts[part].keys()) for part in COUNTED)
        self.doubled += len(outcome.doubled)
        self.doubled += sum(len(outcome.parts[part].keys() - undisturbed.parts[part].keys()) for part in COUNTED)
        self.differing_accounts += len(differing(outcome, undisturbed))
        if found := outcome.differences(undisturbed):
            self.failed += found[:20]


def differing(outcome: Outcome, undisturbed: Outcome) -> set[str]:
    """Accounts, and households for their ledgers, whose final state is another."""
    parts = ("accounts", "ledgers", "screens")
    return {
        f"{part} {key}"
        for part in parts
        for key in outcome.parts[part].keys() | undisturbed.parts[part].keys()
        if outcome.parts[part].get(key) != undisturbed.parts[part].get(key)
    }


@dataclass
class Soak:
    """The bounds, and what came of it so far."""

    kills: int
    deadline_s: float
    kills_a_run: int
    days: int
    logs: Path
    tally: Tally
    began_s: float = field(default_factory=time.monotonic)

    async def run(self) -> Tally:
        """The undisturbed run, then disturbed ones until a bound is reached."""
        undisturbed = (await self._play(None)).outcome
        while self.tally.kills < self.kills and time.monotonic() - self.began_s < self.deadline_s and not self.tally.failed:
            try:
                self.tally.add(await self._play(f"{self.tally.seed} {self.tally.runs}"), undisturbed)
            except (AssertionError, TimeoutError) as error:
                self.tally.failed.append(repr(error))
        return self.tally

    async def _play(self, seed: str | None) -> Played:
        home = Path(tempfile.mkdtemp(prefix="run-", dir=self.logs))
        async with running_servers() as servers:
            disturber = Disturber(servers, seed or "", min(self.kills_a_run, self.kills - self.tally.kills) if seed else 0)
            more = disturber.next_point if seed else None
            async with platform_on(servers, home, more=more) as platform:
                disturber.supervisor = platform.supervisor
                try:
                    played = await self._disturbed(platform, disturber)
                finally:
                    self._count(platform, disturber)
        shutil.rmtree(home)
        return played

    async def _disturbed(self, platform: Platform, disturber: Disturber) -> Played:
        """Play to the end; a disturbance that fails ends the run."""
        playing = asyncio.create_task(platform.play(DEMO_DAYS[: self.days]))
        disturbing = asyncio.create_task(disturber.disturb())
        showing = asyncio.create_task(self._show(platform, disturber))
        try:
            await asyncio.wait({playing, disturbing}, return_when=asyncio.FIRST_COMPLETED)
            if disturbing.done():
                disturbing.result()
            return await playing
        finally:
            for task in (playing, disturbing, showing):
                task.cancel()
            await asyncio.gather(playing, disturbing, showing, return_exceptions=True)

    def _count(self, platform: Platform, disturber: Disturber) -> None:
        supervisor = platform.supervisor
        self.tally.kills += supervisor.kills()
        self.tally.disturbances += disturber.done
        for name in supervisor.starts:
            self.tally.killed[name] += len(supervisor.happened(name)) + supervisor.killed_at_random[name]
            self.tally.disturbances["at_a_point"] += len(supervisor.happened(name))

    async def _show(self, platform: Platform, disturber: Disturber) -> None:
        while True:
            await asyncio.sleep(PROGRESS_EVERY_S)
            spent = time.monotonic() - self.began_s
            kills = self.tally.kills + platform.supervisor.kills()
            acts = ", ".join(f"{name} {count}" for name, count in sorted(disturber.done.items())) or "none"
            sys.stderr.write(
                f"soak {spent:5.0f} s, run {self.tally.runs + 1}: {kills} kills of {self.kills}; {platform.driver.step}; {acts}\n"
            )


def main() -> int:
    """Run the soak and print its line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200, help="stop after the run in which so many were reached (default 200)")
    parser.add_argument("--minutes", type=float, default=30, help="begin no other run after so long (default 30)")
    parser.add_argument("--kills-a-run", type=int, default=60, help="at most so many in one run, so that it comes to an end (default 60)")
    parser.add_argument("--days", type=int, default=2, choices=(1, 2, 3), help="business days of a run (default 2)")
    parser.add_argument("--seed", type=int, default=1, help="of the plan: what is done, where and in which order (default 1)")
    parser.add_argument("--out", type=Path, help="also append the line to this file")
    parser.add_argument("--logs", type=Path, default=Path("out/soak"), help="where the logs of a run that failed stay (default out/soak)")
    options = parser.parse_args()
    options.logs.mkdir(parents=True, exist_ok=True)
    configure_logs("error")
    soak = Soak(options.kills, options.minutes * 60, options.kills_a_run, options.days, options.logs, Tally(options.seed))
    tally = asyncio.run(soak.run())
    line = json.dumps({**vars(tally), "seconds": round(time.monotonic() - soak.began_s)})
    sys.stdout.write(f"{line}\n")
    if options.out:
        with options.out.open("a") as out:
            out.write(f"{line}\n")
    return 0 if tally.is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
