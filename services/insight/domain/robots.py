"""Which visitors are programs: they are counted apart."""

from __future__ import annotations

from crawleruseragents import is_crawler


def is_robot(user_agent: str, says_so: bool, purpose: str) -> bool:
    """Whether a program asks: a crawler, a link preview, a headless browser, a library.

    `says_so` is `navigator.webdriver`, which a browser sets that a program drives. `purpose` is the header Sec-Purpose:
    what a browser fetches in advance, nobody has seen. What does not say its name is no browser.
    """
    return says_so or "prefetch" in purpose.lower() or not user_agent or bool(is_crawler(user_agent))
