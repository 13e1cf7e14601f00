"""docs/file-formats.md and docs/examples: what is documented is what the readers take."""

import json
import re
from datetime import date
from pathlib import Path
from typing import get_args

import msgspec
import pytest
from msgspec import Struct

from libs.common.schemas.account import (
    Budgets,
    CashFlow,
    HarvestPolicy,
    HarvestThreshold,
    LossPolicy,
    PastSale,
    PlanLimits,
    RateParts,
    TaxOpening,
    TaxRates,
    WeightBound,
    Wish,
)
from libs.common.schemas.market import ReorganizationKind
from services.ingest.core.holdings_csv import AccountHoldings
from services.ingest.core.holdings_json import csv_lines
from services.ingest.core.intake import AccountIntake, problems_of
from services.ingest.delivery_store import Acknowledgement
from services.ingest.market_actions import COLUMNS, OPTIONS, read_actions
from services.ingest.market_files import SECURITY_COLUMNS, SECURITY_OPTIONS, load_market, read_market_directory
from tests.unit.ingest.holdings_samples import read

DOCS = Path(__file__).parents[3] / "docs"
EXAMPLES = DOCS / "examples"
PAGE = (DOCS / "file-formats.md").read_text()
CSV_BLOCK, JSON_BLOCK, ANSWER_BLOCK = re.findall(r"```(?:csv|json)\n(.*?)```", PAGE, re.DOTALL)


def accounts_of(lines: list[str]) -> list[AccountHoldings]:
    reader, accounts = read(lines)
    assert reader.refused == []
    return accounts


def test_both_examples_of_holdings_are_read_and_say_the_same() -> None:
    from_csv = accounts_of((EXAMPLES / "holdings.csv").read_text().splitlines())
    from_json = accounts_of(csv_lines("holdings.json", (EXAMPLES / "holdings.json").read_bytes()))
    assert from_csv == from_json
    assert [one.account_id for one in from_csv] == ["A0001", "A0002", "A0003"]
    assert (EXAMPLES / "holdings.csv").read_text() == CSV_BLOCK


def test_the_document_in_the_text_is_a_whole_file() -> None:
    (one,) = accounts_of(csv_lines("text.json", JSON_BLOCK.encode()))
    assert one.snapshot is not None and one.snapshot.lots.lot_id == ["L2000001"]


def test_the_answer_in_the_text_has_the_members_of_an_acknowledgement() -> None:
    assert list(json.loads(ANSWER_BLOCK)) == list(Acknowledgement.__struct_fields__)
    answer = msgspec.json.decode(ANSWER_BLOCK, type=Acknowledgement)
    assert answer.refused_lines[0].remedy == "Write shares as 100 or 12.345678"


class Master(Struct):
    accounts: list[AccountIntake]


def test_the_example_accounts_have_no_problems_and_use_every_member() -> None:
    raw = (EXAMPLES / "accounts.json").read_bytes()
    records = msgspec.json.decode(raw, type=Master).accounts
    assert [problems_of(record, date(2025, 12, 15)) for record in records] == [[], [], []]
    assert set(json.loads(raw)["accounts"][0]) == set(AccountIntake.__struct_fields__)


HISTORY = [TaxOpening, PastSale]
SETTINGS = [TaxRates, RateParts, Budgets, CashFlow, Wish, PlanLimits, WeightBound, LossPolicy, HarvestPolicy, HarvestThreshold]


@pytest.mark.parametrize("struct", [AccountIntake, *SETTINGS, *HISTORY])
def test_every_member_of_a_master_record_is_in_the_text(struct: type[Struct]) -> None:
    section = PAGE[PAGE.index("## Account master") : PAGE.index("## Market files")]
    assert [name for name in struct.__struct_fields__ if f"`{name}`" not in section] == []


def test_the_defaults_in_the_text_are_the_codes() -> None:
    defaults = dict(zip(AccountIntake.__struct_fields__[::-1], AccountIntake.__struct_defaults__[::-1], strict=False))
    for members, said in (
        ("`risk_aversion`", f"`{defaults['risk_aversion']}`"),
        ("`cash_min_frac`, `cash_max_frac`", f"`{defaults['cash_min_frac']}`, `{defaults['cash_max_frac']}`"),
        ("`min_trade`", f"`{defaults['min_trade']}`"),
        ("`approval`", f"`{defaults['approval']}`"),
    ):
        (row,) = [line for line in PAGE.splitlines() if line.startswith(f"| {members} |")]
        assert row.endswith(f"| {said} |")


def test_the_example_of_corporate_actions_has_every_kind_and_the_text_names_it() -> None:
    path = EXAMPLES / "corporate_actions.csv"
    actions, reorganizations = read_actions(path, {"ACME", "ACME.B", "BOLT", "CRANE", "HERON", "SPARK"})
    assert {one.kind for one in reorganizations} == set(get_args(ReorganizationKind))
    assert {one.kind for one in actions} == {"split", "dividend"}
    section = PAGE[PAGE.index("## Market files") : PAGE.index("## One account")]
    kinds = re.findall(r"^\| `(\w+)` \|", section[section.index("| `kind` |") :], re.MULTILINE)
    assert set(kinds) == {"kind", "split", "stock_dividend", "dividend", *get_args(ReorganizationKind)}
    assert [name for name in (*COLUMNS, *OPTIONS) if f"`{name}`" not in section] == []


def test_the_example_market_is_read() -> None:
    inputs = read_market_directory(EXAMPLES / "market")
    assert (inputs.simulated, len(inputs.securities), len(inputs.models), len(inputs.actions)) == (True, 4, 1, 2)
    market = load_market(EXAMPLES / "market", date(2025, 12, 15))
    assert market.securities.blocked == [None] * 4  # the price halved, and the split explains it
    assert [strategy.strategy_id for strategy in market.models] == ["core"]


def test_every_column_of_the_security_master_is_in_the_text() -> None:
    (row,) = [line for line in PAGE.splitlines() if line.startswith("| `securities.csv` |")]
    assert [name for name in (*SECURITY_COLUMNS, *SECURITY_OPTIONS) if f"`{name}`" not in row] == []
