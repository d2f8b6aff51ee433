"""Who sends events, as the request's headers say: a browser at a page of ours or of another site, or a program."""

from __future__ import annotations

_OWN = ("", "same-origin", "none")
"""Of Sec-Fetch-Site: not sent, a page of ours, or typed into the address field. Source: W3C, Fetch Metadata."""


def is_browser(origin: str, fetch_site: str) -> bool:
    """Whether a browser asks: it says of which page, where it sends anything at all to a server (Fetch Standard)."""
    return bool(origin or fetch_site)


def may_send(fetch_site: str) -> bool:
    """Whether events may come from there; where a browser is too old to say, its token decides."""
    return fetch_site in _OWN


def may_have_token(origin: str, fetch_site: str) -> bool:
    """Whether a token may be read there.

    The API's answers are for pages of every origin, but this one. With GET a browser says its page's origin only where
    that is not the server's (Fetch Standard, "append a request Origin header").
    """
    return fetch_site in _OWN and not origin


def wants_no_tracking(do_not_track: str, global_privacy_control: str) -> bool:
    """Whether the visitor has told her browser so. Source: W3C, Tracking Preference Expression; W3C, GPC."""
    return "1" in (do_not_track.strip(), global_privacy_control.strip())
