from pathlib import Path

import pytest

from tests.kit.synthesis import made_once, run
from tests.templates import templates
from tests.templates.templates import Template


@pytest.fixture(scope="session")
def dev(assembly: Path) -> dict[str, Template]:
    """The templates of dev by stack."""
    return templates.read(assembly, "dev")


@pytest.fixture(scope="session")
def reviewed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The assembly of prod, and in nag.json what cdk-nag says about it."""
    return made_once(tmp_path_factory, "assembly-prod", lambda out: run(["-m", "tests.templates.nag", str(out)]))


@pytest.fixture(scope="session")
def prod(reviewed: Path) -> dict[str, Template]:
    """The templates of prod by stack."""
    return templates.read(reviewed, "prod")
