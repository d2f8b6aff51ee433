"""What all tests share: no way to a real AWS account, and the product's own templates."""

import gc
import os
import sys
from pathlib import Path

import pytest

from tests.kit import botocore_once
from tests.kit.synthesis import MADE_BEFORE, made_once, synthesize

NOBODY = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}
LEADS_ELSEWHERE = ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_REKOGNITION")


def pytest_configure() -> None:
    """Set credentials that reach nothing, before any fixture or program of a test can use the engineer's own.

    Bytecode is kept also where the environment says otherwise: hundreds of programs are started, and each would compile
    our sources anew.
    """
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    os.environ.update(NOBODY)
    for name in LEADS_ELSEWHERE:
        os.environ.pop(name, None)
    botocore_once.share()


LONG_FILES = ("runtime", "e2e", "house", "vision", "flows", "templates")
"""Folders of the files that take long: first those that mostly wait."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the long files: a worker takes a file at a time, and at the end one would be waited for alone."""
    places = {name: place for place, name in enumerate(LONG_FILES)}
    items.sort(key=lambda item: places.get(item.path.parent.name, len(places)))


def pytest_collection_finish() -> None:
    """Look for garbage less often, and not among modules and collected tests: a tenth of the time would go there."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


@pytest.fixture(scope="session")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cloud assembly (cdk.out) of the environment dev. Tests read it and leave it as it is."""
    made_before = os.environ.get(MADE_BEFORE)
    return Path(made_before) if made_before else made_once(tmp_path_factory, "assembly-dev", synthesize)
