"""The certified dual solve: a separable dual whose every value bounds the non-convex problem from below.

model.py   names, options, lots, coupling rows        value.py   the dual and its derivatives
newton.py  projected semismooth Newton                ties.py    sales where lots tie in price
solve.py   plan, bound and gap; branch and bound
netting.py a year's netted tax as the cost             tax_law.py  the year in exact cents; tax_pieces.py its convex pieces
"""
