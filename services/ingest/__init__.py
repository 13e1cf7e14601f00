"""ingest decides what an account holds.

It parses custodians' files and messages, validates them, puts our booked trades on top of the newest snapshot, and versions the
result.  It owns the account book, the account master, the security master, market snapshots and the daily run.

In:  files by HTTP; custody.holdings.v1; pma.trades.v1; pma.plans.v1 (a transition plan that the account follows from now on)
Out: pma.accounts.v1 (account.changed, account.moved); pma.market.v1 (market.published, run.opened)
Tables (schema `ingest`): account, account_edit, delivery, file_part, staged_account, market, security, corporate_action, run; and the
backbone's (libs/common/outbox.py).
"""
