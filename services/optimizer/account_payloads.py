"""An account file as the payloads that the optimizer decides on: what the other services would have said of it.

Windows are the wash-sale ledger's in the plain case: a loss taken within 30 days blocks buys, and shares bought within 30 days block the
loss sales of what else is held.  Rules combine as docs/restrictions.md says.  A taxpayer with other accounts, gifts or mergers needs the
ledger itself.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal

import msgspec

from libs.common.ids import content_id
from libs.common.money import plain
from libs.common.schemas.account import AccountChanged, LotColumns
from libs.common.schemas.ledger import AccountYear, LedgerAccount, LedgerUpdated, TaxLotColumns, TaxpayerYear, Window
from libs.common.schemas.market import MarketPublished, RiskModel, RunAccount, RunOpened, SecurityColumns, TargetModel
from libs.common.schemas.screen import RuleRef, ScreenUpdated, Verdict
from services.optimizer.account_file import AccountFile, FileLot, FileRule, FileSecurity

HOUSEHOLD, TAXPAYER, STRATEGY = "HOUSEHOLD", "TAXPAYER", "target"
WINDOW_DAYS = timedelta(days=30)
ELSEWHERE = "ELSEWHERE"
NO_BUY = frozenset({"never_buy", "never_add", "hold", "must_sell"})
NO_SALE = frozenset({"never_sell", "hold"})
SETTINGS = (
    "rates",
    "budgets",
    "risk_aversion",
    "cash_min_frac",
    "cash_max_frac",
    "min_trade",
    "cash_flows",
    "limits",
    "losses",
    "harvest",
)  # as the account master has them
RANKS = ("hold", "never_sell", "must_sell", "never_buy", "never_add", "max_weight")


@dataclass(frozen=True, slots=True)
class Payloads:
    """Everything that one decision rests on."""

    account: AccountChanged
    screen: ScreenUpdated
    ledger: LedgerUpdated
    market: MarketPublished
    run: RunOpened


def payloads_of(document: AccountFile) -> Payloads:
    """The payloads of a document that was found to fit together."""
    market = _market(document)
    moment = datetime.combine(document.as_of, time(21), UTC)
    member = RunAccount(document.account_id, HOUSEHOLD, 1, 0)
    run_id = content_id("run", document.as_of.isoformat(), market.market_id)
    run = RunOpened(run_id, document.as_of, market.market_id, moment, moment, document.price_collar_bps, [member])
    screen = ScreenUpdated(document.account_id, HOUSEHOLD, 1, 1, market.market_id, run_id, document.as_of, _verdicts(document))
    return Payloads(_account(document), screen, _ledger(document, run_id), market, run)


def _lots(document: AccountFile) -> list[FileLot]:
    return sorted(document.lots, key=lambda lot: (lot.security_id, lot.acquired or document.as_of, lot.lot_id))


def _account(document: AccountFile) -> AccountChanged:
    lots, settings = _lots(document), {name: getattr(document, name) for name in SETTINGS}
    columns = LotColumns(
        lot_id=[lot.lot_id for lot in lots],
        security_id=[lot.security_id for lot in lots],
        quantity=[plain(lot.quantity) for lot in lots],
        cost_basis=[None if lot.tax_basis is None else plain(lot.tax_basis) for lot in lots],
        acquired=[None if lot.acquired is None else lot.acquired.isoformat() for lot in lots],
        provisional=[False] * len(lots),
    )
    return AccountChanged(
        account_id=document.account_id,
        household_id=HOUSEHOLD,
        taxpayer_id=TAXPAYER,
        custodian="file",
        account_type=document.account_type,
        version=1,
        business_date=document.as_of,
        trade_seq=0,
        state="open",
        state_reason=None,
        strategy_id=STRATEGY,
        approval="manual",
        do_not_trade=False,
        cash_settled=document.cash,
        cash_unsettled=document.cash_unsettled,
        wishes=[],
        tax_opening=None,
        past_sales=[],
        lots=columns,
        aliases={},
        breaks=[],
        cash_target=_cash_target(document),
        **settings,
    )


def _cash_target(document: AccountFile) -> Decimal | None:
    before = document.cash + document.cash_unsettled
    if document.raise_cash is not None:
        return before + document.raise_cash
    return document.cash_target if document.invest_cash is None else before - document.invest_cash


def _ledger(document: AccountFile, run_id: str) -> LedgerUpdated:
    lots, year = _lots(document), document.year
    starts = [lot.held_since or lot.acquired for lot in lots]
    columns = TaxLotColumns(
        lot_id=[lot.lot_id for lot in lots],
        security_id=[lot.security_id for lot in lots],
        quantity=[plain(lot.quantity) for lot in lots],
        tax_basis=[None if lot.tax_basis is None else plain(lot.tax_basis) for lot in lots],
        acquired=[None if lot.acquired is None else lot.acquired.isoformat() for lot in lots],
        holding_period_start=[None if start is None else start.isoformat() for start in starts],
    )
    carried = (year.carried_short_loss, year.carried_long_loss)
    taxpayer = TaxpayerYear(TAXPAYER, document.as_of.year, year.short_gain, year.short_loss, year.long_gain, year.long_loss, *carried)
    used = AccountYear(document.account_id, document.as_of.year, year.short_gain - year.short_loss, year.long_gain - year.long_loss)
    return LedgerUpdated(
        household_id=HOUSEHOLD,
        version=1,
        as_of=document.as_of,
        run_id=run_id,
        accounts=[LedgerAccount(document.account_id, 1, 0, columns, [])],
        blocked_buys=list(_after_losses(document)),
        blocked_loss_sales=list(_after_buys(document)),
        taxpayers=[taxpayer],
        account_years=[used],
        sales=[],
    )


def _group(document: AccountFile, security_id: str) -> tuple[str, list[str]]:
    """The identity group of a security, and everything in it."""
    groups = {each.security_id: each.identity_group or each.security_id for each in document.securities}
    group = groups[security_id]
    return group, sorted(each for each, of in groups.items() if of == group)


def _after_losses(document: AccountFile) -> Iterator[Window]:
    for trade in document.sold_at_a_loss:
        until = trade.trade_date + WINDOW_DAYS
        yield Window(*_group(document, trade.security_id), trade.trade_date, until, document.account_id, "sold_at_a_loss", [])


def _after_buys(document: AccountFile) -> Iterator[Window]:
    """A window for each lot bought within 30 days, one's own or elsewhere in the household."""
    bought = [(lot.security_id, lot.acquired, document.account_id, [lot.lot_id]) for lot in _lots(document) if lot.acquired is not None]
    bought += [(trade.security_id, trade.trade_date, ELSEWHERE, []) for trade in document.bought_elsewhere]
    for security_id, day, account_id, lot_ids in bought:
        if document.as_of <= day + WINDOW_DAYS:
            yield Window(*_group(document, security_id), day, day + WINDOW_DAYS, account_id, "bought", lot_ids)


def _verdicts(document: AccountFile) -> list[Verdict]:
    found = []
    for security in document.securities:
        rules = sorted((rule for rule in document.rules if _names(rule, security)), key=lambda rule: RANKS.index(rule.kind))
        kinds = {rule.kind for rule in rules}
        if not rules:
            continue
        may_sell = not kinds & NO_SALE
        most = min((rule.limit_frac for rule in rules if rule.limit_frac is not None), default=None)
        refs = [RuleRef(f"rule-{document.rules.index(rule)}", rule.kind, rule.by, rule.target, "account") for rule in rules]
        must = "must_sell" in kinds and may_sell
        found.append(Verdict(security.security_id, not kinds & NO_BUY, may_sell, must, most, None, refs))
    return found


def _names(rule: FileRule, security: FileSecurity) -> bool:
    return rule.target == {"security": security.security_id, "sector": security.sector, "industry": security.industry}[rule.by]


def _market(document: AccountFile) -> MarketPublished:
    securities = sorted(document.securities, key=lambda each: each.security_id)
    ids = [each.security_id for each in securities]
    columns = SecurityColumns(
        security_id=ids,
        issuer_id=[each.identity_group or each.security_id for each in securities],
        identity_group=[each.identity_group or each.security_id for each in securities],
        sector=[each.sector for each in securities],
        industry=[each.industry for each in securities],
        categories=[[] for _ in securities],
        price=[plain(each.price) for each in securities],
        half_spread_bps=[each.half_spread_bps for each in securities],
        adv_usd=[each.adv_usd for each in securities],
        blocked=[each.blocked for each in securities],
    )
    risk = RiskModel(ids, document.factors, [each.exposures for each in securities], [each.specific_var_ann for each in securities])
    target = [(each.security_id, plain(each.target_frac)) for each in securities if each.target_frac > 0]
    model = TargetModel(STRATEGY, [security_id for security_id, _ in target], [weight for _, weight in target])
    market_id = content_id("market", document.as_of.isoformat(), msgspec.json.encode([securities, document.factors]).decode())
    return MarketPublished(market_id, document.as_of, False, columns, [model], risk, [])
