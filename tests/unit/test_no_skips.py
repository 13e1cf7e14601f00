"""In CI a skipped test ends the run non-zero."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


RUNS = "def test_runs(): pass\n"
SKIPS = RUNS + "import pytest\ndef test_skips(): pytest.skip('no Kafka')\n"
SKIPS_WHOLE_MODULE = "import pytest\npytest.importorskip('a_module_that_is_not_there')\n"
MISSES_ITS_MEANS = RUNS + "from tests.no_skips import skip_or_fail\ndef test_misses(): skip_or_fail('no Kafka')\n"


@pytest.mark.parametrize(
    ("source", "in_ci", "passes", "told"),
    [
        (RUNS, True, True, "1 passed"),
        (SKIPS, False, True, "1 passed, 1 skipped"),
        (SKIPS, True, False, "which counts as failed in CI"),
        (SKIPS_WHOLE_MODULE, True, False, "which counts as failed in CI"),
        (MISSES_ITS_MEANS, False, True, "1 passed, 1 skipped"),
        (MISSES_ITS_MEANS, True, False, "no Kafka (may not be skipped in CI)"),
    ],
)
def test_a_skip_fails_in_ci_alone(tmp_path: Path, source: str, in_ci: bool, passes: bool, told: str) -> None:
    (tmp_path / "test_sample.py").write_text(source)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    environment = {name: value for name, value in os.environ.items() if name not in ("CI", "PMA_NO_SKIP")}
    environment |= {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"} | ({"CI": "true"} if in_ci else {})
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "tests.no_skips", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (done.returncode == 0) is passes, done.stdout
    assert told in done.stdout
