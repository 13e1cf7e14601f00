"""One run over a market with every fault in it: the accounts that touch one are refused by its field and security, the others go on."""

from decimal import Decimal

import pytest
from msgspec import structs

from libs.common.schemas.account import AccountChanged, PlanLimits, WeightBound
from libs.common.schemas.market import MarketPublished, RiskModel, TargetModel
from libs.common.schemas.proposal import ProposalCreated, ProposalDeclined
from libs.common.schemas.screen import ScreenUpdated, Verdict
from services.optimizer.pool import InlinePool
from tests.integration.test_optimizer_service import LOTS, NAMES, WORLD, run_of, running
from tests.unit.optimizer.samples import Lot, account_of, ledger_of, verdict

pytestmark = pytest.mark.usefixtures("kernels")

ODD_PRICES: dict[str, str | None] = {"NAN": "NaN", "NEGATIVE": "-1", "NONE": None, "HUGE": "1e30"}
ODD_RISK = ("MISSING", "VARIANCE", "EXPOSURES", "STEEP")
D = Decimal


def faulty_market() -> MarketPublished:
    """The good names, and one more for each fault that a price or a row of the risk model can have."""
    columns, risk, more = WORLD.market.securities, WORLD.market.risk, [*ODD_PRICES, *ODD_RISK]
    count = len(more)
    securities = structs.replace(
        columns,
        security_id=[*columns.security_id, *more],
        issuer_id=[*columns.issuer_id, *more],
        identity_group=[*columns.identity_group, *more],
        sector=[*columns.sector, *["any"] * count],
        industry=[*columns.industry, *["any"] * count],
        categories=[*columns.categories, *[[] for _ in more]],
        price=[*columns.price, *ODD_PRICES.values(), *["100"] * len(ODD_RISK)],
        half_spread_bps=[*columns.half_spread_bps, *[3.0] * count],
        adv_usd=[*columns.adv_usd, *[1e7] * count],
        blocked=[*columns.blocked, *[None] * count],
    )
    covered = [each for each in more if each != "MISSING"]
    rows = [{"EXPOSURES": [0.1], "STEEP": [1e300, 0.0, 0.0]}.get(each, [0.1, 0.0, 0.0]) for each in covered]
    model = RiskModel(
        [*risk.security_id, *covered],
        risk.factors,
        [*risk.exposures, *rows],
        [*risk.specific_var_ann, *(-0.04 if each == "VARIANCE" else 0.04 for each in covered)],
    )
    heavy = TargetModel("heavy", ["N0", "N1"], ["0.6", "0.5"])
    short = TargetModel("short", ["N0", "N1"], ["1.1", "-0.1"])
    return structs.replace(WORLD.market, securities=securities, risk=model, models=[*WORLD.market.models, heavy, short])


def odd_account(account_id: str, lots: list[Lot], **fields: object) -> AccountChanged:
    return account_of(lots, "100000", account_type="roth_ira", account_id=account_id, **fields)


CONTRADICTORY = PlanLimits(weights=[WeightBound("security", "N3", D("0.3"), D("0.2"))])
ACCOUNTS: dict[str, tuple[AccountChanged, list[Lot], str, str]] = {
    name: (odd_account(f"B-{name}", [lot], **fields), [lot], code, said)
    for name, lot, fields, code, said in (
        *(
            (each, Lot(f"{each}-0", each, "10", "90"), {}, "invalid_market", f"price of {each} is {D(price)}")
            for each, price in ODD_PRICES.items()
            if price
        ),
        ("NONE", Lot("NONE-0", "NONE", "10", "90"), {}, "price_missing", "no price of NONE, which the account holds"),
        ("UNKNOWN", Lot("UNKNOWN-0", "UNKNOWN", "10", "90"), {}, "price_missing", "no price of UNKNOWN, which the account holds"),
        ("MISSING", Lot("MISSING-0", "MISSING", "10", "90"), {}, "risk_missing", "the risk model has no row of MISSING"),
        ("VARIANCE", Lot("VARIANCE-0", "VARIANCE", "10", "90"), {}, "invalid_market", "specific_var_ann of VARIANCE is -0.04"),
        ("EXPOSURES", Lot("EXPOSURES-0", "EXPOSURES", "10", "90"), {}, "invalid_market", "exposures of EXPOSURES are not 3 finite numbers"),
        ("STEEP", Lot("STEEP-0", "STEEP", "10", "90"), {}, "invalid_market", "exposures of STEEP have 1e+300"),
        ("heavy", Lot("heavy-0", "N2", "10", "90"), {"strategy_id": "heavy"}, "invalid_market", "weights of model heavy sum to 1.1"),
        ("short", Lot("short-0", "N2", "10", "90"), {"strategy_id": "short"}, "invalid_market", "weight_frac of N1 in model short is -0.1"),
        (
            "limits",
            Lot("limits-0", "N2", "10", "90"),
            {"limits": CONTRADICTORY},
            "invalid_account",
            "limits.weights[0], security N3: least against",
        ),
        ("band", Lot("band-0", "N2", "10", "90"), {"cash_max_frac": D("NaN")}, "invalid_account", "cash_max_frac is NaN"),
        ("screen", Lot("screen-0", "N2", "10", "90"), {}, "invalid_account", "min_weight_frac of N4 is above its max_weight_frac"),
        ("shares", Lot("shares-0", "N2", "-10", "90"), {}, "invalid_account", "quantity of lot shares-0 is -10"),
        ("worth", Lot("worth-0", "N2", "1e30", "90"), {}, "invalid_account", "account value in dollars, more than any account has"),
    )
}


def screen_of(account_id: str) -> ScreenUpdated:
    verdicts: list[Verdict] = []
    if account_id == "B-screen":
        verdicts = [verdict("N4", "weights", min_weight=D("0.3"), max_weight=D("0.2"))]
    return structs.replace(WORLD.screen, account_id=account_id, verdicts=verdicts)


async def test_every_faulty_account_is_refused_by_name_and_the_others_go_on(fresh_database: str) -> None:
    good = WORLD.account
    accounts = [good, *(account for account, *_ in ACCOUNTS.values())]
    held = [ledger_of(good, LOTS).accounts[0], *(ledger_of(account, lots).accounts[0] for account, lots, *_ in ACCOUNTS.values())]
    ledger = structs.replace(WORLD.ledger, accounts=held)
    async with running(fresh_database, InlinePool()) as stage:
        screens = [WORLD.screen, *(screen_of(account.account_id) for account, *_ in ACCOUNTS.values())]
        await stage.say(faulty_market(), *accounts, *screens, ledger, run_of(*accounts))
        decided = {each.account_id: each for each in await stage.answers(len(accounts))}
    for account, _, code, said in ACCOUNTS.values():
        decision = decided[account.account_id]
        assert isinstance(decision, ProposalDeclined), account.account_id
        assert (decision.outcome, decision.code) == ("refused", code)
        assert decision.message.startswith(said), decision.message
    made = decided[good.account_id]
    assert isinstance(made, ProposalCreated)
    assert {trade.security_id for trade in made.trades} <= set(NAMES) and made.trades
