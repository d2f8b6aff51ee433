"""The rules of the front door and of the embedded AWS: which hosts, which browsers, which of the emulator's paths."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection

from local.gate import paths
from local.gate.asked import Asked, Refused
from shared.contracts import naming

Rules = Callable[[Asked], None]
"""Raises Refused."""

_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_OF_S3 = re.compile(r"/s3/aws4_request\b")
"""Ends the scope of an S3 request's credential (Amazon S3 API Reference, "Authenticating Requests")."""
_PATH_OF_APIS = "/_aws/execute-api/"


def origins(port: int) -> frozenset[str]:
    """What a browser calls the pages of a server at this port of this machine."""
    return frozenset(f"http://{host}" if port == 80 else f"http://{host}:{port}" for host in _LOOPBACK)


def front_door(port: int) -> Rules:
    """Pages are opened by anybody's link; all else is for the door's own pages and for programs."""
    own = origins(port)

    def check(asked: Asked) -> None:
        _check_host(asked, port)
        _check_origin(asked, own)
        paths.check(asked.raw_path)
        if asked.value("sec-fetch-site") in ("", "none", "same-origin"):
            return
        if asked.method == "GET" and _is_opened(asked):
            return
        raise Refused(403, "foreign_page", "Another page's request; open SnapRace's own page to ask for this.")

    return check


def embedded_aws(port: int, door_port: int, own_addresses: Collection[tuple[str, str]]) -> Rules:
    """Programs may use every service; a browser only objects of ours, by signed links and forms of the door's pages.

    Of the emulator's own addresses those given (method and path) are open to programs.
    """
    door = origins(door_port)
    below_loopback = re.compile(rf"(?:[a-z0-9_-]+\.)+(127\.0\.0\.1|localhost)(?::{port})?")

    def check(asked: Asked) -> None:
        below = below_loopback.fullmatch(asked.value("host").lower())
        if not below:
            _check_host(asked, port)
        _check_origin(asked, door)
        if _is_for_s3(asked):
            paths.check_of_object(asked.raw_path)
        else:
            paths.check_of_api(asked.raw_path)
        _check_open(asked, own_addresses)
        # No browser can name a host below 127.0.0.1 (https://url.spec.whatwg.org/#ends-in-a-number-checker). The front
        # door can, and passes on what a browser told it.
        if not (below and below[1] == "127.0.0.1"):
            _check_browser(asked)

    return check


def _check_host(asked: Asked, port: int) -> None:
    """A page whose own name leads to 127.0.0.1 (DNS rebinding) is of the same origin as what it asks, by that name."""
    hosts = [host.lower() for host in asked.values("host")]
    if len(hosts) != 1 or hosts[0] not in {each for name in _LOOPBACK for each in (name, f"{name}:{port}")}:
        raise Refused(403, "foreign_host", f"This server is called 127.0.0.1:{port} or localhost:{port}; ask for that.")


def _check_origin(asked: Asked, allowed: Collection[str]) -> None:
    """A browser says with each request but plain GETs which page sends it; "null" is a page that hides it."""
    if not set(asked.values("origin")) <= set(allowed):
        raise Refused(403, "foreign_origin", "Only pages of SnapRace's front door may send requests here.")


def _is_opened(asked: Asked) -> bool:
    """Whether the answer becomes a tab's content, not a part of another page."""
    return (asked.value("sec-fetch-mode"), asked.value("sec-fetch-dest")) == ("navigate", "document")


def _check_open(asked: Asked, own_addresses: Collection[tuple[str, str]]) -> None:
    """The emulator's own addresses show code and messages, or reset all; the runtime needs few of them.

    They begin with '_', as no bucket's name and no path of an AWS API does.
    """
    path = asked.path
    if not path.startswith("/_") or path.startswith(_PATH_OF_APIS):
        return
    if (asked.method, path) not in own_addresses:
        raise Refused(403, "closed", "The emulator's own addresses are closed; use the API of the AWS service.")


def _check_browser(asked: Asked) -> None:
    """What the door's pages need: pictures and downloads by signed links; for uploads, signed links and forms.

    A browser older than Sec-Fetch-Site is known by its name.
    """
    marks = ("origin", "sec-fetch-site", "sec-fetch-mode", "sec-fetch-dest", "referer")
    if not (any(map(asked.values, marks)) or asked.value("user-agent").startswith("Mozilla/")):
        return
    may = _page_may if asked.values("origin") else _link_may
    if not (_names_object(asked) and may(asked)):
        raise Refused(403, "browser", "Browsers get pictures here by signed links, nothing else; use an AWS SDK.")


def _page_may(asked: Asked) -> bool:
    """Whether the door's pages may do this by their scripts and forms."""
    if asked.method == "POST":  # a presigned POST has its signature in the body
        return asked.value("content-type").startswith("multipart/form-data")
    return asked.method == "OPTIONS" or (asked.method in ("GET", "HEAD", "PUT") and _is_signed_for_s3(asked))


def _link_may(asked: Asked) -> bool:
    """Whether this is <img>, or a link that was clicked; a browser sends no Origin with them, from whichever page.

    Their answers are shown, and no page can read them. What is shown here itself asks for nothing (same-origin).
    """
    shown = asked.value("sec-fetch-dest") in ("", "image", "document")
    return (
        asked.method == "GET" and shown and asked.value("sec-fetch-site") != "same-origin" and _is_signed_for_s3(asked)
    )


def _names_object(asked: Asked) -> bool:
    """Whether the path is in a bucket of ours, and nothing else names an operation, as Action does for SQS."""
    ours = asked.path.startswith(f"/{naming.PREFIX}-")
    return ours and "Action" not in asked.query and not asked.values("x-amz-target")


def _is_signed_for_s3(asked: Asked) -> bool:
    return "X-Amz-Signature" in asked.query and bool(_OF_S3.search(asked.query.get("X-Amz-Credential", [""])[0]))


def _is_for_s3(asked: Asked) -> bool:
    return _is_signed_for_s3(asked) or bool(_OF_S3.search(asked.value("authorization")))
