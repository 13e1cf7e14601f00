"""A book of any size for the benchmarks: one market, N accounts of L lots, written in the formats of docs/file-formats.md.

Made by arithmetic from the positions and the day: the same sizes give the same book.  Each account holds `NAMES_HELD` securities in equal
numbers of lots, most at a gain, and has one wish.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from libs.common.clock import SystemClock, trade_date_of

AS_OF = trade_date_of(SystemClock().now()) + timedelta(days=1)  # the run's cut-off must lie ahead
STRATEGY = "bench-250"
SECURITIES = 500
MODEL_NAMES = 250
NAMES_HELD = 400
HISTORY_DAYS = 40
INDUSTRIES = 12


@dataclass(frozen=True)
class Sizes:
    """How large the book is: accounts, lots an account, accounts a household, files (one custodian each)."""

    accounts: int
    lots: int
    household: int = 2
    files: int = 4


def security_id(number: int) -> str:
    return f"SIM{number:03d}"


def price_cents(number: int, day: int = HISTORY_DAYS - 1) -> int:
    """The close of a security on a day of the history: a small regular movement around its level."""
    level = 2_000 + 37 * (number % 211)
    return level + (level * ((day * 7 + number * 13) % 21 - 10)) // 1_000


def write_market(directory: Path) -> None:
    """The market directory."""
    (directory / "models").mkdir(parents=True, exist_ok=True)
    (directory / "market.json").write_text(json.dumps({"simulated": True, "price_basis": "split_adjusted"}))
    head = "security_id,name,issuer_id,sector,industry,categories,adv_usd,half_spread_bps"
    rows = [
        f"{security_id(i)},Simulated {i},ISS{i:03d},Sector {i % 6},Industry {i % INDUSTRIES},{'tobacco' if i % 50 == 0 else ''},25000000,2"
        for i in range(SECURITIES)
    ]
    (directory / "securities.csv").write_text("\n".join([head, *rows]) + "\n")
    lines = ["date," + ",".join(security_id(i) for i in range(SECURITIES))]
    for day, at in enumerate(_business_days()):
        lines.append(f"{at}," + ",".join(f"{price_cents(i, day) / 100:.2f}" for i in range(SECURITIES)))
    (directory / "prices.csv").write_text("\n".join(lines) + "\n")
    weights = [f"{security_id(2 * i)},{1 / MODEL_NAMES:.6f}" for i in range(MODEL_NAMES)]
    (directory / "models" / f"{STRATEGY}.csv").write_text("\n".join(["security_id,weight_frac", *weights]) + "\n")


def _business_days() -> list[date]:
    """The last days before `AS_OF` and the day itself."""
    days, day = [AS_OF], AS_OF
    while len(days) < HISTORY_DAYS:
        day -= timedelta(days=1)
        if day.weekday() < 5:
            days.append(day)
    return days[::-1]


def account_id(number: int) -> str:
    return f"B{number:06d}"


def custodian(sizes: Sizes, number: int) -> int:
    """Which of the files holds an account; a household may be with several custodians."""
    return number % sizes.files


def master_record(sizes: Sizes, number: int) -> dict[str, Any]:
    """One account's master record."""
    return {
        "account_id": account_id(number),
        "household_id": f"H{number // sizes.household:06d}",
        "taxpayer_id": f"T{number // sizes.household:06d}",
        "custodian": f"custodian-{custodian(sizes, number)}",
        "account_type": "taxable",
        "strategy_id": STRATEGY,
        "rates": {"short_frac": "0.408", "long_frac": "0.238"},
        "wishes": [{"wish_id": "w1", "kind": "never_buy", "by": "category", "target": "tobacco"}],
    }


def holdings_lines(sizes: Sizes, file: int, business_date: date = AS_OF, sequence: int = 1, extra_shares: int = 0) -> Iterator[str]:
    """The lines of one custodian's file.  `extra_shares` in every lot makes another day's holdings."""
    yield f"H,pma-holdings,1,custodian-{file},{business_date},{sequence},1,1,trade_date,\n"
    members = [number for number in range(sizes.accounts) if custodian(sizes, number) == file]
    shares = 0
    for number in members:
        yield f"A,{account_id(number)},{50_000 + number % 1_000}.25,0\n"
        for lot in range(sizes.lots):
            name = (number + lot % NAMES_HELD) % SECURITIES
            quantity = 10 + (number + lot) % 90 + extra_shares
            shares += quantity
            cost_cents = quantity * price_cents(name) * (60 + (lot * 7 + number) % 35) // 100
            acquired = AS_OF - timedelta(days=60 + (lot * 37 + number) % 2_500)
            yield f"L,{account_id(number)},L{number:06d}{lot:05d},{security_id(name)},{quantity},{cost_cents / 100:.2f},{acquired}\n"
    cash = sum(50_000_25 + 100 * (number % 1_000) for number in members)
    yield f"T,{len(members)},{len(members) * sizes.lots},{shares},{cash // 100}.{cash % 100:02d}\n"


def write_holdings(sizes: Sizes, file: int, path: Path, **changes: Any) -> None:
    """One custodian's file."""
    with path.open("w") as out:
        out.writelines(holdings_lines(sizes, file, **changes))
