"""Run inside nothing but a package: python -I -S imports.py MODULE PACKAGE FOLDER… (layers, what Lambda brings)

Imports the handler's module, then everything that the reached modules of the package import anywhere, also inside
functions, as Lambda might do later. Prints {"reached": [...], "missing": [[module, line, name, error], ...]}.
"""

import ast
import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path


def imports(tree: ast.AST) -> Iterator[tuple[int, str, str]]:
    """(line, module, name or "") of each import at any depth, but for those that only type checkers see."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.lineno, "." * node.level + (node.module or ""), alias.name) for alias in node.names)
        yield from imports(node)


def load(module: str, name: str, package: str | None) -> None:
    found = importlib.import_module(module, package)
    if name and name != "*" and not hasattr(found, name):
        importlib.import_module(f"{found.__name__}.{name}")


def reached(package: Path) -> dict[str, Path]:
    """The modules imported so far that lie in the package."""
    files = {name: getattr(module, "__file__", None) for name, module in list(sys.modules.items())}
    return {name: Path(file) for name, file in files.items() if file and Path(file).is_relative_to(package)}


def main(module: str, package: Path, folders: list[str]) -> None:
    sys.path[:0] = [str(package), *folders]
    handler = importlib.import_module(module).handler
    assert callable(handler)
    missing: list[tuple[str, int, str, str]] = []
    read: set[str] = set()
    while new := {name: file for name, file in reached(package).items() if name not in read}:
        for name, file in new.items():
            read.add(name)
            inside = name if file.name == "__init__.py" else name.rpartition(".")[0]
            for line, wanted, attribute in imports(ast.parse(file.read_text())):
                try:
                    load(wanted, attribute, inside)
                except ImportError as error:
                    missing.append((name, line, wanted, str(error)))
    sys.stdout.write(json.dumps({"reached": sorted(read), "missing": missing}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
