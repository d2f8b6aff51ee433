"""Invariant 12: a change in one stage's folder changes one stack's template."""

import shutil
import sys
from pathlib import Path

import pytest

import app as product
from deploy.packages import packaged, shipped
from services import cards
from shared.contracts.card import Stage
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
    elsewhere = ("tests/test_new.py", "docs/new.md", "services/notes.md", "web/new.js", "vision/new.py")
    strays = ("shared/stray.py", "shared/kit/notes.txt", "services/faces/stray.py", "services/faces/domain/.DS_Store")
    for new in (*elsewhere, *strays):
        (checkout / new).parent.mkdir(exist_ok=True)
        (checkout / new).write_text("# This is no part of any stack.")
    synthesize(tmp_path / "cdk.out", checkout=checkout)
    after = templates.read(tmp_path / "cdk.out", "dev")
    assert set(after) == set(dev)
    assert [name for name in dev if after[name].body != dev[name].body] == ["ocr"]


@pytest.mark.parametrize("stack", [card.name for card in cards()])
def test_a_package_is_of_its_own_stage_and_of_what_all_share(dev: dict[str, Template], stack: str) -> None:
    for function in dev[stack].of_type("AWS::Lambda::Function").values():
        package = dev[stack].path.parent / f"asset.{function['Code']['S3Key'].removesuffix('.zip')}"
        files = [path.relative_to(package) for path in package.rglob("*") if path.is_file()]
        modules = [file for file in files if file.suffix == ".py"]
        assert all(file.parts[0] == "shared" or file.parts[1] in (stack, "__init__.py") for file in modules)
        compiled = {(file.parent.parent, file.name.split(".")[0]) for file in files if file.suffix == ".pyc"}
        assert compiled == {(file.parent, file.stem) for file in modules}
        assert Path("services", stack, "stage.py") in files


def test_a_module_that_some_stages_import_changes_their_packages(tmp_path: Path) -> None:
    checkout = _copy_of_the_checkout(tmp_path / "checkout")
    changed = checkout / "shared" / "contracts" / "boxes.py"
    changed.write_text(changed.read_text() + "\n# A change.\n")

    def package(root: Path, card: Stage) -> str:
        return packaged(root, card, sys.executable).name

    users = {card.name for card in cards() if changed in shipped(checkout, card)}
    assert users and users != {card.name for card in cards()}
    assert {card.name for card in cards() if package(checkout, card) != package(ROOT, card)} == users


def test_a_service_that_is_synthesized_alone_is_the_same_as_with_all_others(
    dev: dict[str, Template], tmp_path: Path
) -> None:
    app = product.make(str(tmp_path))
    product.build_service(app, "ocr")
    app.synth()
    alone = templates.read(tmp_path, "dev")
    assert alone.keys() == {"ocr"}
    assert alone["ocr"].body == dev["ocr"].body


def test_a_service_that_there_is_not_is_refused_with_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"There is no service 'orc'\. There are .*\bocr\b"):
        product.build_service(product.make(str(tmp_path)), "orc")
