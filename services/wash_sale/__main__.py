"""wash_sale from the command line: without arguments the service (settings in PMA_... environment variables), or an offline command.

    python -m services.wash_sale
    python -m services.wash_sale replay FILE
    python -m services.wash_sale tax-year FILE --year 2025 --out DIR [--as-of 2026-04-10]
    python -m services.wash_sale calculate FILE
    python -m services.wash_sale catch-up [--kafka-is-new]

A command on a FILE needs neither settings nor a server; what only the service needs is imported only for it.  `catch-up` is every
service's (libs/common/offline.py).
"""

import argparse
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from services.wash_sale import calculate_command, replay_command, tax_year_command


def main(arguments: Sequence[str]) -> int:
    """Serve until told to stop (1 if the service failed), or run a command (its code: 0 done, 1 something was refused, 2 unreadable)."""
    if arguments[:1] == ["catch-up"]:
        return service_with(arguments)
    asked = parser().parse_args(arguments)
    if asked.command == "replay":
        return replay_command.run(asked.file)
    if asked.command == "calculate":
        return calculate_command.run(asked.file)
    if asked.command == "tax-year":
        return tax_year_command.run(asked.file, asked.year, asked.out, asked.as_of)
    return service_with([])


def parser() -> argparse.ArgumentParser:
    """The commands and their arguments."""
    found = argparse.ArgumentParser(prog="python -m services.wash_sale", description="The tax ledger: the service, or a command on a file.")
    commands = found.add_subparsers(dest="command", metavar="COMMAND")
    replay = commands.add_parser("replay", help="histories to sales, lots and wash sales, as JSON")
    replay.add_argument("file", type=Path, metavar="FILE", help="one history, or an array of them, as JSON")
    calculation = commands.add_parser("calculate", help="figures that follow from given ones: netting, rates, gifts, corporate actions")
    calculation.add_argument("file", type=Path, metavar="FILE", help="entries with `inputs`, as JSON")
    year = commands.add_parser("tax-year", help="Form 8949 and Schedule D of a year, as CSV and JSON")
    year.add_argument("file", type=Path, metavar="FILE", help="one history, or an array of them, as JSON")
    year.add_argument("--year", type=_year, required=True, metavar="Y", help="the tax year")
    year.add_argument("--out", type=Path, required=True, metavar="DIR", help="where to write the tables")
    year.add_argument("--as-of", type=_day, metavar="DATE", help="as known on this day (default: the last event's)")
    commands.add_parser("catch-up", help="after a restore: take back what was said since the backup", add_help=False)
    return found


def _year(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) == 4):
        raise argparse.ArgumentTypeError(f"{text!r} is not a year such as 2025")
    return int(text)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date such as 2026-04-10 ({error})") from None


def service_with(arguments: Sequence[str]) -> int:
    """The service, or its `catch-up`."""
    from libs.common.app import serve  # noqa: PLC0415
    from libs.common.bus.kafka import KafkaBus  # noqa: PLC0415
    from libs.common.clock import SystemClock  # noqa: PLC0415
    from libs.common.offline import offline  # noqa: PLC0415
    from services.wash_sale.settings import WashSaleSettings  # noqa: PLC0415
    from services.wash_sale.wiring import build  # noqa: PLC0415

    settings = WashSaleSettings()
    service, app = build(settings, KafkaBus(settings.kafka_bootstrap, settings.session_timeout_ms), SystemClock())
    return offline(service, arguments) if arguments else serve(app, service, settings)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
