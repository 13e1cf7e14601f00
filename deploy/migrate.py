"""Bring services' schemas to their newest revision: `python -m deploy.migrate SERVICE...` (PMA_POSTGRES_DSN, or a file of secrets).

A deployment runs it before the new release's processes start.  The services do the same when they start, under the same lock, and find
nothing to do then.
"""

import argparse
import asyncio
import sys
from pathlib import Path

from libs.common.db import migrate
from libs.common.errors import DependencyDown
from libs.common.settings import ServiceSettings
from libs.common.topics import SERVICES

SERVICES_DIRECTORY = Path(__file__).parents[1] / "services"


class MigrationSettings(ServiceSettings):
    """Where PostgreSQL is; what else a service needs has no meaning here."""

    kafka_bootstrap: str = ""
    port: int = 0


async def migrate_services(dsn: str, services: list[str]) -> None:
    """Migrate one schema after the other.  Raises DependencyDown while PostgreSQL does not answer."""
    for name in services:
        await migrate(dsn, name, SERVICES_DIRECTORY / name / "migrations")


def main() -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m deploy.migrate", description=__doc__)
    parser.add_argument("services", nargs="+", choices=SERVICES)
    arguments = parser.parse_args()
    try:
        asyncio.run(migrate_services(MigrationSettings().postgres_dsn, arguments.services))
    except DependencyDown as error:
        sys.stderr.write(f"migrate: {error}\n")
        return 1
    sys.stdout.write(f"{', '.join(arguments.services)}: at the newest revision\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
