"""restrictions decides what may be traded: per account and security, may-buy / may-sell / must-sell and a weight bound,
with the rule that said so.

It owns every rule; intake's wishes reach it as a command inside the account's event, and people edit rules over HTTP.

Events in:  pma.account.changed, pma.account.moved (pma.accounts.v1); pma.market.published, pma.run.opened (pma.market.v1).
Events out: pma.screen.updated (pma.screens.v1); pma.rules.edited (pma.rules.v1).
Tables (schema `restrictions`): rule, rule_edit, account, screen, market, run_waiting; and the backbone's (libs/common/outbox.py).
"""
