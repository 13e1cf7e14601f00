"""A market that workers map: what is read is what was written, and nobody can write into it."""

from pathlib import Path

import numpy as np
import pytest

from services.optimizer.core.decline import Decline, DeclineCode
from services.optimizer.core.market import Snapshot, prepare
from services.optimizer.shared_market import read_market, write_market
from tests.unit.optimizer.samples import Security, market_of

MARKET = prepare(market_of([Security(f"N{i}", None if i == 3 else "100.25", "0.1") for i in range(10)]))


def test_what_is_read_is_what_was_written(tmp_path: Path) -> None:
    assert isinstance(MARKET, Snapshot)
    write_market(MARKET, tmp_path / "m")
    read = read_market(tmp_path / "m")
    assert isinstance(read, Snapshot)
    assert (read.market_id, read.security_id, read.price, read.identity_group) == (
        MARKET.market_id,
        MARKET.security_id,
        MARKET.price,
        MARKET.identity_group,
    )
    for field in ("exposures", "specific_var_ann", "half_spread_frac", "in_risk_model"):
        ours, theirs = getattr(MARKET, field), getattr(read, field)
        assert ours.tobytes() == theirs.tobytes()
        assert (ours.dtype, ours.shape, ours.strides) == (theirs.dtype, theirs.shape, theirs.strides)
    for strategy, model in MARKET.models.items():
        assert np.array_equal(model.weight_frac, read.models[strategy].weight_frac)


def test_the_arrays_are_the_files_and_read_only(tmp_path: Path) -> None:
    write_market(MARKET, tmp_path / "m")
    read = read_market(tmp_path / "m")
    assert isinstance(read, Snapshot)
    assert not read.exposures.flags.owndata
    with pytest.raises(ValueError, match="read-only"):
        read.exposures[0, 0] = 1.0


def test_a_market_that_was_declined_is_shared_as_that(tmp_path: Path) -> None:
    declined = Decline(DeclineCode.INVALID_MARKET, "price of N0 is -1")
    write_market(declined, tmp_path / "m")
    assert read_market(tmp_path / "m") == declined
