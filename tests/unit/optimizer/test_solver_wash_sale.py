"""No proposal of the product contains a wash sale, by the wash_sale core's own books.

Accounts with identity groups, lots of the last days, losses sold here and purchases made elsewhere in the household are decided in whole
shares by the product's own path; each proposal's trades are then tried out on books that hold the same lots, whichever come first.
"""

from datetime import date, timedelta
from decimal import Decimal as D
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from libs.common.schemas.account import PlanLimits, TaxRates
from libs.common.schemas.proposal import ProposalCreated
from services.optimizer.account_file import AccountFile, FileLot, FileSecurity, FileTrade
from services.optimizer.account_payloads import payloads_of
from services.optimizer.core.propose import propose
from services.wash_sale.core.book import Book
from services.wash_sale.core.booking import book_event
from services.wash_sale.core.identity import IdentityEntry, IdentityTable
from services.wash_sale.core.intended import IntendedTrade, try_out
from services.wash_sale.core.lots import Layer
from services.wash_sale.core.policy import DEFAULT_POLICY
from services.wash_sale.core.tax_events import LotIn, LotPart, PastLoss, TaxAccount, TaxEvent

AS_OF, NAMES = date(2026, 1, 15), 12
OWN, ELSEWHERE = "ACCOUNT", "ELSEWHERE"
CENT = D("0.01")


def random_file(seed: int) -> AccountFile:
    """Twelve names, a third of them in groups of two, most lots with losses."""
    random = Random(seed)
    ids = [f"S{i:02d}" for i in range(NAMES)]
    grouped = random.random() < 0.7
    securities = [
        FileSecurity(
            security_id=each,
            price=D(str(round(random.uniform(15, 180), 2))),
            exposures=[0.16 + 0.02 * random.gauss(0, 1), 0.04 * random.gauss(0, 1)],
            specific_var_ann=random.uniform(0.02, 0.1),
            target_frac=D("0.08") if i < NAMES - 1 else 1 - D("0.08") * (NAMES - 1),
            identity_group=f"G{i // 2}" if grouped and i < 4 else None,
        )
        for i, each in enumerate(ids)
    ]
    lots = []
    for each in securities:
        for k in range(random.randint(0, 3)):
            days = random.choice([1, 8, 29, 30, 31, 60, 364, 366, 700])
            quantity = D(random.randint(5, 120)) if random.random() < 0.8 else D(str(round(random.uniform(1, 90), 3)))
            basis = (quantity * each.price * D(str(round(random.uniform(0.7, 1.6), 4)))).quantize(CENT)
            lots.append(FileLot(f"{each.security_id}-{k}", each.security_id, quantity, basis, AS_OF - timedelta(days=days)))
    recent = [1, 10, 29, 30, 31]

    def trades() -> list[FileTrade]:
        return [FileTrade(each, AS_OF - timedelta(days=random.choice(recent))) for each in ids if random.random() < 0.12]

    return AccountFile(
        as_of=AS_OF,
        rates=TaxRates(D("0.408"), D("0.238")),
        cash=D(random.choice([500, 5_000, 40_000])),
        factors=["market", "other"],
        securities=securities,
        lots=lots,
        risk_aversion=D(random.choice([2, 20, 100])),
        min_trade=D(random.choice([0, 300])),
        price_collar_bps=random.choice([0, 300]),
        limits=PlanLimits(trades=random.choice([None, 6])),
        sold_at_a_loss=trades(),
        bought_elsewhere=trades(),
    )


def book_of(document: AccountFile) -> Book:
    """The file's lots, past losses and purchases elsewhere as the ledger has them."""
    events: list[TaxEvent] = []
    for lot in document.lots:
        assert lot.acquired is not None and lot.tax_basis is not None
        layer = Layer(OWN, lot.lot_id, f"{OWN}/{lot.lot_id}", lot.security_id, lot.quantity, lot.tax_basis, lot.acquired, lot.acquired)
        events.append(LotIn(lot.lot_id, lot.acquired, layer, acquisition=True, settled=True))
    for n, trade in enumerate(document.bought_elsewhere):
        name = f"there-{n}"
        layer = Layer(ELSEWHERE, name, f"{ELSEWHERE}/{name}", trade.security_id, D(50), D(5_000), trade.trade_date, trade.trade_date)
        events.append(LotIn(name, trade.trade_date, layer, acquisition=True, settled=True))
    for n, trade in enumerate(document.sold_at_a_loss):
        events.append(PastLoss(f"past-{n}", trade.trade_date, OWN, trade.security_id, D(50), D(900)))
    groups = [IdentityEntry(each.security_id, each.identity_group) for each in document.securities if each.identity_group is not None]
    accounts = {each: TaxAccount(each, "owner", taxable=True) for each in (OWN, ELSEWHERE)}
    book = Book(accounts, IdentityTable(groups), DEFAULT_POLICY)
    for event in sorted(events, key=lambda each: each.day):
        assert book_event(book, event) is None
    return book


def intended(made: ProposalCreated) -> list[IntendedTrade]:
    """The proposal's trades, each with its lots."""
    found = []
    for n, trade in enumerate(made.trades):
        lots = tuple(LotPart(lot.lot_id, lot.quantity) for lot in trade.lots) if trade.side == "sell" else None
        quantity = sum((lot.quantity for lot in trade.lots), D(0)) if trade.side == "sell" else trade.quantity
        found.append(IntendedTrade(f"{n} {trade.side}", OWN, trade.security_id, trade.side, quantity, trade.price, lots))
    return found


def denied(book: Book, trades: list[IntendedTrade]) -> dict[str, D]:
    """Dollars of loss denied by trade: of this account's own sales, or of losses taken before by its purchases."""
    meanings = try_out(book, trades, AS_OF)
    assert [each.refusal for each in meanings if each.refusal] == []
    return {f"{trade.side} {trade.security_id}": each.denied for trade, each in zip(trades, meanings, strict=True) if each.denied}


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_no_proposal_contains_a_wash_sale_by_the_ledgers_own_judgement(seed: int) -> None:
    document = random_file(seed)
    given_payloads = payloads_of(document)
    made = propose(given_payloads.account, given_payloads.screen, given_payloads.ledger, given_payloads.market, given_payloads.run, [])
    if not isinstance(made, ProposalCreated):
        return
    sales_first = sorted(intended(made), key=lambda each: each.side, reverse=True)
    for trades in (sales_first, sales_first[::-1]):
        assert denied(book_of(document), trades) == {}


def test_the_judge_can_say_no() -> None:
    """A loss sold beside a purchase of an identical security, and a purchase after a loss of its group."""
    document = random_file(3)
    pair = [each.security_id for each in document.securities if each.identity_group == "G0"]
    assert len(pair) == 2
    lot = FileLot("old", pair[0], D(10), D(10_000), AS_OF - timedelta(days=400))
    alone = AccountFile(document.as_of, document.rates, document.cash, document.factors, document.securities, [lot])
    sale = IntendedTrade("s", OWN, pair[0], "sell", D(10), D(50), (LotPart("old", D(10)),))
    buy = IntendedTrade("b", OWN, pair[1], "buy", D(10), D(50))
    assert denied(book_of(alone), [sale, buy]) == {f"sell {pair[0]}": D("9500.00"), f"buy {pair[1]}": D("9500.00")}
