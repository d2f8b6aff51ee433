"""Invariant 12: a change in one stage's folder changes one stack's template."""

import shutil
from pathlib import Path

import pytest

from services import cards
from tests.kit.synthesis import ROOT, synthesize
from tests.templates import templates
from tests.templates.templates import Template

SYNTHESIZED = ("app.py", "jsii_node.py", "cdk.json", "stacks", "dashboards", "services", "shared")


def _copy_of_the_checkout(to: Path) -> Path:
    to.mkdir()
    for name in SYNTHESIZED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, to / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, to)
    (to / "build").symlink_to(ROOT / "build")
    return to


def test_a_change_in_one_stage_changes_one_template(dev: dict[str, Template], tmp_path: Path) -> None:
    checkout = _copy_of_the_checkout(tmp_path / "checkout")
    changed = checkout / "services" / "ocr" / "domain" / "bibs.py"
    changed.write_text(changed.read_text() + "\n# A change.\n")
    for elsewhere in ("tests/test_new.py", "docs/new.md", "services/notes.md", "web/new.js", "vision/new.py"):
        (checkout / elsewhere).parent.mkdir(exist_ok=True)
        (checkout / elsewhere).write_text("This is no part of any stack.")
    synthesize(tmp_path / "cdk.out", checkout=checkout)
    after = templates.read(tmp_path / "cdk.out", "dev")
    assert set(after) == set(dev)
    assert [name for name in dev if after[name].body != dev[name].body] == ["ocr"]


@pytest.mark.parametrize("stack", [card.name for card in cards()])
def test_a_package_is_its_own_stage_and_what_all_share(dev: dict[str, Template], stack: str) -> None:
    for function in dev[stack].of_type("AWS::Lambda::Function").values():
        package = dev[stack].path.parent / f"asset.{function['Code']['S3Key'].removesuffix('.zip')}"
        files = {path.relative_to(package).as_posix() for path in package.rglob("*") if path.is_file()}
        there = {
            path.relative_to(ROOT).as_posix()
            for folder in (f"services/{stack}", "shared")
            for path in (ROOT / folder).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }
        assert files == there | {"services/__init__.py"}
