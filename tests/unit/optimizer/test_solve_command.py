"""`python -m services.optimizer solve FILE --out DIR`: the sample of the documentation is decided; a bad file is refused by its line."""

import csv
import json
from collections.abc import Callable
from decimal import Decimal as D
from pathlib import Path
from typing import Any

import msgspec
import pytest

from libs.common.schemas.proposal import ProposalCreated, ProposalDeclined
from services.optimizer.__main__ import main
from services.optimizer.account_file import AccountFile, FileLot, FileSecurity
from services.optimizer.account_file_reader import line_of, read_account_file
from services.optimizer.account_payloads import payloads_of
from services.optimizer.core.losses_left import LeftBecause
from services.optimizer.solve_report import LEFT_IN_WORDS

DOCS = Path(__file__).parents[3] / "docs"
SAMPLE = DOCS / "examples" / "solve" / "account.json"
Document = dict[str, Any]


def changed(tmp_path: Path, change: Callable[[Document], object]) -> Path:
    document = json.loads(SAMPLE.read_text())
    change(document)
    path = tmp_path / "account.json"
    path.write_text(json.dumps(document, indent=1))
    return path


def test_the_sample_is_decided_written_and_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["solve", str(SAMPLE), "--out", str(tmp_path / "new" / "folder")]) == 0
    out = tmp_path / "new" / "folder"
    made = msgspec.json.decode((out / "proposal.json").read_bytes(), type=ProposalCreated)
    table = list(csv.DictReader((out / "trades.csv").read_text().splitlines()))
    assert [row["security_id"] for row in table if row["shares"]] == [trade.security_id for trade in made.trades]
    assert sum(D(row["trade_tax"]) for row in table if row["trade_tax"]) == made.tax.tax
    sold = {lot.lot_id: lot.quantity for trade in made.trades for lot in trade.lots}
    assert {row["lot_id"]: D(row["lot_shares"]) for row in table if row["lot_id"]} == sold
    said = capsys.readouterr().out
    assert "tracking error" in said and "certificate" in said and "losses left" in said
    assert made.certificate is not None and made.certificate.gap_bps < D("0.5")
    assert made.cash_after >= made.cash_before + 5000 - 1  # raise_cash


def test_the_same_file_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        main(["solve", str(SAMPLE), "--out", str(tmp_path / name)])
    one, two = ((tmp_path / name / "proposal.json").read_bytes() for name in ("one", "two"))
    assert one == two


def test_no_trade_is_an_answer_that_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def calm(document: Document) -> None:
        document.update(min_trade="1000000", raise_cash=None, rules=[])

    assert main(["solve", str(changed(tmp_path, calm)), "--out", str(tmp_path)]) == 0
    made = msgspec.json.decode((tmp_path / "proposal.json").read_bytes(), type=ProposalDeclined)
    assert made.outcome == "no_trade"
    assert "losses left" in capsys.readouterr().out
    assert len((tmp_path / "trades.csv").read_text().splitlines()) == 1


def test_limits_that_conflict_end_with_one_and_what_would_have_to_give(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def tight(document: Document) -> None:
        document["limits"] = {"tracking_error_frac": "0.002", "turnover_frac": "0.02"}

    assert main(["solve", str(changed(tmp_path, tight)), "--out", str(tmp_path)]) == 1
    said = capsys.readouterr().out
    assert "infeasible, limits_conflict" in said and "to make it work   raise" in said


def set_at(*path: str | int) -> Callable[[object], Callable[[Document], object]]:
    """A change that sets the member at the end of the way."""

    def to(value: object) -> Callable[[Document], object]:
        def change(document: Document) -> None:
            part: Any = document
            for step in path[:-1]:
                part = part[step]
            part[path[-1]] = value

        return change

    return to


BAD = [
    ("a lot without a price", set_at("lots", 0, "security_id")("NONE"), "lots[0].security_id", "is not among the securities"),
    ("a lot twice", set_at("lots", 1, "lot_id")("L1"), "lots[1].lot_id", "comes twice"),
    ("no shares", set_at("lots", 2, "quantity")("0"), "lots[2].quantity", "Give shares above zero"),
    ("a negative basis", set_at("lots", 2, "tax_basis")("-1"), "lots[2].tax_basis", "or null"),
    ("a lot of tomorrow", set_at("lots", 2, "acquired")("2026-01-16"), "lots[2].acquired", "acquired after"),
    ("no number", set_at("lots", 2, "quantity")("ten"), "lots[2].quantity", "docs/file-formats.md"),
    ("a price that is none", set_at("securities", 3, "price")("NaN"), "securities[3].price", "above zero"),
    ("a security twice", set_at("securities", 3, "security_id")("ACORN"), "securities[3].security_id", "comes twice"),
    ("a negative price", set_at("securities", 3, "price")("-5"), "securities[3].price", "above zero"),
    ("a negative target", set_at("securities", 3, "target_frac")("-0.1"), "securities[3].target_frac", "0 for none"),
    ("targets that do not sum to one", set_at("securities", 3, "target_frac")("0.5"), "securities", "sum to 1"),
    ("an exposure too few", set_at("securities", 3, "exposures")([0.1]), "securities[3].exposures", "1 exposures for 3 factors"),
    ("no variance", set_at("securities", 3, "specific_var_ann")(-0.01), "securities[3].specific_var_ann", "above zero"),
    ("an unknown member", set_at("colour")("red"), "", "colour"),
    ("an unknown member of a lot", set_at("lots", 4, "colour")("red"), "lots[4]", "colour"),
    ("no cash", set_at("cash")("NaN"), "cash", "is no number"),
    ("two wishes for cash", set_at("invest_cash")("5"), "invest_cash", "given together"),
    ("a rule for nothing", set_at("rules", 0, "target")("Oyl"), "rules[0].target", "no industry is called 'Oyl'"),
    ("a bound without a weight", set_at("rules", 1, "limit_frac")(None), "rules[1].limit_frac", "from 0 to 1"),
    ("a sale of tomorrow", set_at("sold_at_a_loss", 0, "trade_date")("2026-01-16"), "sold_at_a_loss[0].trade_date", "that were made"),
    ("no volume", set_at("securities", 3, "adv_usd")(0), "securities[3].adv_usd", "dollars a day"),
    ("a rate in hundredths", set_at("rates", "short_frac")("40.8"), "rates.short_frac", "0.408 is 40.8 of a hundred"),
    ("a carry at rates", set_at("losses")({"carried_frac": "0.1"}), "losses.carried_frac", "let losses count netted"),
    ("a loss so far below zero", set_at("year", "short_loss")("-5"), "year.short_loss", "positive numbers"),
    ("a sale of nothing", set_at("sold_at_a_loss", 0, "security_id")("NONE"), "sold_at_a_loss[0].security_id", "not among"),
]


@pytest.mark.parametrize(("change", "field", "said"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_a_bad_file_is_refused_by_line_member_and_remedy(
    change: Callable[[Document], object], field: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = changed(tmp_path, change)
    assert main(["solve", str(path), "--out", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    line = line_of(path.read_text(), field)
    assert error.startswith(f"{path}, line {line}" + (f", {field}: " if field else ": "))
    assert said in error
    assert not (tmp_path / "proposal.json").exists()


def test_a_year_is_netted_only_where_long_term_gains_are_not_taxed_more(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def dearer(document: Document) -> None:
        document["rates"]["long_frac"], document["losses"] = "0.5", {"counts": "netted"}

    assert main(["solve", str(changed(tmp_path, dearer)), "--out", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert "rates.long_frac: 0.5 is above the short rate, 0.408" in error and "count at_rates" in error


def test_cash_that_a_cap_on_tracking_error_limits_is_raised_in_whole_shares_as_in_fractional_ones(tmp_path: Path) -> None:
    """More than the cap allows is asked for: whole shares must neither press against it nor stay far below."""
    assert main(["solve", str(changed(tmp_path, set_at("raise_cash")("400000"))), "--out", str(tmp_path)]) == 0
    made = msgspec.json.decode((tmp_path / "proposal.json").read_bytes(), type=ProposalCreated)
    assert made.certificate is not None and abs(made.certificate.whole_shares_bps) < 2
    assert D("0.0395") < made.te_after_frac <= D("0.04")
    assert made.cash_after > 128_000


@pytest.mark.parametrize("counts", ["at_rates", "netted"])
def test_whole_shares_keep_a_used_up_budget_beside_bounds_on_what_has_gains(counts: str, tmp_path: Path) -> None:
    """Gains have to be realised up to the bounds, and losses that pay for them; a share too few of either breaks one of them."""

    def bounded(document: Document) -> None:
        document["limits"]["weights"] = [{"by": "security", "target": name, "most_frac": "0.05"} for name in ("GINKGO", "ACORN")]
        document.update(losses={"counts": counts}, year={"short_gain": "20000", "long_gain": "30000"})

    assert main(["solve", str(changed(tmp_path, bounded)), "--out", str(tmp_path)]) == 0
    tax = msgspec.json.decode((tmp_path / "proposal.json").read_bytes(), type=ProposalCreated).tax
    assert tax.long_gain > 30_000 and tax.tax <= 0


def test_a_line_is_that_of_the_member() -> None:
    text = '{\n "a": [1,\n  {"b": "x{,",\n   "c": 2}],\n "d": {}\n}'
    assert [line_of(text, place) for place in ("a", "a[0]", "a[1].b", "a[1].c", "d", "d.none", "")] == [2, 2, 3, 4, 5, 5, 1]


def test_what_is_no_json_is_refused_by_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "account.json"
    path.write_text('{\n "cash": "1",\n}')
    assert main(["solve", str(path), "--out", str(tmp_path)]) == 2
    assert f"{path}, line 3" in capsys.readouterr().err


def test_a_number_that_is_none_is_refused_by_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = changed(tmp_path, set_at("securities", 0, "specific_var_ann")(float("nan")))
    assert main(["solve", str(path), "--out", str(tmp_path)]) == 2
    said, line = capsys.readouterr().err, path.read_text()[: path.read_text().index("NaN")].count("\n") + 1
    assert said.startswith(f"{path}, line {line}: is no JSON") and "NaN and Infinity" in said


def test_a_file_that_is_not_there_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["solve", str(tmp_path / "none.json"), "--out", str(tmp_path)]) == 2
    assert "can't be read" in capsys.readouterr().err


def test_rules_windows_and_cash_become_payloads() -> None:
    document = read_account_file(SAMPLE)
    assert isinstance(document, AccountFile)
    given = payloads_of(document)
    verdicts = {each.security_id: each for each in given.screen.verdicts}
    assert set(verdicts) == {"ACORN", "ELM", "FIR"}
    assert (verdicts["FIR"].may_buy, verdicts["FIR"].may_sell) == (False, True)
    assert verdicts["ACORN"].max_weight_frac == D("0.18")
    assert [(each.identity_group, each.until.isoformat()) for each in given.ledger.blocked_buys] == [("LARCH", "2026-02-04")]
    assert [each.lot_ids for each in given.ledger.blocked_loss_sales] == [["L8"]]
    assert given.account.cash_target == document.cash + 5000


def test_every_member_is_in_the_documentation() -> None:
    page = (DOCS / "file-formats.md").read_text()
    members = [name for struct in (AccountFile, FileSecurity, FileLot) for name in struct.__struct_fields__]
    assert [name for name in members if f"`{name}`" not in page] == []


def test_every_reason_for_a_loss_left_has_words() -> None:
    assert set(LEFT_IN_WORDS) == {each.value for each in LeftBecause}
