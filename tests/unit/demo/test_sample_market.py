"""The simulated market: what is promised of it, and the directory it writes."""

import csv
import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from demo.sample.days import DEMO_DAYS, FIRST_DAY, HISTORY_END, is_business_day
from demo.sample.market import DIVIDEND, LARGE, make_market, write_market
from demo.sample.picks import split_adjusted
from demo.sample.prices import JUMP_RATIO, class_pairs
from demo.sample.universe import SECTORS
from tests.unit.demo.shared_sample import made

DAY_1, DAY_2, DAY_3 = (day.business_date for day in DEMO_DAYS)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def directories(tmp_path_factory: pytest.TempPathFactory) -> dict[date, Path]:
    root = tmp_path_factory.mktemp("market")
    for day in (DAY_1, DAY_2):
        write_market(made().market, root / day.isoformat(), day)
    return {day: root / day.isoformat() for day in (DAY_1, DAY_2)}


def test_universe_has_the_promised_shape() -> None:
    universe = made().market.universe
    assert len({s.security_id for s in universe}) == len(universe) == 600
    assert {s.sector for s in universe} == set(SECTORS) and len(SECTORS) == 11
    assert all(2 <= len(industries) <= 4 for _, industries in SECTORS.values())
    pairs = class_pairs(universe)
    assert len(pairs) == 15
    assert all(universe[a].identity_group == universe[b].identity_group for a, b in pairs)
    assert len({s.identity_group for s in universe}) == 585
    assert {"tobacco", "alcohol", "weapons", "gambling", "fossil_fuel", "interest_banking", "adult_entertainment"} <= {
        category for s in universe for category in s.categories
    }


def test_models_hold_500_and_150_names_and_sum_to_one() -> None:
    models = made().market.models
    assert [(models[name] > 0).sum() for name in (LARGE, DIVIDEND)] == [500, 150]
    assert all(units.sum() == 100_000_000 and units.min() >= 0 for units in models.values())
    assert 0.015 < models[LARGE].max() / 1e8 < 0.06


def test_history_is_four_years_of_business_days_ending_with_the_demo() -> None:
    days = made().market.history.days
    assert (days[0], days[-1]) == (FIRST_DAY, HISTORY_END) and DAY_3 == HISTORY_END
    assert all(is_business_day(day) for day in days) and days == sorted(set(days))
    assert [day.weekday() for day in (DAY_1, DAY_2, DAY_3)] == [0, 1, 2]
    assert not is_business_day(date(2025, 11, 27)) and not is_business_day(date(2025, 12, 13))


def test_no_move_beyond_a_quarter_but_the_jump() -> None:
    market = made().market
    adjusted = split_adjusted(market)
    adjusted[market.row(DAY_2) :, market.history.split_column] *= 2
    moves = adjusted[1:] / adjusted[:-1] - 1
    large = np.argwhere(np.abs(moves) > 0.25)
    assert large.tolist() == [[market.row(DAY_1) - 1, market.history.jump_column]]
    assert moves[market.row(DAY_1) - 1, market.history.jump_column] == pytest.approx(1 / JUMP_RATIO - 1, abs=0.05)


def test_jump_has_no_action_and_split_has_one() -> None:
    history = made().market.history
    assert all(split.column != history.jump_column for split in history.splits)
    assert [(s.ex_date, s.ratio) for s in history.splits if s.column == history.split_column] == [(DAY_2, 2)]
    weights = made().market.models[LARGE]
    assert weights[history.jump_column] > 0 and weights[history.split_column] > 0


def test_index_moves_like_a_large_index() -> None:
    market = made().market
    weight = market.models[LARGE] / 1e8
    returns = (np.diff(np.log(market.history.cap_usd), axis=0) * weight).sum(axis=1)
    assert 0.10 < returns.std() * 252**0.5 < 0.25


def test_directory_shows_nothing_later_than_its_day(directories: dict[date, Path]) -> None:
    for day, directory in directories.items():
        dates = [row["date"] for row in rows_of(directory / "prices.csv")]
        assert dates[-1] == day.isoformat() and dates[0] == FIRST_DAY.isoformat()
        assert max(row["ex_date"] for row in rows_of(directory / "corporate_actions.csv")) <= day.isoformat()
        assert [row["date"] for row in rows_of(directory / "capitalisation.csv")] == dates
        assert json.loads((directory / "market.json").read_text()) == {"simulated": True, "price_basis": "unadjusted"}


def test_split_stands_in_the_second_day_only(directories: dict[date, Path]) -> None:
    security = made().market.split_security
    splits = {
        day: [row for row in rows_of(path / "corporate_actions.csv") if row["security_id"] == security and row["kind"] == "split"]
        for day, path in directories.items()
    }
    assert splits[DAY_1] == [] and [row["value"] for row in splits[DAY_2]] == ["2"]


def test_files_read_back_as_simulated(directories: dict[date, Path]) -> None:
    market, directory = made().market, directories[DAY_2]
    last = rows_of(directory / "prices.csv")[-1]
    assert [Decimal(last[s.security_id]) * 100 for s in market.universe] == market.history.price_cents[market.row(DAY_2)].tolist()
    for strategy, units in market.models.items():
        weights = {row["security_id"]: Decimal(row["weight_frac"]) for row in rows_of(directory / "models" / f"{strategy}.csv")}
        assert sum(weights.values()) == 1 and len(weights) == (units > 0).sum()
    securities = rows_of(directory / "securities.csv")
    assert [row["security_id"] for row in securities] == sorted(row["security_id"] for row in securities)
    assert all(int(row["adv_usd"]) > 100_000 for row in securities)


def test_same_bytes_again(directories: dict[date, Path], tmp_path: Path) -> None:
    write_market(make_market(), tmp_path, DAY_2)
    files = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file())
    assert len(files) == 7
    assert all((tmp_path / name).read_bytes() == (directories[DAY_2] / name).read_bytes() for name in files)
