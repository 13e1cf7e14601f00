"""After PostgreSQL was restored from a backup: `python -m deploy.catch_up [SERVICE...]`, with the services stopped.

Each service takes back what it said since the backup, then its inputs, and prints what it took and what a person must do
(docs/runbook.md, "Backup and restore").  Safe to run again, also after it was broken off.  `--kafka-is-new`: Kafka is what lost its data.
"""

import argparse
import subprocess
import sys

from libs.common.topics import SERVICES


def main() -> int:
    """Run each service's own command; the exit status is 1 when one failed."""
    parser = argparse.ArgumentParser(prog="python -m deploy.catch_up", description=__doc__)
    parser.add_argument("services", nargs="*", metavar="SERVICE", help=f"one or more of {', '.join(SERVICES)}; all when none is named")
    parser.add_argument("--kafka-is-new", action="store_true", help="Kafka is what lost its data: begin at its topics' beginning")
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.services) - set(SERVICES))
    if unknown:
        parser.error(f"no such service: {', '.join(unknown)}")
    options = ["--kafka-is-new"] if arguments.kafka_is_new else []
    failed = []
    for name in [each for each in SERVICES if each in (arguments.services or SERVICES)]:
        if subprocess.run([sys.executable, "-m", f"services.{name}", "catch-up", *options], check=False).returncode:
            failed.append(name)
    if failed:
        sys.stderr.write(f"not caught up: {', '.join(failed)}; the reason stands above\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
