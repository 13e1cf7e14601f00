"""The payloads as a worker reads them: columns of lots that no decision rests on are passed over, which is a third of the reading.

Invariant
1. What is read is what the payload says, but for the columns named here, which are empty.
"""

import msgspec

from libs.common.packing import unpack
from libs.common.schemas.account import AccountChanged, LotColumns
from libs.common.schemas.ledger import LedgerAccount, LedgerUpdated, TaxLotColumns

PASSED_OVER = "passed over:"  # no member of a payload begins so


class _Lots(
    LotColumns,
    frozen=True,
    kw_only=True,
    rename={name: PASSED_OVER + name for name in ("cost_basis", "acquired", "provisional")},
):
    cost_basis: list[str | None] = msgspec.field(default_factory=list)
    acquired: list[str | None] = msgspec.field(default_factory=list)
    provisional: list[bool] = msgspec.field(default_factory=list)


class _Account(AccountChanged, frozen=True, kw_only=True):
    lots: _Lots


class _TaxLots(TaxLotColumns, frozen=True, kw_only=True, rename={"acquired": PASSED_OVER + "acquired"}):
    acquired: list[str | None] = msgspec.field(default_factory=list)


class _LedgerAccount(LedgerAccount, frozen=True, kw_only=True):
    lots: _TaxLots


class _Ledger(LedgerUpdated, frozen=True, kw_only=True):
    accounts: list[_LedgerAccount]  # type: ignore[assignment]


_ACCOUNT, _LEDGER = msgspec.json.Decoder(_Account), msgspec.json.Decoder(_Ledger)


def read_account(packed: bytes) -> AccountChanged:
    """An account without what its lots cost, when they were bought, and which are provisional: the ledger says what counts."""
    return _ACCOUNT.decode(unpack(packed))


def read_ledger(packed: bytes) -> LedgerUpdated:
    """A ledger without the lots' dates of purchase: holding periods count."""
    return _LEDGER.decode(unpack(packed))
