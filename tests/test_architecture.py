"""The shape the code keeps: which folder may import which, that none goes in circles, and how long a file may be."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OURS = {"statemachine", "eventlog", "adapters", "emulator"}
MAY_IMPORT = {
    "statemachine": {"statemachine"},
    "eventlog": {"eventlog", "statemachine"},
    "adapters/devpod": {"adapters.devpod", "statemachine"},
    "adapters/azure": {"adapters.azure", "statemachine"},
    "adapters/tunnel": {"adapters.tunnel", "statemachine"},
    "adapters/report": {"adapters.report", "eventlog", "statemachine"},
    "adapters/ship": {"adapters.ship", "adapters.azure", "eventlog", "statemachine"},
    "adapters/cli": {"adapters", "eventlog", "statemachine"},
    "emulator": {"emulator"},
}
LONGEST = 500
SOURCES = sorted(path for folder in MAY_IMPORT for path in (ROOT / folder).rglob("*.py"))


def imports_of(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names if node.module == "adapters"}
    return {name for name in found if name.split(".")[0] in OURS and name != "adapters"}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_follow_the_arrows(path: Path) -> None:
    folder = next(name for name in MAY_IMPORT if path.is_relative_to(ROOT / name))
    allowed = MAY_IMPORT[folder]
    wrong = {name for name in imports_of(path) if not any(name == ok or name.startswith(f"{ok}.") for ok in allowed)}
    assert not wrong, f"{folder} may import only {sorted(allowed)}"


@pytest.mark.parametrize("folder", ["eventlog", "adapters/tunnel"])
def test_packages_do_not_import_each_other_in_circles(folder: str) -> None:
    """What a module imports when it is imported itself; what its functions import later may lead anywhere."""
    name = folder.replace("/", ".")
    graph: dict[str, set[str]] = {}
    for path in (ROOT / folder).rglob("*.py"):
        part = path.relative_to(ROOT / folder).parts[0].removesuffix(".py")
        if part == "__init__":
            continue
        for node in at_once(ast.parse(path.read_text(encoding="utf-8"))):
            modules = [node.module] if node.module != name else [f"{name}.{alias.name}" for alias in node.names]
            parts = {str(each).removeprefix(f"{name}.").split(".")[0] for each in modules if str(each).startswith(name)}
            graph.setdefault(part, set()).update(parts - {part})
    list(TopologicalSorter(graph).static_order())


def at_once(tree: ast.AST) -> Iterator[ast.ImportFrom]:
    """Imports outside functions, and not for the type checker alone."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ImportFrom):
            yield node
        elif not isinstance(node, ast.FunctionDef) and not (
            isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        ):
            yield from at_once(node)


@pytest.mark.parametrize(
    "path",
    [*SOURCES, *sorted((ROOT / "tests").rglob("*.py")), *sorted((ROOT / "adapters" / "tunnel").rglob("*.[ch]"))],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_no_file_outgrows_one_idea(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST


def test_the_core_has_no_clock_no_network_and_no_files() -> None:
    forbidden = {"time", "socket", "os", "subprocess", "pathlib", "io", "requests", "azure"}
    for path in (ROOT / "statemachine").glob("*.py"):
        names = {name.split(".")[0] for name in all_imports(path)}
        assert not names & forbidden, path.name


def all_imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found
