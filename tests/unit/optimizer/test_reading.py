"""What a worker reads is what the payload says, but for columns that no decision rests on."""

from msgspec import structs

from libs.common.packing import pack
from services.optimizer.reading import read_account, read_ledger
from tests.unit.optimizer.samples import random_world


def test_all_but_the_columns_passed_over_is_read() -> None:
    for seed in range(40):
        made = random_world(seed)
        account, ledger = read_account(pack(made.account)), read_ledger(pack(made.ledger))
        for name in made.account.__struct_fields__:
            if name != "lots":
                assert getattr(account, name) == getattr(made.account, name)
        for name in ("lot_id", "security_id", "quantity"):
            assert getattr(account.lots, name) == getattr(made.account.lots, name)
        assert not (account.lots.acquired or account.lots.cost_basis or account.lots.provisional)
        for name in made.ledger.__struct_fields__:
            if name != "accounts":
                assert getattr(ledger, name) == getattr(made.ledger, name)
        for read, said in zip(ledger.accounts, made.ledger.accounts, strict=True):
            whole = structs.asdict(said.lots) | {"acquired": []}
            assert structs.asdict(read.lots) == whole
            assert structs.asdict(read) | {"lots": None} == structs.asdict(said) | {"lots": None}
