"""What to trade in one account, decided from arguments alone.

    propose.py      the one entry                                        policy.py, decline.py   house settings; why there is no proposal
    inputs.py       join of the payloads into one case, or a decline     market.py    a snapshot as arrays, made once and shared
    lots.py, decimals.py  lots as columns, decimals crossed to float64 a column at a time, without loss
    windows.py      what the household's wash sales block                terms.py, limits.py     short or long; cash band and budgets
    problem.py, build.py  the account's quadratic programme: arrays, shapes, units, and how a case becomes them
    chain.py        solve, certify, try harder, fall back                dual/, dual_programme.py, dual_options.py  the certified solve
    branch.py       what a branch allows, and a solver's answer on it    evaluate.py  a plan's terms, without any solver
    planned.py      the chain, then whole shares                         programme.py, pdlp.py  PDLP on a branch: reference and fallback
    sides.py        buy or harvest, group by group                       small_trades.py  what is too small to trade
    shares.py, share_book.py, rounding.py, nearest_shares.py  whole shares
    repair.py, neighbourhood.py, share_programme.py  a few names' whole shares chosen again together, by OR-Tools CP-SAT
    trades.py       lots, tax and cost in exact decimals
    explain.py, attribution.py  reasons, shares of risk, unmet wishes    shadow.py    binding limits and their prices, in words
    plan_rules.py, kept.py  the owner's limits, and whether a plan keeps them, whole shares included
    harvest.py, waiting.py, tax_position.py, intended.py, netted_programme.py  what a loss, a gain and waiting are worth to the objective
    impact.py       what a trade moves its own price by, off unless set
    losses_left.py  why losses were not taken                            certificate.py  how far a decision is from the best possible
    relax.py, conflict.py  what would have to give where limits conflict
    verify.py, verify_limits.py  the proposal against its invariants

A solver of one branch is anything that keeps `branch.BranchSolver`; PDLP is the reference.
"""
