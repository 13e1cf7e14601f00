"""Who may see the pages and ask for analyses: whoever has the service's token, where one is configured.

A program sends it as a bearer token; a browser asks for a password, which is the token.  A form sent from another site is refused.
"""

import base64
import binascii
import hmac
from collections.abc import Awaitable, Callable

from fastapi import HTTPException, Request

from libs.common.settings import ServiceSettings

MOST_BYTES = 8_000_000
SAFE = frozenset({"GET", "HEAD"})


def allowed(settings: ServiceSettings) -> Callable[[Request], Awaitable[None]]:
    """A dependency of every route of the pages."""

    async def check(request: Request) -> None:
        if settings.bearer_token is not None:
            token = settings.bearer_token.get_secret_value()
            if not hmac.compare_digest(_given(request.headers.get("authorization", "")).encode(), token.encode()):
                raise HTTPException(401, "the password is the service's token", {"WWW-Authenticate": 'Basic realm="transition"'})
        if request.method not in SAFE and request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            raise HTTPException(403, "forms of other sites are not taken")
        if int(request.headers.get("content-length") or 0) > MOST_BYTES:
            raise HTTPException(413, f"at most {MOST_BYTES} bytes are taken")

    return check


def _given(header: str) -> str:
    """The token of a bearer header, or the password of a basic one."""
    kind, _, rest = header.partition(" ")
    if kind.lower() == "bearer":
        return rest.strip()
    if kind.lower() != "basic":
        return ""
    try:
        return base64.b64decode(rest, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""
