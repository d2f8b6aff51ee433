"""Rules of the house that no linter knows: no function longer than a screen, and no stage's key outside its records."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from services import cards
from tests.kit.synthesis import ROOT

LONGEST = 60
PRODUCTION = ("services", "shared", "stacks", "dashboards", "vision", "local", "deploy", "ops", "bench", "catalogue")

SOURCES = [
    ROOT / name
    for name in subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    if (ROOT / name).is_file()
]


def _in(file: Path, *folders: str) -> bool:
    return file.relative_to(ROOT).parts[0] in folders


def too_long(tree: ast.AST) -> Iterator[str]:
    """The functions that take more lines than a screen has."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
            lines = node.end_lineno - node.lineno + 1
            if lines > LONGEST:
                yield f"{node.name} has {lines} lines"


@pytest.mark.parametrize("folder", PRODUCTION)
def test_no_function_is_longer_than_a_screen(folder: str) -> None:
    found = {
        f"{file.relative_to(ROOT)}: {complaint}"
        for file in SOURCES
        if _in(file, folder) and not file.is_relative_to(ROOT / "local" / "race")
        for complaint in too_long(ast.parse(file.read_text("utf-8")))
    }
    assert not found


# --- keys of stages -------------------------------------------------------------------------------------------

PATTERNS = {record.SORT_KEY for card in cards() for record in card.keeps}
PREFIXES = tuple(start for pattern in PATTERNS if "{" in pattern and (start := pattern.partition("{")[0]))
WHOLE = {pattern for pattern in PATTERNS if "{" not in pattern}

# Who may spell keys: what pins them down, so that a record's changed pattern is noticed.
PINNING = {"tests/flows/test_stored_items.py", "tests/flows/test_insight_stored.py"}


def spelt_keys(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Literals, also in f-strings, that spell the sort key of a stage's record, or how it begins; with their line."""
    for node in ast.walk(tree):
        text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
        if text in WHOLE or text.startswith(PREFIXES):
            yield node.lineno, text


def test_keys_are_spelt_in_records_alone() -> None:
    found = [
        f"{file.relative_to(ROOT)}:{line} spells {text!r}"
        for file in SOURCES
        if not (_in(file, "services") and file.name == "records.py") and str(file.relative_to(ROOT)) not in PINNING
        for line, text in spelt_keys(ast.parse(file.read_text("utf-8")))
    ]
    assert not found, "Use the record's class: its locate(), place() or prefix()."


@pytest.mark.parametrize("code", ['"KEY#"', 'f"PHOTO#{p}"', '"RACE"', 'x = {"SK": "IDENTITY#" + p}'])
def test_a_spelt_key_is_found(code: str) -> None:
    assert list(spelt_keys(ast.parse(code)))


def test_a_long_function_is_found() -> None:
    assert list(too_long(ast.parse("def f():\n" + "    x = 1\n" * LONGEST)))
    assert not list(too_long(ast.parse("def f():\n" + "    x = 1\n" * (LONGEST - 1))))


# --- items of stages ------------------------------------------------------------------------------------------

# Who may handle items untyped: what makes them typed, and the tables that stand in for DynamoDB in tests.
UNTYPED = {"shared/kit/table.py", "shared/kit/records.py", "shared/kit/entry.py", "ops/reach/target.py"}
UNTYPED |= {"bench/insight/units.py"}  # which measures how large items are


def imports_untyped_items(tree: ast.AST) -> bool:
    """Whether a file imports the table whose items are plain dicts (its conditions are no items)."""
    names = {"Table", "Item", "from_item", "to_item"}
    return any(
        isinstance(node, ast.ImportFrom)
        and node.module == "shared.kit.table"
        and names & {alias.name for alias in node.names}
        for node in ast.walk(tree)
    )


def test_items_are_read_as_records() -> None:
    found = {
        str(file.relative_to(ROOT))
        for file in SOURCES
        if _in(file, *PRODUCTION) and imports_untyped_items(ast.parse(file.read_text("utf-8")))
    }
    assert found <= UNTYPED


# --- the face of a stage --------------------------------------------------------------------------------------

FACE = {"stage", "records", "notes", "questions"}


def behind_the_face(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Imports of what stands behind a stage's face, with their line: lint-imports knows the folders, not all files."""
    for node in ast.walk(tree):
        modules = []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("services."):
            deep = node.module.count(".") > 1
            modules = [node.module] if deep else [f"{node.module}.{alias.name}" for alias in node.names]
        for module in modules:
            if module.startswith("services.") and module.split(".")[2] not in FACE:
                yield node.lineno, module


def test_of_a_stage_others_see_its_face_alone() -> None:
    inside = ("unit", "flows", "kit", "contracts", "e2e", "house")  # tests of what stands behind it, and new stages
    # These measure the rules of reading and of matching.
    measured = {"bench/bibs.py", "bench/matching.py"}
    found = [
        f"{file.relative_to(ROOT)}:{line} imports {module}"
        for file in SOURCES
        if not _in(file, "services") and str(file.relative_to(ROOT)) not in measured
        if not file.is_relative_to(ROOT / "bench" / "insight")  # which measures what functions themselves take
        if not (_in(file, "tests") and file.relative_to(ROOT).parts[1] in inside)
        for line, module in behind_the_face(ast.parse(file.read_text("utf-8")))
    ]
    assert not found


def test_an_import_of_what_stands_behind_is_found() -> None:
    for code in (
        "from services.ocr.reader import Reader",
        "import services.ocr.edges",
        "from services.ocr import edges",
    ):
        assert list(behind_the_face(ast.parse(code))), code
    assert not list(
        behind_the_face(ast.parse("from services.ocr.records import ReadPhoto\nfrom services import cards"))
    )
