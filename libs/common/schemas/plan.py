"""pma.plans.v1: the plan that a client chose in a transition analysis, approved where the account asks for it.  No names of people's."""

from msgspec import Struct

from libs.common.schemas.account import AT_RATES, AccountType, LossPolicy, TaxOpening, TaxRates, TransitionPlan


class NewAccount(Struct, frozen=True):
    """What ingest needs to take an account on that it does not know yet."""

    taxpayer_id: str
    custodian: str
    account_type: AccountType
    rates: TaxRates
    losses: LossPolicy = AT_RATES
    tax_opening: TaxOpening | None = None


class PlanChosen(Struct, frozen=True):
    """pma.plan.chosen: from now on the account follows this plan; `account` takes it on where it is not known yet.

    `approved_by` is the second person, where one was asked for.
    """

    account_id: str
    household_id: str
    plan: TransitionPlan
    account: NewAccount
    chosen_by: str
    approved_by: str | None = None


class PlanWithdrawn(Struct, frozen=True):
    """pma.plan.withdrawn: the account follows the plan no longer; its own strategy and wishes hold again."""

    account_id: str
    household_id: str
    plan_id: str
    withdrawn_by: str
