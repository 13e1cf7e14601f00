"""What leaves, decided without I/O: everything a rule needs is an argument.

decision      the closed list of refusals, and the three answers a proposal can get
evidence      what orders knows when it judges a proposal
judge         a proposal against the evidence -> Accepted | Refused | Wait (pins, rules, lots, windows, cash: one module each)
reservations  what a household holds back until an order ends
run_state     which accounts of a run have ended and when its blocks close; approval: what a person may still decide
blocks        accepted proposals -> one order a (run, security, side), allocated before the trade
allocation    one fill -> the accounts' shares, lots and fees
order_state   executions -> the order's state and the trades to book
settlement    trading and settlement days
"""
