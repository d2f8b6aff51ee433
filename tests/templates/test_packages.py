"""A function imports nothing that it does not ship: the local runtime's interpreter would not notice."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.bytecode import PythonMissing, lambdas_python
from deploy.layers import _lambda_tags, tidy
from deploy.packages import packaged
from services import cards
from shared.contracts import naming
from shared.contracts.card import PYTHON, Function, Stage
from tests.kit.synthesis import ROOT
from tests.templates.templates import Template

FUNCTIONS = [(card, function) for card in cards() for function in card.functions]
# What Lambda's Python runtime brings: boto3 and what boto3 needs.
RUNTIME = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six", "urllib3")
SCRIPT = Path(__file__).with_name("imports.py")


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds the packages of Lambda's runtime alone."""
    folder = tmp_path_factory.mktemp("runtime")
    for name in RUNTIME:
        spec = importlib.util.find_spec(name)
        assert spec is not None and spec.origin is not None, name
        origin = Path(spec.origin)
        source = origin.parent if spec.submodule_search_locations else origin
        (folder / source.name).symlink_to(source)
    return folder


def _layers(template: Template, function: dict) -> list[Path]:
    layers = template.of_type("AWS::Lambda::LayerVersion")
    return [_asset(template, layers[layer["Ref"]]["Content"]["S3Key"]) / "python" for layer in function["Layers"]]


def _asset(template: Template, key: str) -> Path:
    folder = template.path.parent / f"asset.{key.removesuffix('.zip')}"
    assert folder.is_dir()
    return folder


@pytest.mark.parametrize(
    ("card", "function"), FUNCTIONS, ids=lambda value: value.name if isinstance(value, Stage | Function) else ""
)
def test_it_imports_only_what_it_ships(
    dev: dict[str, Template], runtime: Path, card: Stage, function: Function, tmp_path: Path
) -> None:
    template = dev[card.name]
    made = template.named("AWS::Lambda::Function", naming.function("dev", card.name, function.name))
    module = made["Handler"].removesuffix(".handler")
    package = _asset(template, made["Code"]["S3Key"])
    folders = [str(path) for path in (*_layers(template, made), runtime)]
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-B", str(SCRIPT), module, str(package), *folders],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        # Nothing of the environment: what a handler reads from it, it reads when it is invoked.
        env={"PATH": os.environ["PATH"]},
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout.splitlines()[-1])
    assert answer["missing"] == []
    assert {module, "shared.kit.aws"} <= set(answer["reached"])


def test_a_package_and_a_layer_are_the_same_wherever_they_are_made(tmp_path: Path) -> None:
    made = []
    for place in ("here", "a/longer/place"):
        checkout = tmp_path / place
        for folder in ("services", "shared"):
            shutil.copytree(ROOT / folder, checkout / folder, ignore=shutil.ignore_patterns("__pycache__"))
        [ingest] = [card for card in cards() if card.name == "ingest"]
        package = packaged(checkout, ingest, sys.executable)
        layer = checkout / "layer"
        shutil.copytree(ROOT / "build" / "layers" / "base" / "python" / "msgspec", layer / "msgspec")
        information = layer / "msgspec-0.dist-info"
        information.mkdir()
        for name in ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json"):
            (information / name).write_text(f"made in {checkout}")
        (information / "METADATA").write_text("Name: msgspec")
        tidy(layer, sys.executable)
        made.append((package.name, _contents(package), _contents(layer)))
    assert made[0] == made[1]
    layer = made[0][2]
    assert [name for name in layer if "dist-info" in name] == ["msgspec-0.dist-info/METADATA"]
    assert any(name.endswith(".pyc") for name in layer)


def _contents(folder: Path) -> dict[str, bytes]:
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}


def test_what_is_deployed_to_aws_is_for_arm64_and_its_own_python(tmp_path: Path) -> None:
    assert {"--platform", "manylinux_2_28_aarch64", PYTHON} <= set(_lambda_tags())
    with pytest.raises(PythonMissing, match=rf"install it as python{PYTHON}"):
        lambdas_python([str(tmp_path / "no-python"), None])
