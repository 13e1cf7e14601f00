"""Programs that check the deployment and are no Python packages."""

import os
import shutil

from tests.no_skips import skip_or_fail
from tests.unit.deploy.exported import ROOT


def promtool() -> str:
    """The path of Prometheus' own checker; without it the test is skipped, in CI it fails."""
    found = shutil.which("promtool", path=f"{os.environ['PATH']}:{ROOT / 'out/bin'}")  # where .ci/run puts it
    if found is None:
        skip_or_fail("promtool is not installed here (on Debian and Ubuntu it is in the package prometheus)")
    return found
