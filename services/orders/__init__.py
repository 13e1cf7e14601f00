"""orders decides what leaves.

It judges every proposal again on the newest inputs and refuses (it never re-rounds), holds reservations per household and
identity group until an order ends, waits for a person where an account wants one, closes a run's blocks, places one order a
(run, security, side) with its allocations fixed, and books the desk's fills to accounts and lots.

In:  pma.accounts.v1; pma.screens.v1; pma.ledgers.v1; pma.market.v1; pma.proposals.v1; pma.executions.v1
Out: pma.orders.v1 (order.placed, order.cancelled, order.ended); pma.trades.v1 (trade.booked); pma.decisions.v1
 (proposal.judged, run.closed, kill_switch.turned)
Tables (schema `orders`): account, screen, ledger, market, run, run_account, run_solver, decision, household, reservation, block, trade,
 account_seq, unbooked_execution, kill_switch, kill_switch_change; and the backbone's (libs/common/outbox.py).
"""
