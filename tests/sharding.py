"""PMA_SHARD=1/2 runs every second test file, 2/2 the others: `make check` runs both at once."""

import os

import pytest


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the files of this shard; fixtures of a module are made once, since a file stays whole."""
    shard = os.environ.get("PMA_SHARD")
    if not shard:
        return
    mine, shards = (int(part) for part in shard.split("/"))
    files = {path: number % shards for number, path in enumerate(sorted({item.path for item in items}))}
    kept = [item for item in items if files[item.path] == mine % shards]
    config.hook.pytest_deselected(items=[item for item in items if files[item.path] != mine % shards])
    items[:] = kept
