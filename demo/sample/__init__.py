"""The project's own sample data: a simulated market and a book of 250 accounts, the same bytes on each run.

Nothing in it is real: companies, prices, people and custodian are made by seeded generators, and every output says "simulated".
Which account shows what (STORIES, used by the demo's report):

    A0001-A0004  one household: a taxable account, an IRA and a Roth of one person, the spouse's account
    A0005 A0006  the spouse bought last week what A0005 holds at a loss: its sale is blocked
    A0007 A0008  the same across share classes, the purchase being in an IRA
    A0009        the whole position is to be sold, but its price jumped without a corporate action
    A0010 A0011  lots of unknown basis
    A0012        a tax budget that binds
    A0013        a lot of a security that nobody knows, delivered by message: the account is parked
    A0014 A0015  a household restricted by faith; A0014 is freshly funded and buys around the restriction
    A0016        two industries to be sold out
    A0017        do not trade
    A0018 A0019  a person approves
    A0020 A0021  a withdrawal due; a contribution on the second day
    A0022        recent sales at a loss: not to be bought back
    A0023 A0024  day 3: missing from the file; a line that can't be read
    A0025        day 2: a wrong number, corrected by a second file
    A0026-A0029  legacy with off-model names (delivered by message); one name over 30 %; cash only,
                 with the heaviest name held to 1 %; freshly funded
    A0030        a position with a fraction, to be sold whole
"""

from dataclasses import dataclass
from decimal import Decimal

from demo.sample.book import CUSTODIAN, SampleAccount, contributions, make_book
from demo.sample.custodian import Custodian, CustodyAccount
from demo.sample.days import DEMO_DAYS, DemoDay
from demo.sample.market import SampleMarket, make_market
from libs.common.schemas.market import CorporateAction


@dataclass(frozen=True)
class Story:
    """What the named accounts are there to show."""

    title: str
    accounts: tuple[str, ...]


STORIES: dict[str, Story] = {
    "family": Story("a taxable account, an IRA, a Roth and a spouse in one household", ("A0001", "A0002", "A0003", "A0004")),
    "wash_sale_block": Story("the spouse's recent purchase blocks a loss sale", ("A0005", "A0006")),
    "wash_sale_block_share_class": Story("an IRA's purchase of the other share class blocks a loss sale", ("A0007", "A0008")),
    "price_jump": Story("a whole position refused: its price jumped without a corporate action", ("A0009",)),
    "unknown_basis": Story("lots of unknown basis are not sold", ("A0010", "A0011")),
    "tax_budget": Story("a tax budget that binds", ("A0012",)),
    "parked": Story("a message with a lot of an unknown security parks the account", ("A0013",)),
    "faith": Story("restricted buys avoided, for a whole household", ("A0014", "A0015")),
    "industry": Story("two industries sold out", ("A0016",)),
    "do_not_trade": Story("not to be traded", ("A0017",)),
    "manual_approval": Story("a person approves", ("A0018", "A0019")),
    "withdrawal": Story("cash raised for a withdrawal", ("A0020",)),
    "contribution": Story("a contribution invested", ("A0021",)),
    "past_loss": Story("names sold at a loss last week are not bought back", ("A0022",)),
    "stale": Story("missing from a file: stale, not empty", ("A0023",)),
    "quarantined": Story("a line that can't be read quarantines the account", ("A0024",)),
    "corrected": Story("a corrected file", ("A0025",)),
    "legacy": Story("holdings from another manager", ("A0026",)),
    "concentrated": Story("one name over 30 %", ("A0027",)),
    "cash_only": Story("cash to invest, the heaviest name held to one per cent", ("A0028",)),
    "freshly_funded": Story("funded last week", ("A0029",)),
    "fraction": Story("a fraction leaves with its whole position", ("A0030",)),
}


@dataclass(frozen=True)
class Sample:
    """The whole sample; `custodian` stands at the opening of the first demo day and moves with the demo."""

    market: SampleMarket
    accounts: list[SampleAccount]
    custodian: Custodian

    def open_day(self, day: DemoDay) -> None:
        """Bring the custodian to the opening of a later day: settlements, the day's splits, owners' payments.  Book the trades before."""
        self.custodian.open_day(day.business_date, splits_on(self.market, day), _payments_on(self.accounts, day))


def make_sample() -> Sample:
    """Market, accounts and custodian; the same on each call."""
    market = make_market()
    return sample_of(market, make_book(market))


def sample_of(market: SampleMarket, accounts: list[SampleAccount]) -> Sample:
    """The given accounts with their custodian, which stands at the opening of the first demo day."""
    settles = DEMO_DAYS[1].business_date
    held = {
        account.plan.account_id: CustodyAccount(
            account.plan.account_id,
            account.cash,
            [(settles, account.unsettled)] if account.unsettled else [],
            {lot.lot_id: lot for lot in account.lots},
        )
        for account in accounts
    }
    return Sample(market, accounts, Custodian(CUSTODIAN, DEMO_DAYS[0].business_date, held))


def splits_on(market: SampleMarket, day: DemoDay) -> list[CorporateAction]:
    """The splits with their ex-date on that day."""
    return [
        CorporateAction(market.universe[split.column].security_id, split.ex_date, "split", Decimal(split.ratio))
        for split in market.history.splits
        if split.ex_date == day.business_date
    ]


def _payments_on(accounts: list[SampleAccount], day: DemoDay) -> list[tuple[str, Decimal]]:
    return sorted(contributions(accounts).items()) if day == DEMO_DAYS[1] else []
