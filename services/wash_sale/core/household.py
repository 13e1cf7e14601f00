"""The facts of a household's ledger: immutable values; `transitions.py` makes new ones.  (A dict in them is never changed in place.)"""

from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from libs.common.schemas.account import AccountChanged, AccountType, PastSale, TaxOpening
from libs.common.schemas.order import TradeBooked
from services.wash_sale.core.lots import How

PROVISIONAL = "P-"


class EarlierWord(Struct, frozen=True, array_like=True, gc=False):
    """What a lot's basis and date were by the files before that of `until`, which said otherwise."""

    until: date
    cost: Decimal | None
    acquired: date | None


class StartingLot(Struct, frozen=True, gc=False):
    """A lot as the custodian's file first brought it: `cost` is the reported basis in dollars and cents, None where unknown.

    `counted_on` is the business date of that file: the splits after it apply to `quantity`.  `was`: what earlier files said, for a basis
    that a file gives after an action is not the one before it.  What a person told of it (`told_by`, from
    `told_at` on) beats the file: its basis and dates, and how it came; a gift that had lost value has a second basis and date for a loss.
    """

    lot_id: str
    security_id: str
    quantity: Decimal
    cost: Decimal | None
    acquired: date | None
    counted_on: date
    how: How = "purchase"
    held_since: date | None = None
    loss_cost: Decimal | None = None
    loss_since: date | None = None
    told_by: str | None = None
    told_at: datetime | None = None
    was: tuple[EarlierWord, ...] = ()

    def before(self, day: date | None) -> "StartingLot":
        """The lot with the basis and date that files from before a day gave it; None: the last word."""
        earlier = None if day is None else next((word for word in self.was if word.until >= day), None)
        return self if earlier is None else replace(self, cost=earlier.cost, acquired=earlier.acquired)


class Departure(Struct, frozen=True):
    """Shares that left the account without a trade, as a person told (`told_by`, from `told_at` on): given away, or moved elsewhere.

    `quantity` in the shares of `day`.  `value` in dollars and `donee`: a gift to a public charity.
    """

    lot_id: str
    security_id: str
    quantity: Decimal
    day: date
    why: Literal["gift", "transfer"]
    told_by: str
    told_at: datetime
    value: Decimal | None = None
    donee: Literal["public_charity"] | None = None


class ReportedBasis(Struct, frozen=True, array_like=True, gc=False):
    """A lot's basis as the custodian last said it, as adjusted by it; None where it has none."""

    security_id: str
    basis: Decimal | None


class AccountFacts(Struct, frozen=True):
    """What the ledger knows of one account.

    `version` is the account version last compared, `reported` its lots' quantities (custodian's ids), which hold the trades up to
    `reported_seq`, and `reported_basis` their basis by the custodian; `trade_seq` is the last trade booked here.  `starting` are the
    starting lots by id, `aliases` map provisional lots to the custodian's.  `pending` are account versions that hold trades which have not
    come yet, by their trade_seq.  `provisional` has the security, as last reported, of lots that are our own word.  An account that left
    the household (`departed`) keeps its history in it.
    """

    account_id: str
    account_type: AccountType
    taxpayer_id: str
    version: int
    reported: dict[str, Decimal]
    reported_seq: int
    trade_seq: int
    starting: dict[str, StartingLot]
    joined: date
    aliases: dict[str, str] = {}
    tax_opening: TaxOpening | None = None
    past_sales: list[PastSale] = []
    pending: dict[int, AccountChanged] = {}
    reported_basis: dict[str, ReportedBasis] = {}
    departures: list[Departure] = []
    departed: bool = False
    provisional: dict[str, str] = {}

    @property
    def taxable(self) -> bool:
        """Whether its gains are taxed and its losses count."""
        return self.account_type == "taxable"

    def lot_named(self, lot_id: str) -> str:
        """The lot's id at the custodian, once a provisional lot has one."""
        return self.aliases.get(lot_id, lot_id)


class HouseholdLedger(Struct, frozen=True):
    """`trades` are the booked ones by security, in the order they came; `waiting` those that lack their predecessor, lot or account."""

    household_id: str
    accounts: dict[str, AccountFacts] = {}
    trades: dict[str, list[TradeBooked]] = {}
    waiting: dict[str, list[TradeBooked]] = {}

    def with_account(self, account: AccountFacts) -> "HouseholdLedger":
        """The ledger with one account's facts replaced."""
        return replace(self, accounts={**self.accounts, account.account_id: account})

    def with_trade(self, trade: TradeBooked) -> "HouseholdLedger":
        """The ledger with one more booked trade, and its account moved on to it."""
        account = self.accounts[trade.account_id]
        trades = {**self.trades, trade.security_id: [*self.trades.get(trade.security_id, ()), trade]}
        return replace(self.with_account(replace(account, trade_seq=trade.trade_seq)), trades=trades)

    def with_waiting(self, account_id: str, waiting: list[TradeBooked]) -> "HouseholdLedger":
        """The ledger with an account's waiting trades replaced."""
        others = {known: trades for known, trades in self.waiting.items() if known != account_id}
        return replace(self, waiting={**others, account_id: waiting} if waiting else others)

    def standing_trades(self, security_id: str) -> list[TradeBooked]:
        """The booked trades of a security less the busted ones and the busts."""
        trades = self.trades.get(security_id, [])
        busted = {trade.ref_trade_id for trade in trades if trade.kind == "bust"}
        return [trade for trade in trades if trade.kind != "bust" and trade.trade_id not in busted]
