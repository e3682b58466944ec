"""Draws which package imports which into docs/architecture.md: ``python -m docs.package_graph``.

Between ``<!-- graph: packages -->`` and ``<!-- end -->`` stands a Mermaid graph of what the code
imports today; a test checks it. The modules beside the packages are one node, ``words``. An arrow
that follows from others is left out: where a imports b and b imports c, a may import c.
"""

import re
from collections.abc import Iterable

import grimp

from photoenhance_ui.settings import PROJECT_DIR

ARCHITECTURE = PROJECT_DIR / "docs" / "architecture.md"
ROOT = "photoenhance_ui"
WORDS = "words"
DOORS = ("__main__", "ui", "cli")
_BLOCK = re.compile(r"(<!-- graph: packages -->\n).*?(<!-- end -->)", re.DOTALL)

Arrow = tuple[str, str]


def package_arrows() -> set[Arrow]:
    """Every pair of packages of which the first imports something of the second."""
    graph = grimp.build_graph(ROOT)
    packages = {name for name in graph.find_children(ROOT) if graph.find_children(name)}

    def node(module: str) -> str:
        package = ".".join(module.split(".")[:2])
        return package.removeprefix(f"{ROOT}.") if package in packages else WORDS

    pairs = {
        (node(importer), node(imported))
        for importer in graph.modules
        for imported in graph.find_modules_directly_imported_by(importer)
        if importer.rpartition(".")[2] not in DOORS and imported != ROOT
    }
    return {(importer, imported) for importer, imported in pairs if importer != imported}


def reduced(arrows: Iterable[Arrow]) -> set[Arrow]:
    """The arrows that do not follow from others.

    >>> sorted(reduced({("a", "b"), ("b", "c"), ("a", "c")}))
    [('a', 'b'), ('b', 'c')]
    """
    arrows = set(arrows)
    return {
        (importer, imported)
        for importer, imported in arrows
        if not any(
            _leads(arrows, between, imported)
            for other, between in arrows
            if other == importer and between != imported
        )
    }


def _leads(arrows: set[Arrow], start: str, end: str) -> bool:
    """Whether a way along the arrows leads from one package to another."""
    seen, ahead = {start}, [start]
    while ahead:
        here = ahead.pop()
        for importer, imported in arrows:
            if importer == here and imported not in seen:
                seen.add(imported)
                ahead.append(imported)
    return end in seen


def drawn(text: str) -> str:
    """The document with the graph as the code says."""
    lines = (
        f"  {importer} --> {imported}" for importer, imported in sorted(reduced(package_arrows()))
    )
    graph = "\n".join(("```mermaid", "graph TD", *lines, "```"))
    return _BLOCK.sub(lambda block: f"{block[1]}{graph}\n{block[2]}", text)


def main() -> None:
    """Write the graph."""
    ARCHITECTURE.write_text(drawn(ARCHITECTURE.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
