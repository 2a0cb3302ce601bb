"""The page that the server shows in a browser: static files, no other machine is ever asked."""

from __future__ import annotations

from importlib.resources import files

from fastapi import FastAPI, Response

_TYPES = {
    "index.html": "text/html; charset=utf-8",
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "worklist.js": "text/javascript; charset=utf-8",
    "viewer.js": "text/javascript; charset=utf-8",
}
# The browser itself refuses to load or to send anything elsewhere.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' blob: data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def add_page(app: FastAPI) -> None:
    """Serve the page at ``/`` and its parts below ``/page``."""
    folder = files("medistill.serve") / "static"
    parts = {name: (folder / name).read_bytes() for name in _TYPES}

    @app.get("/", include_in_schema=False)
    async def index() -> Response:
        return _part("index.html")

    @app.get("/page/{name}", include_in_schema=False)
    async def part(name: str) -> Response:
        return _part(name) if name in parts else Response(status_code=404)

    def _part(name: str) -> Response:
        return Response(parts[name], headers={**_HEADERS, "Content-Type": _TYPES[name]})
