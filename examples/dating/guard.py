"""What every request has to pass: size, origin; and the headers that every answer carries."""

from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS = {
    # No inline script or style anywhere, and nothing from other hosts.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}
FORM_ROOM_BYTES = 64 * 1024
"""For the form around the file."""


class Guard:
    """ASGI middleware in front of the whole site."""

    def __init__(self, app: ASGIApp, max_upload_bytes: int) -> None:
        self._app = app
        self._max_upload_bytes = max_upload_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        refusal = self._refusal(scope["method"], Headers(scope=scope))
        await (refusal or self._app)(scope, receive, send_with_headers)

    def _refusal(self, method: str, headers: Headers) -> PlainTextResponse | None:
        if method in ("GET", "HEAD", "OPTIONS"):
            return None
        # The cookie is SameSite=Lax already; a form on another site is refused a second time here.
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != headers.get("host"):
            return PlainTextResponse("This form belongs to another site.", 403)
        # Without a length a body could fill the disk before anyone counts it.
        length = headers.get("content-length", "")
        if not length.isdigit():
            return PlainTextResponse("Please send a Content-Length.", 411)
        if int(length) > self._max_upload_bytes + FORM_ROOM_BYTES:
            limit = self._max_upload_bytes // (1024 * 1024)
            return PlainTextResponse(f"The file is too large: at most {limit} MB, please.", 413)
        return None
