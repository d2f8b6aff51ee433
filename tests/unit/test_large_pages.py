"""The variable by which glibc gives a process large pages of memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.runtime.pages import LARGE_PAGES, VARIABLE, with_large_pages

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, "glibc.malloc.hugetlb=1"),
        ({VARIABLE: ""}, "glibc.malloc.hugetlb=1"),
        ({VARIABLE: "glibc.malloc.arena_max=1"}, "glibc.malloc.arena_max=1:glibc.malloc.hugetlb=1"),
        ({VARIABLE: "glibc.malloc.hugetlb=0"}, "glibc.malloc.hugetlb=0"),
    ],
)
def test_what_somebody_chose_stays(before: dict[str, str], after: str) -> None:
    assert with_large_pages({"PATH": "/bin", **before}) == {"PATH": "/bin", VARIABLE: after}


def test_the_container_has_them_too() -> None:
    assert f"{VARIABLE}={LARGE_PAGES}" in (ROOT / "vision" / "Containerfile").read_text("utf-8")
