"""Large pages of memory for the vision server, which reads whole collections of faces from end to end.

With pages of 4 KB a third of a search's time at a million faces is looking them up. glibc asks Linux for large ones
where a variable says so before a process starts, and nowhere else are they asked for.

Source: the GNU C Library's manual, "Memory Allocation Tunables", glibc.malloc.hugetlb (from 2.35 on); other C libraries
and older releases ignore it.
"""

from __future__ import annotations

from collections.abc import Mapping

VARIABLE = "GLIBC_TUNABLES"
LARGE_PAGES = "glibc.malloc.hugetlb=1"


def with_large_pages(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of a process that is to have them; what it says about large pages already holds."""
    tunables = environment.get(VARIABLE, "")
    if LARGE_PAGES.partition("=")[0] in tunables:
        return dict(environment)
    return {**environment, VARIABLE: ":".join(filter(None, [tunables, LARGE_PAGES]))}
