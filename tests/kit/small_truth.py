"""What is in a race of a few photos: a hidden bib, those that tell whose it is, copies, a bad file."""

from __future__ import annotations

from ops.demo.score import TruePhoto, TrueRunner, Truth

FULL, OTHER = TrueRunner("11", "full"), TrueRunner("22", "full")
HIDDEN, UNKNOWN = TrueRunner("11", "hidden"), TrueRunner("99", "hidden")
TRUTH = Truth(
    photos={
        "a.jpg": TruePhoto((OTHER,)),
        "b.jpg": TruePhoto((UNKNOWN,)),
        "c.jpg": TruePhoto((HIDDEN, OTHER)),
        "d.jpg": TruePhoto((FULL, OTHER)),
        "e.jpg": TruePhoto((FULL,)),
        "copy of c.jpg": TruePhoto((HIDDEN, OTHER)),
        "copy of a.jpg": TruePhoto((OTHER,)),
    },
    bad={"empty.jpg": "empty"},
    duplicates={"copy of c.jpg": "c.jpg", "copy of a.jpg": "a.jpg"},
)
