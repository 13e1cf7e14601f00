"""Every removal."""

from tests.guards import of_orders, of_the_backbone, of_the_others, of_the_restore

REMOVALS = (*of_the_backbone.REMOVALS, *of_orders.REMOVALS, *of_the_others.REMOVALS, *of_the_restore.REMOVALS)
