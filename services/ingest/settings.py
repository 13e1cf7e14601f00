"""Settings of ingest (environment variables PMA_...)."""

from datetime import time
from pathlib import Path

from pydantic import Field

from libs.common.settings import ServiceSettings


class IngestSettings(ServiceSettings):
    """`market_dir` holds the market files (docs/file-formats.md); `cutoff_new_york` is when a run's blocks close at the latest.

    `opens_runs`: open each day's run without being asked, when the custodians' files of the date are in or at `files_cutoff_new_york`,
    once a market snapshot of the date is published.
    `fewest_accounts_frac`: a delivery with fewer accounts than this fraction of the custodian's last one waits for a person.
    `price_collar_bps`: how far a fill may be from the pinned price.
    """

    port: int = Field(default=8101, ge=0, le=65535)
    market_dir: Path | None = None
    cutoff_new_york: time = time(15, 30)
    opens_runs: bool = False
    files_cutoff_new_york: time = time(9, 0)
    fewest_accounts_frac: float = Field(default=0.8, ge=0, le=1)
    price_collar_bps: int = Field(default=200, ge=0, le=5_000)
