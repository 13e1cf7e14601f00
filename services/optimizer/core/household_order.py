"""The fixed order in which accounts of one household are decided (decision 7)."""

from libs.common.schemas.account import AccountChanged


def in_household_order(account: AccountChanged) -> tuple[bool, str]:
    """Sort key: taxable accounts first, since their losses are worth something; then by account id."""
    return account.account_type != "taxable", account.account_id
