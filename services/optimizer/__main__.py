"""optimizer from the command line: without arguments the service (settings in PMA_... variables), or an offline command.

    python -m services.optimizer
    python -m services.optimizer solve FILE --out DIR
    python -m services.optimizer transition INTAKE --out DIR [--market DIR]
    python -m services.optimizer catch-up [--kafka-is-new]

`solve` and `transition` need neither settings nor a server; what only the service needs is imported only for it.  `catch-up` is
every service's (libs/common/offline.py).
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from services.optimizer import solve_command


def main(arguments: Sequence[str]) -> int:
    """Serve until told to stop (1 if the service failed), or run a command (its code: 0 done, 1 refused or infeasible, 2 unreadable)."""
    if arguments[:1] == ["transition"]:
        return transition(arguments[1:])
    if arguments[:1] != ["solve"]:
        return service_with(arguments)
    asked = parser().parse_args(arguments[1:])
    return solve_command.run(asked.file, asked.out)


def parser() -> argparse.ArgumentParser:
    """The arguments of `solve`."""
    found = argparse.ArgumentParser(prog="python -m services.optimizer solve", description="Decide what to trade in the account of a file.")
    found.add_argument("file", type=Path, metavar="FILE", help="one account, as JSON (docs/file-formats.md)")
    found.add_argument("--out", type=Path, required=True, metavar="DIR", help="where to write proposal.json and trades.csv")
    return found


def transition(arguments: Sequence[str]) -> int:
    """A client's transition analysis, offline."""
    from services.optimizer.transition import command  # noqa: PLC0415

    about = "Analyse moving a client over, every way, on one page."
    known = argparse.ArgumentParser(prog="python -m services.optimizer transition", description=about)
    known.add_argument("intake", type=Path, metavar="INTAKE", help="the client's form, as JSON or CSV (docs/transition-intake.md)")
    known.add_argument("--out", type=Path, required=True, metavar="DIR", help="where to write analysis.json, report.html and report.pdf")
    known.add_argument("--market", type=Path, metavar="DIR", help="a market directory; else the intake's, else the simulated one")
    asked = known.parse_args(arguments)
    return command.run(asked.intake, asked.out, asked.market)


def service_with(arguments: Sequence[str]) -> int:
    """The service, or its `catch-up`."""
    from libs.common.app import serve  # noqa: PLC0415
    from libs.common.bus.kafka import KafkaBus  # noqa: PLC0415
    from libs.common.clock import SystemClock  # noqa: PLC0415
    from libs.common.offline import offline  # noqa: PLC0415
    from services.optimizer.settings import OptimizerSettings  # noqa: PLC0415
    from services.optimizer.warm_up import warm_up  # noqa: PLC0415
    from services.optimizer.wiring import build  # noqa: PLC0415

    settings = OptimizerSettings()
    service, app = build(settings, KafkaBus(settings.kafka_bootstrap, settings.session_timeout_ms), SystemClock())
    if arguments:
        return offline(service, arguments)
    warm_up()  # before the service reports ready: its workers then read the kernels from their cache
    return serve(app, service, settings)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
