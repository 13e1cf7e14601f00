"""optimizer decides what to trade in each account of a run, lot by lot, and why; or why nothing.

It joins account, screen, ledger and market at the versions that the run lists, solves in worker processes, and answers every account of
the run with a proposal or a decline.  Accounts of one household are decided in order, each seeing what the earlier ones intend.

In:  pma.accounts.v1; pma.market.v1; pma.screens.v1; pma.ledgers.v1; pma.orders.v1 (which accounts have open orders)
Out: pma.proposals.v1 (proposal.created, proposal.declined); pma.plans.v1 (plan.chosen, plan.withdrawn)
Tables (schema `optimizer`): account, screen, ledger, answer, market, run, run_account, household_run, proposal, open_order, ended_order,
plan; and the backbone's (libs/common/outbox.py).
Offline: solve_command.py decides one account from a file (account_file.py, account_file_reader.py, account_payloads.py, solve_report.py).
"""
