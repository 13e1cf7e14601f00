"""Parked households of a service: `python -m deploy.parked URL [list | redrive HOUSEHOLD | drop HOUSEHOLD --reason WHY] [--actor NAME]`.

URL is the service's (http://localhost:8101).  `list` shows why each household waits and how many messages do; `redrive` applies them in
order to the first that still can't be; `drop` sets the first one aside as a dead letter, with the reason and the name, after which the
rest can be redriven.  A bearer token is taken from PMA_BEARER_TOKEN.  Prints JSON lines; exit status 1 when the service refuses.
"""

import argparse
import json
import os
import sys
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

TIMEOUT_S = 120.0


class Refused(RuntimeError):
    """The service's answer was a problem; its detail is the text."""


def ask(url: str, actor: str, method: str = "GET", body: dict[str, Any] | None = None) -> Any:
    """One request to a service; raises Refused with the problem's detail."""
    headers = {"content-type": "application/json", "X-Actor": actor}
    if token := os.environ.get("PMA_BEARER_TOKEN"):
        headers["Authorization"] = f"Bearer {token}"
    request = urllib.request.Request(url, None if body is None else json.dumps(body).encode(), headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        text = error.read().decode(errors="replace")
        try:
            raise Refused(json.loads(text)["detail"]) from error
        except (ValueError, KeyError, TypeError):
            raise Refused(f"{error.code} {text}") from error
    except OSError as error:
        raise Refused(f"{url}: {error}") from error


def run(url: str, command: str, household: str | None, reason: str | None, actor: str) -> list[dict[str, Any]]:
    """What the command answers, a line each."""
    base = f"{url.rstrip('/')}/v1/parked"
    if command == "list":
        found: list[dict[str, Any]] = ask(base, actor)
        return found
    place = f"{base}/{urllib.parse.quote(household or '', safe='')}"
    return [ask(f"{place}/redrive", actor, "POST") if command == "redrive" else ask(f"{place}/drop", actor, "POST", {"reason": reason})]


def main() -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m deploy.parked", description=__doc__)
    parser.add_argument("url", help="the service, e.g. http://localhost:8101")
    parser.add_argument("command", choices=("list", "redrive", "drop"), nargs="?", default="list")
    parser.add_argument("household", nargs="?")
    parser.add_argument("--reason", help="why the message is given up (with drop)")
    parser.add_argument("--actor", default=os.environ.get("USER", "anonymous"), help="who says so (default: $USER)")
    arguments = parser.parse_args()
    if arguments.command != "list" and not arguments.household:
        parser.error(f"{arguments.command} needs a household")
    if arguments.command == "drop" and not arguments.reason:
        parser.error("drop needs --reason")
    try:
        answers = run(arguments.url, arguments.command, arguments.household, arguments.reason, arguments.actor)
    except Refused as refused:
        sys.stderr.write(f"parked: {refused}\n")
        return 1
    for answer in answers:
        sys.stdout.write(json.dumps(answer, ensure_ascii=False) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
