"""The transition plan that an account follows: what it lays over the account's own record.

Invariants
1. A plan changes the strategy, adds its wishes and nothing else; withdrawn, the account's own record holds again as it is then.
2. A wish of the plan takes the place of the account's own of the same id.
"""

from msgspec.structs import replace

from libs.common.schemas.account import AccountChanged, TransitionPlan, Wish
from libs.common.schemas.plan import PlanChosen
from services.ingest.core.intake import AccountIntake


def following(content: AccountChanged, plan: TransitionPlan | None) -> AccountChanged:
    """What is said of an account, with the plan that it follows laid over it."""
    if plan is None:
        return content
    ids = {wish.wish_id for wish in plan.wishes}
    wishes = [*(wish for wish in content.wishes if wish.wish_id not in ids), *plan.wishes]
    return replace(content, strategy_id=plan.strategy_id, wishes=wishes, transition=plan)


def own_wishes(said: AccountChanged) -> list[Wish]:
    """The account's own wishes in what was said of it."""
    ids = {wish.wish_id for wish in said.transition.wishes} if said.transition is not None else set()
    return [wish for wish in said.wishes if wish.wish_id not in ids]


def record_of(chosen: PlanChosen) -> AccountIntake:
    """The master record of an account that is taken on by its plan."""
    new = chosen.account
    return AccountIntake(
        account_id=chosen.account_id,
        household_id=chosen.household_id,
        taxpayer_id=new.taxpayer_id,
        custodian=new.custodian,
        account_type=new.account_type,
        strategy_id=chosen.plan.strategy_id,
        rates=new.rates,
        losses=new.losses,
        tax_opening=new.tax_opening,
    )
