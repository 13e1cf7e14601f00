"""The certified dual solve: a separable dual whose every value bounds the non-convex problem from below.

model.py   names, options, lots, coupling rows        value.py   the dual and its derivatives
newton.py  projected semismooth Newton                ties.py    sales where lots tie in price
solve.py   plan, bound and gap; branch and bound
"""
