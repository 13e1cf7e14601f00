"""The accounts of a household, and what ingest, restrictions and wash_sale would say of them, each at its own pace."""

from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

from msgspec.structs import replace

from libs.common.money import ZERO
from libs.common.schemas.account import AccountChanged, AccountType, LotColumns
from libs.common.schemas.ledger import LedgerAccount, LedgerUpdated, TaxLotColumns, Window
from libs.common.schemas.order import TradeBooked
from libs.common.schemas.screen import ScreenUpdated, Verdict
from tests.integration.interleavings.book import Held, Position, position, realised_loss, standing
from tests.integration.interleavings.market import GROUP_OF, NAMES
from tests.unit.orders.samples import ACCOUNT, AS_OF, LEDGER, SCREEN

D = Decimal
OPENING = {
    "loss": Held("AAA", D(20), D(150)),
    "gain": Held("AAA", D(20), D(50)),
    "sister": Held("AAB", D("10.5"), D(130)),
    "old": Held("BBB", D(30), D(30)),
    "unknown": Held("CCC", D(40), None),
}
OPENING_CASH = D(3_000)
LAST_DAY = AS_OF + timedelta(days=30)


@dataclass
class Account:
    """One account, the trades that were booked for it by number, and each version that was said of it and of its screen."""

    account_id: str
    household_id: str
    account_type: AccountType
    trades: dict[int, TradeBooked] = field(default_factory=dict)
    extra_cash: Decimal = ZERO
    do_not_trade: bool = False
    said: list[AccountChanged] = field(default_factory=list)
    screens: list[ScreenUpdated] = field(default_factory=list)

    def known_trades(self) -> list[TradeBooked]:
        """Those whose predecessors are all known, in their order."""
        found = []
        while len(found) + 1 in self.trades:
            found.append(self.trades[len(found) + 1])
        return found

    def position(self, trades: list[TradeBooked]) -> Position:
        return position(OPENING, OPENING_CASH + self.extra_cash, trades)

    def next_version(self) -> AccountChanged:
        """What ingest says now."""
        trades = self.known_trades()
        now = self.position(trades)
        lots = [(lot_id, held) for lot_id, held in sorted(now.lots.items()) if held.shares > 0]
        self.said.append(
            replace(
                ACCOUNT,
                account_id=self.account_id,
                household_id=self.household_id,
                account_type=self.account_type,
                version=len(self.said) + 1,
                trade_seq=len(trades),
                state="parked" if now.oversold else "open",
                state_reason="oversold" if now.oversold else None,
                do_not_trade=self.do_not_trade,
                cash_settled=now.settled,
                cash_unsettled=now.unsettled,
                lots=LotColumns(
                    [lot_id for lot_id, _ in lots],
                    [held.security_id for _, held in lots],
                    [str(held.shares) for _, held in lots],
                    [None if held.basis is None else str(held.basis * held.shares) for _, held in lots],
                    ["2024-01-05" for _ in lots],
                    [lot_id.startswith("P-") for lot_id, _ in lots],
                ),
            )
        )
        return self.said[-1]

    def next_screen(self, verdicts: list[Verdict]) -> ScreenUpdated:
        """What restrictions says after an edit."""
        version = len(self.screens) + 1
        self.screens.append(replace(SCREEN, account_id=self.account_id, household_id=self.household_id, version=version, verdicts=verdicts))
        return self.screens[-1]


@dataclass
class Household:
    """The accounts of one household and each version of its ledger."""

    household_id: str
    accounts: list[Account]
    ledgers: list[LedgerUpdated] = field(default_factory=list)

    def in_order(self) -> list[Account]:
        """As they are solved: taxable first, then by id."""
        return sorted(self.accounts, key=lambda one: (one.account_type != "taxable", one.account_id))

    def next_ledger(self) -> LedgerUpdated:
        """What wash_sale says now: every lot with its basis, and the windows of what was bought or sold at a loss."""
        after_losses: list[Window] = []
        after_buys: list[Window] = []
        held = []
        for account in self.accounts:
            trades = account.known_trades()
            now = account.position(trades)
            held.append(LedgerAccount(account.account_id, len(account.said), len(trades), _tax_lots(now), []))
            for trade in standing(trades):
                if trade.side == "buy" and now.lots[f"P-{trade.trade_id}"].shares > 0:
                    after_buys.append(_window(trade, [f"P-{trade.trade_id}"]))
                elif account.account_type == "taxable" and realised_loss(trade, now.lots):
                    after_losses.append(_window(trade, []))
        self.ledgers.append(
            replace(
                LEDGER,
                household_id=self.household_id,
                version=len(self.ledgers) + 1,
                accounts=held,
                blocked_buys=after_losses,
                blocked_loss_sales=after_buys,
            )
        )
        return self.ledgers[-1]


def _tax_lots(now: Position) -> TaxLotColumns:
    lots = [(lot_id, held) for lot_id, held in sorted(now.lots.items()) if held.shares > 0]
    return TaxLotColumns(
        [lot_id for lot_id, _ in lots],
        [held.security_id for _, held in lots],
        [str(held.shares) for _, held in lots],
        [None if held.basis is None else str(held.basis * held.shares) for _, held in lots],
        ["2024-01-05" for _ in lots],
        ["2024-01-05" for _ in lots],
    )


def _window(trade: TradeBooked, lot_ids: list[str]) -> Window:
    group = GROUP_OF[trade.security_id]
    names = [name for name in NAMES if GROUP_OF[name] == group]
    return Window(group, names, AS_OF, LAST_DAY, trade.account_id, trade.trade_id, lot_ids)
