"""The graph of packages in the documents is the one of the code."""

from docs.package_graph import ARCHITECTURE, drawn, package_arrows, reduced


def test_the_document_shows_what_the_code_imports() -> None:
    text = ARCHITECTURE.read_text("utf-8")
    assert drawn(text) == text
    assert "--> words" in text


def test_no_package_imports_another_in_a_circle() -> None:
    arrows = package_arrows()
    assert not {(end, start) for start, end in arrows} & arrows
    assert reduced(arrows) <= arrows
