"""A trading desk that is not one: a separate program beside the platform, for demos and tests.

It takes pma.orders.v1 and answers on pma.executions.v1.  Every decision is a function of the order's id, so it keeps nothing:
after a restart it reads the orders again and says exactly the same, which orders drops as seen.  Simulated, like its prices.
"""
