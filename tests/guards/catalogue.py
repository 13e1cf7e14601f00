"""Every removal."""

from tests.guards import of_orders, of_the_others

REMOVALS = (*of_orders.REMOVALS, *of_the_others.REMOVALS)
