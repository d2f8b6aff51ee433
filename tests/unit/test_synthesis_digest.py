"""The stacks are synthesized anew when something they are made of has changed, and only then."""

import json
from pathlib import Path

import pytest

from local.runtime import synthesis
from shared.contracts import quotas
from stacks.quotas import CONTEXT


@pytest.mark.parametrize(
    ("changed", "matters"),
    [
        ("app.py", True),
        ("cdk.json", True),
        ("services/ocr/domain/new.py", True),
        ("services/ocr/tests/inner.py", True),
        ("stacks/platform.py", True),
        ("build/layers/base.stamp", True),
        ("build/demo-race/photo.jpg", False),
        ("tests/unit/test_it.py", False),
        ("ops/cli/main.py", False),
        (".snaprace/cdk.out/manifest.json", False),
        ("services/ocr/__pycache__/stage.cpython-311.pyc", False),
    ],
)
def test_what_is_looked_at(changed: str, matters: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthesis, "CHECKOUT", tmp_path)
    (tmp_path / "services").mkdir()
    (tmp_path / "services" / "__init__.py").write_text("")
    before = synthesis._digest("")
    file = tmp_path / changed
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("one")
    added = synthesis._digest("")
    file.write_text("other")
    after = synthesis._digest("")
    assert (len({before, added, after}) == 3) == matters
    file.unlink()
    assert synthesis._digest("") == before


@pytest.mark.parametrize(("region", "rate"), [("us-east-1", 50.0), ("ap-northeast-2", 5.0)])
def test_they_are_made_anew_for_a_region_s_quotas(region: str, rate: float) -> None:
    [context] = synthesis.with_quotas_of(region).values()
    assert json.loads(context) == {CONTEXT: {"dev": dict.fromkeys(sorted(quotas.OPERATIONS), rate)}}
    assert synthesis._digest(context) != synthesis._digest("")
    assert synthesis.with_quotas_of("") == {}
