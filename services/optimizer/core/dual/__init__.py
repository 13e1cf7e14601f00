"""The certified dual solve: a separable dual whose every value bounds the non-convex problem from below.

model.py      names, options, lots, groups, coupling rows, cap     primal.py    what a plan costs and which rules it breaks
tables.py     the model as flat arrays that kernels walk           layout.py    the kernels that make them
dearest.py    more than any plan could cost                        compiled.py  how kernels are compiled and kept
inner.py      an option's least cost in closed form                ties.py      sales where lots tie in price
value.py      the dual and its derivative                          curvature.py minus its second derivative
newton.py     projected semismooth Newton                          linear.py    the Newton system
choice.py     options rounded from shares or costs; counts kept    branching.py what branch and bound branches on
solve.py      plan, bound and gap; branch and bound                answer.py    what a solve may spend, and its answer
stiff.py      names with next to no risk of their own              prices.py    shadow prices
netting.py    a year's netted tax as the cost                      tax_law.py   the year in exact cents; tax_pieces.py its convex pieces
"""
