"""What the taxpayer's other accounts are about to realise by the run's earlier proposals."""

from collections.abc import Sequence

from libs.common.schemas.proposal import ProposalCreated, ProposalDeclined
from services.optimizer.core.dual.tax_law import Nets

NOTHING = Nets()


def intended_gains(taxpayer_id: str, run_id: str, earlier: Sequence[ProposalCreated | ProposalDeclined]) -> Nets:
    """Their net gains in dollars; what older runs left open is not in it, for part of that may be in the ledger already."""
    found = NOTHING
    for each in earlier:
        if isinstance(each, ProposalCreated) and each.run_id == run_id and each.taxpayer_id == taxpayer_id:
            found += Nets(each.tax.short_gain - each.tax.short_loss, each.tax.long_gain - each.tax.long_loss)
    return found
