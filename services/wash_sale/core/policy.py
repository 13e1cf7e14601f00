"""Where the rules leave a choice (section 8): one switch a topic; the first value of each is the default, which is what brokers do.

Which funds are identical is data rather than a switch (the identity table); options and short sales are outside the platform.
"""

from typing import Literal

from msgspec import Struct


class Policy(Struct, frozen=True, forbid_unknown_fields=True):
    """How the ledger reads what is not settled.

    `tacking`: the replacement's period grows by the days the loss shares were held; or starts when theirs did; or days on which both were
    owned count once.  `sold_replacement`: shares that were sold before the loss replace nothing, or do, and that sale's basis takes the
    denied loss.  `same_sale_lots`: lots closed in one sale do not replace each other, or each loss may be replaced by the lots sold
    after it.  `older_candidate`: a purchase from before the loss lot's own counts, or not.  `matched_shares`: only loss shares use up
    replacements, or all shares of a sale with a loss, in order.  `related_basis`: the lot of a spouse or controlled corporation takes the
    denied loss, or it is gone.  `split_counting`: loss shares sold before a split count in new shares, or as they were.  `fifo_by`: the
    date of purchase, or the tacked one.  `return_of_capital`: share by share, or the earliest lots first.
    """

    tacking: Literal["add_days", "loss_date", "no_double_count"] = "add_days"
    sold_replacement: Literal["never", "counts"] = "never"
    same_sale_lots: Literal["apart", "chained"] = "apart"
    older_candidate: Literal["counts", "never"] = "counts"
    matched_shares: Literal["loss_shares", "all_sold_shares"] = "loss_shares"
    related_basis: Literal["adjusted", "permanent"] = "adjusted"
    split_counting: Literal["adjusted", "raw"] = "adjusted"
    fifo_by: Literal["purchase_date", "tacked_date"] = "purchase_date"
    return_of_capital: Literal["per_share", "earliest_lots"] = "per_share"


DEFAULT_POLICY = Policy()
