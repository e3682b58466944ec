"""What is to be installed: the same versions everywhere, and torch only where it is needed."""

import re

import pytest
from packaging.requirements import Requirement

from photoenhance_ui.settings import PROJECT_DIR
from testing.requirements import lines_of, required

OF_TORCH = {"torch", "torchvision", "basicsr", "facexlib", "gfpgan", "realesrgan", "spandrel"}
"""Torch, and what needs it."""
UNBUILDABLE = {"basicsr", "gfpgan", "realesrgan"}
"""What cannot be installed from Python 3.13 on."""
FILES = ("requirements.txt", "requirements-cpu.txt", "requirements-dev.txt")


def test_without_torch_the_same_versions_are_installed_and_nothing_that_needs_torch() -> None:
    whole, cpu = lines_of("requirements.txt"), lines_of("requirements-cpu.txt")
    assert cpu == [line for line in whole if Requirement(line).name not in OF_TORCH]
    assert {one.name for one in required("requirements.txt")} >= OF_TORCH


@pytest.mark.parametrize("file", FILES[:2])
def test_a_host_that_sees_one_file_alone_installs_the_whole_app(file: str) -> None:
    assert not [line for line in lines_of(file) if line.startswith("-r")]


@pytest.mark.parametrize("file", FILES)
def test_each_version_is_bounded_from_both_sides(file: str) -> None:
    for one in required(file):
        assert {">=", "<"} <= {bound.operator for bound in one.specifier}, one.name


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13", "3.14"])
def test_what_cannot_be_built_is_asked_for_only_where_it_can(python: str) -> None:
    asked = {
        one.name
        for one in required("requirements.txt")
        if one.marker is None or one.marker.evaluate({"python_version": python})
    }
    assert (asked >= UNBUILDABLE) == (python in ("3.11", "3.12"))
    assert asked.isdisjoint(UNBUILDABLE) or asked >= UNBUILDABLE


def test_each_package_has_its_reason() -> None:
    told = (PROJECT_DIR / "docs" / "dependencies.md").read_text(encoding="utf-8")
    named = {
        name.strip() for row in re.findall(r"^\| ([^|]+) \|", told, re.MULTILINE)
        for name in row.split(",")
    }  # fmt: skip
    for file in FILES:
        assert {one.name for one in required(file)} <= named
