"""What all tests share: no way to a real AWS account, and the product's own templates."""

import functools
import gc
import os
from pathlib import Path

import botocore.session
import pytest

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
    """Set credentials that reach nothing, before any fixture or program of a test can use the engineer's own."""
    os.environ.update(NOBODY)
    for name in LEADS_ELSEWHERE:
        os.environ.pop(name, None)
    _parse_service_models_once()


def _parse_service_models_once() -> None:
    """Let all boto3 sessions of this process share what reads the services' models, megabytes of JSON.

    Many tests make a session of their own, and each would parse them again.
    """
    botocore.session.create_loader = functools.cache(botocore.session.create_loader)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests that mostly wait, or at the end they would be waited for alone."""
    items.sort(key=lambda item: item.path.parent.name not in ("runtime", "e2e"))


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
