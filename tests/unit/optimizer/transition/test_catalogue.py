"""The catalogue and the simulated market that ships: what every strategy holds, offers and refuses."""

import json
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.market_files import read_market_directory as ingest_reads
from services.optimizer.core.transition.case import ApproachKind
from services.optimizer.transition.catalogue import STRATEGIES, Catalogue, made_weights, netted, netting_words, read_catalogue, weights_of
from services.optimizer.transition.faults import FieldFault
from services.optimizer.transition.market_directory import SHIPPED, TransitionMarket, read_market
from services.optimizer.transition.simulated_market import write_market

DIRECT = [
    "direct-index-all-cap",
    "direct-index-international",
    "direct-index-large-cap",
    "direct-index-large-cap-growth",
    "direct-index-large-cap-value",
]
MANAGED = ["multi-manager-international", "multi-manager-large-cap", "multi-manager-small-mid-cap"]
CORE = ["core-equity", "direct-index-core-equity"]


@pytest.fixture(scope="module")
def market() -> TransitionMarket:
    found = read_market()
    assert isinstance(found, TransitionMarket)
    return found


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    found = read_catalogue()
    assert isinstance(found, Catalogue)
    return found


def weights(strategy_id: str, catalogue: Catalogue, market: TransitionMarket) -> dict[str, Decimal]:
    strategy = catalogue.find(strategy_id)
    assert strategy is not None
    found = weights_of(strategy, catalogue, market)
    assert isinstance(found, dict)
    return found


def test_the_catalogue_has_every_strategy_and_says_what_it_offers(catalogue: Catalogue) -> None:
    assert sorted(each.strategy_id for each in catalogue.for_clients()) == sorted(DIRECT + MANAGED + CORE)
    for each in catalogue.for_clients():
        assert each.offers(ApproachKind.TIMELINE)
        assert each.offers(ApproachKind.TAX_BUDGET) is (each.strategy_id in DIRECT + CORE)
        assert all(len(refusal.reason) > 30 for refusal in each.not_offered)


def test_every_target_is_whole(catalogue: Catalogue, market: TransitionMarket) -> None:
    for each in catalogue.strategies:
        found = weights(each.strategy_id, catalogue, market)
        assert abs(sum(found.values()) - 1) < Decimal("1e-12")
        assert all(weight > 0 for weight in found.values())


def test_an_index_holds_what_its_rule_names(catalogue: Catalogue, market: TransitionMarket) -> None:
    of = {each.security_id: each for each in market.securities}
    large = weights("direct-index-large-cap", catalogue, market)
    assert {(of[each].region, of[each].size) for each in large} == {("US", "large")}
    biggest = max(market.securities, key=lambda each: each.cap_usd)
    assert max(large, key=large.__getitem__) == biggest.security_id
    growth = weights("direct-index-large-cap-growth", catalogue, market)
    assert {of[each].style for each in growth} == {"growth", "core"}
    assert {of[each].region for each in weights("direct-index-international", catalogue, market)} == {"Europe", "Asia", "Emerging"}


def test_a_market_without_a_model_follows_the_rule(catalogue: Catalogue, market: TransitionMarket) -> None:
    for each in catalogue.strategies:
        made, given = made_weights(each, catalogue, market), weights(each.strategy_id, catalogue, market)
        assert isinstance(made, dict)
        assert max(abs(made.get(name, Decimal(0)) - given.get(name, Decimal(0))) for name in {*made, *given}) < Decimal("1e-8")


@given(st.dictionaries(st.sampled_from("ABCDE"), st.decimals(0, 1, places=4), min_size=1), st.decimals(0, 1, places=4))
def test_what_one_manager_buys_and_another_sells_is_one_position(first: dict[str, Decimal], share: Decimal) -> None:
    second = dict.fromkeys("BCX", Decimal("0.25"))
    both = netted({"one": first, "two": second}, {"one": share, "two": 1 - share})
    for name in "ABCDEX":
        assert both.get(name, Decimal(0)) == share * first.get(name, Decimal(0)) + (1 - share) * second.get(name, Decimal(0))


def test_netting_is_told(catalogue: Catalogue, market: TransitionMarket) -> None:
    strategy = catalogue.find("multi-manager-large-cap")
    assert strategy is not None
    books = market.managers[strategy.strategy_id].values()
    every = set().union(*books)
    shared = sum(len([book for book in books if each in book]) > 1 for each in every)
    assert 0 < shared < len(every)
    (words,) = netting_words(strategy, market)
    assert words.startswith("4 managers' models") and f"{len(every)} securities, {shared} of them" in words
    index = catalogue.find("direct-index-large-cap")
    assert index is not None and netting_words(index, market) == []


def test_the_shipped_market_is_what_its_script_writes(tmp_path: Path) -> None:
    write_market(tmp_path)
    written = {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    shipped = {path.relative_to(SHIPPED): path.read_bytes() for path in SHIPPED.rglob("*") if path.is_file()}
    assert sorted(written) == sorted(shipped)
    assert [name for name in written if written[name] != shipped[name]] == []


def test_the_shipped_market_says_that_it_is_simulated_and_ingest_reads_it(market: TransitionMarket) -> None:
    assert market.simulated
    assert 500 <= len(market.securities) <= 700
    assert bool(market.in_risk_model.all())
    assert all(each.price_usd is not None for each in market.securities)
    read = ingest_reads(SHIPPED)
    assert read.simulated
    assert [each.security_id for each in read.securities] == [each.security_id for each in market.securities]


@pytest.mark.parametrize(
    ("file", "content", "field"),
    [
        ("market.json", "[]", "market.json"),
        ("securities.csv", "id,name\nA,B\n", "securities.csv: security_id"),
        ("prices.csv", "date,ALDER\n", "prices.csv"),
        ("prices.csv", "date,ALDER\nsoon,1\n", "prices.csv: date"),
        ("prices.csv", "date,ALDER\n2026-11-20,x\n", "prices.csv: ALDER"),
        ("risk_model.csv", "security_id\nALDER\n", "risk_model.csv: specific_var_ann"),
        ("models/mine.csv", "security_id,weight_frac\nNOBODY,1\n", "models/mine.csv: security_id"),
        ("models/core-bonds.csv", "security_id,weight_frac\nBNDAG,0.5\n", "models/core-bonds.csv: weight_frac"),
        ("managers/mine.csv", "manager,security_id,weight_frac\nA,BNDAG,0.5\n", "managers/mine.csv: weight_frac"),
    ],
)
def test_a_market_that_can_t_be_read_says_where(tmp_path: Path, file: str, content: str, field: str) -> None:
    for path in SHIPPED.rglob("*"):
        if path.is_file():
            (tmp_path / path.relative_to(SHIPPED)).parent.mkdir(exist_ok=True)
            (tmp_path / path.relative_to(SHIPPED)).write_bytes(path.read_bytes())
    (tmp_path / file).write_text(content)
    found = read_market(tmp_path)
    assert isinstance(found, FieldFault)
    assert found.field == field
    assert found.remedy


def test_no_market_is_a_fault(tmp_path: Path) -> None:
    assert isinstance(read_market(tmp_path / "nowhere"), FieldFault)


def test_a_file_that_is_no_strategy_is_a_fault(tmp_path: Path) -> None:
    for path in STRATEGIES.glob("*.json"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "odd.json").write_text(json.dumps({"strategy_id": "odd"}))
    found = read_catalogue(tmp_path)
    assert isinstance(found, FieldFault)
    assert found.field == "odd.json"


def test_a_strategy_that_a_market_can_t_make_is_refused(catalogue: Catalogue, market: TransitionMarket) -> None:
    market = read_market()  # type: ignore[assignment]
    market.models.clear()
    market.managers.clear()
    strategy = catalogue.find("core-equity")
    assert strategy is not None
    found = weights_of(strategy, catalogue, market)
    assert isinstance(found, FieldFault)
    assert "Alder Growth" in found.message
