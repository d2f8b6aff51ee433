"""What a stage ships to Lambda: the modules that its functions import, their bytecode, and the files of its page.

A list of what is in, not of what is out: a stray file changes no package, and a change in a shared module changes just
the stages that import it. The folder is the same wherever and whenever it is made.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from deploy.bytecode import compile_all
from shared.contracts.card import Stage

_OURS = ("services", "shared")
_PAGE = "page"
_TASK = "/var/task"
"""Where Lambda has a package. Tracebacks name files there."""


def packaged(root: Path, stage: Stage, python: str) -> Path:
    """The folder of a stage's package, below build/packages of the checkout `root`, compiled by the `python` there."""
    files = sorted(shipped(root, stage))
    digest = hashlib.sha256(_version(python).encode())
    for file in files:
        digest.update(f"{file.relative_to(root)}\0".encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    folder = root / "build" / "packages" / f"{stage.name}-{digest.hexdigest()[:16]}"
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))
        _fill(fresh, root, files)
        compile_all(fresh, python, shown_as=_TASK)
        try:
            fresh.rename(folder)
        except OSError:  # another process was faster
            shutil.rmtree(fresh)
    return folder


@functools.cache
def _version(python: str) -> str:
    """Asked once: each function of each stage has a package."""
    return subprocess.run([python, "-VV"], check=True, capture_output=True, text=True).stdout


def _fill(folder: Path, root: Path, files: list[Path]) -> None:
    folder.chmod(0o755)
    for file in files:
        copy = folder / file.relative_to(root)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)


def shipped(root: Path, stage: Stage) -> set[Path]:
    """The files of a stage's package."""
    found: set[Path] = set()
    to_read = [root / "services" / stage.name / "functions" / f"{function.name}.py" for function in stage.functions]
    while to_read:
        file = to_read.pop()
        if file not in found:
            found.add(file)
            to_read += [near / "__init__.py" for near in file.parents if _is_ours(root, near)]
            to_read += _imported(root, file)
    page = root / "services" / stage.name / _PAGE
    return found | {file for file in page.glob("*") if not file.name.startswith(".")}


def _is_ours(root: Path, folder: Path) -> bool:
    return root in folder.parents and folder.relative_to(root).parts[0] in _OURS and (folder / "__init__.py").exists()


def _imported(root: Path, file: Path) -> Iterator[Path]:
    """The files of ours that a module imports anywhere, also within a function."""
    for name in _imports_of(file.read_bytes()):
        if name.split(".")[0] in _OURS:
            place = root.joinpath(*name.split("."))
            yield from (path for path in (place.with_suffix(".py"), place / "__init__.py") if path.exists())


@functools.cache
def _imports_of(source: bytes) -> tuple[str, ...]:
    """Remembered: each function of each stage asks, and most ask of the same modules."""
    return tuple(_imports(ast.parse(source)))


def _imports(node: ast.AST) -> Iterator[str]:
    """Names that may be modules, but for imports that only a type checker sees. All of ours are absolute (a lint)."""
    for inner in ast.iter_child_nodes(node):
        if isinstance(inner, ast.If) and ast.unparse(inner.test) == "TYPE_CHECKING":
            continue
        if isinstance(inner, ast.Import):
            yield from (alias.name for alias in inner.names)
        elif isinstance(inner, ast.ImportFrom) and inner.module:
            yield inner.module
            yield from (f"{inner.module}.{alias.name}" for alias in inner.names)
        else:
            yield from _imports(inner)
