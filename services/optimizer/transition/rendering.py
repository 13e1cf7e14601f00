"""A page as it is answered: kept by nobody, shown in no frame, loading nothing from elsewhere."""

from typing import Any

from fastapi.responses import HTMLResponse

from services.optimizer.transition.report import environment

STRICT = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def page(template: str, status: int, /, **given: Any) -> HTMLResponse:
    """A page that may load nothing but its own style and script."""
    return HTMLResponse(environment().get_template(template).render(**given), status, headers=STRICT)
