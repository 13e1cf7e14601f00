"""wash_sale decides what a trade means for tax, for a whole household.

It keeps the household's lot ledger (tax basis, holding period, layers), denies losses, says what may not be bought, or sold at a loss, and
until when, and adds up each taxpayer's year.

In:  pma.accounts.v1 (account.changed, account.moved), pma.trades.v1 (trade.booked), pma.market.v1 (market.published, run.opened)
Out: pma.ledgers.v1 (ledger.updated, ledger.restated, lot.told)
Tables (schema `wash_sale`): household, said_history, account_seen, market, identity_since, split, run, run_household, run_account; and the
backbone's (libs/common/outbox.py).
"""
