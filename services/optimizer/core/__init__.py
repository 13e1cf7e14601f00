"""What to trade in one account, decided from arguments alone.

    propose.py      the one entry
    inputs.py       join of the payloads into one case, or a decline        windows.py  what the household's wash sales block
    market.py       a snapshot as arrays, made once and shared              terms.py    short or long
    problem.py      the quadratic programme: arrays, shapes, units          evaluate.py the plan's terms, without any solver
    pdlp.py         the convex programme of one branch, by OR-Tools PDLP    branch.py   what a branch allows, and a solver's answer
    exclusivity.py  buy or harvest, name by name                            rounding.py, shares.py  whole shares
    explain.py      reasons, tax by term, unmet, binding                    verify.py   the decision against its invariants, in Decimal

A convex solver is anything that keeps `branch.BranchSolver`; PDLP is the reference.
"""
