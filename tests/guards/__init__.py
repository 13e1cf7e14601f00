"""Guards, taken away one at a time: `python -m tests.guards` shows that some test fails without each.

A *removal* is one small edit of one file that switches one guard off.  It is applied to a copy of the tree, the tests that it names are
run there, and at least one of them must fail because of what it asserts.  The same tests pass on an unchanged copy (the baseline).
"""
