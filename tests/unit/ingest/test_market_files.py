"""The loaders of the market directory: what is read, and that each bad input names file, line, field and remedy."""

import csv
import json
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from libs.common.errors import BadInput
from services.ingest.core.market_inputs import Action, Security
from services.ingest.market_files import load_market, read_market_directory

FILES = {
    "market.json": '{"simulated": true, "price_basis": "unadjusted"}',
    "securities.csv": (
        "security_id,name,issuer_id,identity_group,sector,industry,categories,adv_usd,half_spread_bps,market_cap_usd\n"
        "BETA,Beta Inc,I2,,Energy,Oil,coal; tobacco;,5000000,,\n"
        'ALFA,"Alfa, Inc",I1,G1,Health,Pharma,,1e8,2.5,3e10\n'
    ),
    "prices.csv": "date,BETA,ALFA\n2024-06-20,10,100.5\n2024-06-21,,101\n2024-06-24,10.25,50.75\n",
    "models/core.csv": "security_id,weight_frac\nALFA,0.6\nBETA,0.4000001\n",
    "corporate_actions.csv": "security_id,ex_date,kind,value\nALFA,2024-06-24,split,2\nBETA,2024-06-20,dividend,0.125\n",
    "capitalisation.csv": "date,ALFA\n2024-06-20,30000000000\n",
}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "models").mkdir()
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def test_everything_is_read(directory: Path) -> None:
    market = read_market_directory(directory)
    assert (market.simulated, market.price_basis) == (True, "unadjusted")
    assert market.securities == (
        Security("ALFA", "Alfa, Inc", "I1", "G1", "Health", "Pharma", (), 1e8, 2.5, 3e10),
        Security("BETA", "Beta Inc", "I2", "I2", "Energy", "Oil", ("coal", "tobacco"), 5e6, None, None),
    )
    assert market.closes.dates.tolist() == [date(2024, 6, 20), date(2024, 6, 21), date(2024, 6, 24)]
    np.testing.assert_array_equal(market.closes.values, [[100.5, 10.0], [101.0, np.nan], [50.75, 10.25]])
    assert [(m.strategy_id, m.security_id, m.weight_frac) for m in market.models] == [
        ("core", ("ALFA", "BETA"), (Decimal("0.6"), Decimal("0.4000001")))
    ]
    assert market.actions == (
        Action("ALFA", date(2024, 6, 24), "split", Decimal(2)),
        Action("BETA", date(2024, 6, 20), "dividend", Decimal("0.125")),
    )
    assert market.capitalisation is not None
    np.testing.assert_array_equal(market.capitalisation.values, [[3e10, np.nan]])


def test_the_snapshot_of_a_day(directory: Path) -> None:
    market = load_market(directory, date(2024, 6, 24))
    assert market.securities.price == ["50.75", "10.25"]
    assert market.securities.blocked == [None, None]
    assert market.models[0].weight_frac == ["0.59999994", "0.40000006"]
    assert [action.ratio for action in market.corporate_actions] == [Decimal(2)]


def test_parquet_says_the_same_as_csv(directory: Path) -> None:
    """Typed columns: dates as dates, numbers as numbers, nulls for empty fields."""
    from_csv = read_market_directory(directory)
    for path in [*directory.glob("*.csv"), *directory.glob("models/*.csv")]:
        pq.write_table(pacsv.read_csv(path, convert_options=pacsv.ConvertOptions(strings_can_be_null=True)), path.with_suffix(".parquet"))
        path.unlink()
    from_parquet = read_market_directory(directory)
    for field in ("simulated", "price_basis", "securities", "models", "actions"):
        assert getattr(from_parquet, field) == getattr(from_csv, field)
    np.testing.assert_array_equal(from_parquet.closes.values, from_csv.closes.values)
    np.testing.assert_array_equal(from_parquet.closes.dates, from_csv.closes.dates)


def test_the_optional_files_may_be_missing(directory: Path) -> None:
    (directory / "corporate_actions.csv").unlink()
    (directory / "capitalisation.csv").unlink()
    market = read_market_directory(directory)
    assert market.actions == ()
    assert market.capitalisation is None


def test_a_stock_dividend_is_a_split(directory: Path) -> None:
    path = directory / "corporate_actions.csv"
    path.write_text(path.read_text().replace("split,2", "stock_dividend,0.05"))
    assert read_market_directory(directory).actions[0] == Action("ALFA", date(2024, 6, 24), "split", Decimal("1.05"))


def test_dividends_of_one_day_add_up(directory: Path) -> None:
    with (directory / "corporate_actions.csv").open("a", newline="") as file:
        csv.writer(file).writerow(["BETA", "2024-06-20", "dividend", "1"])
    assert read_market_directory(directory).actions[1].value == Decimal("1.125")


Edit = Callable[[str], str]


def put(old: str, new: str) -> Edit:
    return lambda text: text.replace(old, new)


@pytest.mark.parametrize(
    ("name", "edit", "line", "field", "problem"),
    [
        pytest.param("market.json", lambda _: "{", None, None, "not JSON", id="json cut"),
        pytest.param("market.json", put("true", '"yes"'), None, "simulated", "not true or false", id="json simulated"),
        pytest.param("market.json", put("unadjusted", "raw"), None, "price_basis", "not known", id="json basis"),
        pytest.param("securities.csv", put("adv_usd", "adv"), 1, "adv_usd", "missing", id="column missing"),
        pytest.param("securities.csv", put("half_spread_bps", "half_spread"), 1, "half_spread", "not known", id="column misspelt"),
        pytest.param("securities.csv", put("categories,", "sector,"), 1, "sector", "twice", id="column twice"),
        pytest.param("securities.csv", put("Energy,", ""), 2, None, "has 9 fields", id="field missing"),
        pytest.param("securities.csv", put("Energy", " "), 2, "sector", "empty", id="sector empty"),
        pytest.param("securities.csv", put("5000000", "-1"), 2, "adv_usd", "not positive", id="volume negative"),
        pytest.param("securities.csv", put("5000000", "5m"), 2, "adv_usd", "'5m' is not a number", id="volume text"),
        pytest.param("securities.csv", put("2.5", "NaN"), 3, "half_spread_bps", "not a number", id="spread nan"),
        pytest.param("securities.csv", put("BETA,B", "ALFA,B"), 3, "security_id", "twice", id="security twice"),
        pytest.param("securities.csv", lambda text: text.splitlines()[0], None, None, "no security", id="no securities"),
        pytest.param("securities.csv", put('"Alfa', '"Al"fa'), None, None, "not a CSV", id="quotes"),
        pytest.param("prices.csv", put("BETA", "GAMMA"), 1, "GAMMA", "not in the security master", id="price of unknown"),
        pytest.param("prices.csv", put("BETA", "ALFA"), 1, "ALFA", "twice", id="price column twice"),
        pytest.param("prices.csv", put("date", "day"), 1, "date", "missing", id="no dates"),
        pytest.param("prices.csv", put("2024-06-21", "2024-06-20"), 3, "date", "does not come after", id="date twice"),
        pytest.param("prices.csv", put("2024-06-21", "21.6.2024"), 3, "date", "not a date", id="date of another form"),
        pytest.param("prices.csv", put("10.25", "0"), 4, "BETA", "price is 0", id="price zero"),
        pytest.param("prices.csv", put("10.25", "n/a"), 4, "BETA", "'n/a' is not a number", id="price text"),
        pytest.param("prices.csv", put("10.25", "inf"), 4, "BETA", "price is inf", id="price infinite"),
        pytest.param("prices.csv", put("10.25,", ""), 4, None, "has 2 fields", id="price field missing"),
        pytest.param("models/core.csv", put("0.6", "0.7"), None, "weight_frac", "sum to 1.1", id="weights too many"),
        pytest.param("models/core.csv", put("0.6", "-0.6"), 2, "weight_frac", "negative", id="weight negative"),
        pytest.param("models/core.csv", put("ALFA", "GAMMA"), 2, "security_id", "not in the security master", id="model of unknown"),
        pytest.param("models/core.csv", put("ALFA", "BETA"), 3, "security_id", "twice", id="model twice"),
        pytest.param("corporate_actions.csv", put("split", "demerger"), 2, "kind", "not known", id="action kind"),
        pytest.param("corporate_actions.csv", put("split", "merger"), 2, "new_security_id", "empty", id="a merger into nothing"),
        pytest.param("corporate_actions.csv", put("split", "cash_in_lieu"), 2, "security_id", "not one", id="a fraction of nothing"),
        pytest.param("corporate_actions.csv", put("split,2", "stock_dividend,-0.5"), 2, "value", "not positive", id="dividend of minus"),
        pytest.param("corporate_actions.csv", put("split,2", "split,0"), 2, "value", "not positive", id="split of zero"),
        pytest.param("corporate_actions.csv", put("ALFA", "GAMMA"), 2, "security_id", "not in the security master", id="action of unknown"),
        pytest.param("corporate_actions.csv", put("2024-06-24", "2024-13-01"), 2, "ex_date", "not a date", id="no such month"),
        pytest.param(
            "corporate_actions.csv",
            put("BETA,2024-06-20,dividend", "ALFA,2024-06-24,split"),
            3,
            "ex_date",
            "another split",
            id="split twice",
        ),
        pytest.param("capitalisation.csv", put("30000000000", "-3"), 2, "ALFA", "capitalisation is -3", id="capitalisation negative"),
    ],
)
def test_a_bad_input_names_its_place(directory: Path, name: str, edit: Edit, line: int | None, field: str | None, problem: str) -> None:
    edited = edit(FILES[name])
    assert edited != FILES[name]
    (directory / name).write_text(edited)
    with pytest.raises(BadInput) as caught:
        read_market_directory(directory)
    assert (caught.value.file, caught.value.line, caught.value.field) == (name, line, field)
    assert problem in caught.value.problem
    assert caught.value.remedy


@pytest.mark.parametrize("name", ["market.json", "securities.csv", "prices.csv", "models/core.csv"])
def test_a_required_file_may_not_be_missing(directory: Path, name: str) -> None:
    (directory / name).unlink()
    with pytest.raises(BadInput, match="missing from the market directory") as caught:
        read_market_directory(directory)
    assert caught.value.file == name.split("/", maxsplit=1)[0]


@pytest.mark.parametrize("stem", ["securities", "prices", "models/core"])
def test_one_table_in_two_formats_is_refused(directory: Path, stem: str) -> None:
    (directory / f"{stem}.parquet").write_bytes(b"")
    with pytest.raises(BadInput, match="Keep one of the two"):
        read_market_directory(directory)


@pytest.mark.parametrize("name", ["securities.csv", "prices.csv"])
def test_text_that_is_not_utf8(directory: Path, name: str) -> None:
    (directory / name).write_bytes(FILES[name].replace("BETA", "BÊTA").encode("latin-1"))
    with pytest.raises(BadInput) as caught:
        read_market_directory(directory)
    assert caught.value.file == name


def test_broken_and_wrongly_typed_parquet(directory: Path) -> None:
    (directory / "prices.csv").unlink()
    (directory / "prices.parquet").write_bytes(b"PAR1")
    with pytest.raises(BadInput, match="not a Parquet file"):
        read_market_directory(directory)
    pq.write_table(pa.table({"date": [date(2024, 6, 24)], "ALFA": [[1.0]]}), directory / "prices.parquet")
    with pytest.raises(BadInput, match="Store numbers"):
        read_market_directory(directory)


def test_no_directory(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such directory"):
        read_market_directory(tmp_path / "nowhere")


def test_a_byte_order_mark_is_no_part_of_the_header(directory: Path) -> None:
    for name in ("securities.csv", "prices.csv"):
        (directory / name).write_bytes(b"\xef\xbb\xbf" + FILES[name].encode())
    assert len(read_market_directory(directory).securities) == 2


def test_simulated_is_carried_to_the_snapshot(directory: Path) -> None:
    (directory / "market.json").write_text(json.dumps({"simulated": False, "price_basis": "split_adjusted"}))
    assert load_market(directory, date(2024, 6, 24)).simulated is False
