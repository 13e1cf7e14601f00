"""The accounts of a history file, and for whose losses their purchases count (sections 1.11, 1.12)."""

import re

from services.wash_sale.core.history_fields import Fields
from services.wash_sale.core.refusals import RefusalCode
from services.wash_sale.core.tax_events import TaxAccount

TAXABLE = {"taxable": True, "traditional_ira": False, "roth_ira": False}
SHELTERED = ("401k", "403b", "457", "hsa", "sep_ira", "simple_ira", "inherited_ira", "roth_401k", "529")
"""Treated as an IRA: no ruling names them, and to deny is the careful reading (section 1.12)."""

_RELATED = re.compile(r"(spouse|corporation_controlled_by|controlled_corporation)_?(?:of_)?(.+)")
_PARTS = re.compile(r"\s*(?:[+&/,]|\band\b)\s*")
_UNRELATED = re.compile(r"(child|parent|sibling|domestic_partner|friend|unrelated|trust|partnership|estate|other)(_.*)?")


def read_accounts(raw: object, event: str = "accounts") -> dict[str, TaxAccount]:
    """Accounts by id; a purchase counts for the losses of the owner, of the owner's spouse and of what they control."""
    whole = Fields({"accounts": raw}, event)
    if not isinstance(raw, list) or not raw:
        raise whole.bad(RefusalCode.MISSING, "accounts", "at least one account is needed")
    owners: dict[str, str] = {}
    found: dict[str, TaxAccount] = {}
    for number, each in enumerate(raw):
        fields = Fields(each, f"accounts[{number}]")
        account_id, owner = fields.text("id"), fields.text("owner") if fields.has("owner") else "A"
        kind = fields.choice("type", (*TAXABLE, *SHELTERED), "taxable")
        if account_id in found:
            raise fields.bad(RefusalCode.NOT_READABLE, "id", f"{account_id} is there twice")
        for part in owners_of(owner):  # a joint account is each owner's
            if part != owner:
                _join(owners, owner, part)
        related = _related_to(fields)
        if related is not None:
            _join(owners, owner, related)
        covered = each.get("covered", True) is not False
        found[account_id] = TaxAccount(account_id, owner, TAXABLE.get(kind, False), covered=covered)
    return {
        name: TaxAccount(name, account.taxpayer_id, account.taxable, _scope(owners, account.taxpayer_id), account.covered)
        for name, account in found.items()
    }


def owners_of(owner: str) -> tuple[str, ...]:
    """The persons behind an owner: two of a joint account ("A+B", "A and B")."""
    return tuple(_PARTS.split(owner))


def _related_to(fields: Fields) -> str | None:
    """The owner whose losses this one's purchases count for."""
    if not fields.has("relation"):
        return None
    relation = fields.text("relation")
    if relation == "self" or _UNRELATED.fullmatch(relation):
        return None
    match = _RELATED.fullmatch(relation)
    if match is None:
        raise fields.bad(RefusalCode.NOT_READABLE, "relation", f"{relation!r} is not spouse_of_X or corporation_controlled_by_X")
    return match[2]


def _scope(owners: dict[str, str], owner: str) -> str:
    while owner in owners:
        owner = owners[owner]
    return owner


def _join(owners: dict[str, str], one: str, other: str) -> None:
    first, second = _scope(owners, one), _scope(owners, other)
    if first != second:
        owners[first] = second
