"""The README says what is so: tables, links, commands, the head for Spaces, and the examples."""

import json
import re
import shlex
import shutil
import subprocess
import sys
import threading
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import fields
from importlib.util import find_spec
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet
from PIL import Image

from docs.readme_tables import README, TABLES, filled
from photoenhance_ui.cli.parser import make_parser
from photoenhance_ui.events import Row
from photoenhance_ui.pipeline.contracts import Work
from photoenhance_ui.request import OPTIONS
from photoenhance_ui.settings import FLAGS, PROJECT_DIR, parse_settings
from testing import served as server
from testing.photos import PhotoMaker
from testing.requirements import required

served, released = server.served, server.released

TEXT = README.read_text(encoding="utf-8")
HEAD, BODY = TEXT.removeprefix("---\n").split("\n---\n", 1)
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
PROSE = FENCED.sub("", BODY)
SPANS = re.findall(r"`([^`\n]+)`", PROSE)
"""Everything that stands between backticks outside of blocks of code."""

# Tables


def test_the_tables_are_as_the_code_says() -> None:
    assert filled(TEXT) == TEXT, "run: python -m docs.readme_tables"


@pytest.mark.parametrize("name", TABLES)
def test_each_table_has_its_place(name: str) -> None:
    assert TEXT.count(f"<!-- table: {name} -->\n") == 1


def test_no_place_is_without_a_table_and_each_one_ends() -> None:
    assert set(re.findall(r"<!-- table: (\w+) -->", TEXT)) == set(TABLES)
    marks = re.findall(r"<!-- (table: \w+|end) -->", TEXT)
    assert all(mark.startswith("table") for mark in marks[::2])
    assert marks[1::2] == ["end"] * len(TABLES)


def rows_of(heads: str) -> list[list[str]]:
    """The cells of the table that begins with this line."""
    (table,) = re.findall(rf"^{re.escape(heads)}\n\|[-|]+\|\n((?:\|.*\|\n)+)", BODY, re.MULTILINE)
    return [line.strip("| ").split(" | ") for line in table.splitlines()]


def test_the_report_is_described_field_by_field() -> None:
    described = [
        name
        for cells in rows_of("| field | meaning |")
        for name in re.findall(r"`(\w+)`", cells[0])
    ]
    assert described == [field.name for field in fields(Row)]


def test_the_endpoints_are_those_of_the_server(served: server.Served) -> None:
    described = [cells[0].strip("`") for cells in rows_of("| endpoint | takes | gives |")]
    told = served.client().view_api(return_format="dict", print_info=False)
    assert set(described) == set(told["named_endpoints"])


# Links


def anchors_of(markdown: str) -> set[str]:
    """The names that GitHub gives to headings."""
    headings = re.findall(r"^#+ (.+)$", markdown, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


LINKS = sorted(set(re.findall(r"!?\[[^\]]*\]\(([^)\s]+)\)", PROSE)))


def test_there_are_links_and_pictures() -> None:
    assert "assets/screenshot.png" in LINKS
    assert any(link.startswith("#") for link in LINKS)


@pytest.mark.parametrize("link", LINKS)
def test_each_link_leads_somewhere(link: str) -> None:
    if link.startswith(("https://", "http://")):
        assert link.startswith("https://")  # tests ask no other machine whether it is there
        return
    path, _, anchor = link.partition("#")
    if path:
        assert (PROJECT_DIR / path).exists()
    if anchor:
        text = (PROJECT_DIR / path).read_text(encoding="utf-8") if path else PROSE
        assert anchor in anchors_of(text)


@pytest.mark.parametrize("name", ["app.py", "packages.txt", "requirements.txt", "training/"])
def test_files_that_are_named_are_there(name: str) -> None:
    assert name in SPANS or any(name in span.split() for span in SPANS)
    assert (PROJECT_DIR / name).exists()


# Commands


def typed_commands() -> Iterator[str]:
    """The commands of all bash blocks, one by one; the example for curl is run below."""
    for language, block in FENCED.findall(BODY):
        if language == "powershell":  # the same commands, as Windows has them
            line = block.strip().replace("\\", "/").replace("/Scripts/", "/bin/")
            yield from re.sub(r"^py ", "python3 ", line).split("; ")
        if language == "bash" and "curl" not in block:
            for line in block.splitlines():
                yield from line.split(" && ")


COMMANDS = list(dict.fromkeys(typed_commands()))


def is_requirements_file(words: list[str]) -> bool:
    return words[0] == "-r" and (PROJECT_DIR / words[1]).is_file()


def accepted(command: str) -> bool:
    """Whether the programs that the command calls take what it gives them."""
    match shlex.split(command):
        case ["python3", "-m", "venv", ".venv"] | ["uv", "venv", "--allow-existing"]:
            return True
        case [".venv/bin/pip", "install", *words] | ["uv", "pip", "install", *words]:
            return is_requirements_file(words)
        case [".venv/bin/python", "app.py", *words]:
            return bool(parse_settings(words, {}))
        case [*command_alone, ">>", _]:
            return accepted(shlex.join(command_alone))
        case [".venv/bin/python", "-m", "photoenhance_ui", *words]:
            return bool(make_parser().parse_args(words))
        case [".venv/bin/python", "-m", module]:
            return find_spec(module) is not None
    return False


def test_there_are_commands_for_all_that_can_be_done() -> None:
    said = "\n".join(COMMANDS)
    for word in ("app.py", "pytest", " enhance ", "models list", "models download", "status"):
        assert word in said


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_is_accepted(command: str) -> None:
    assert accepted(command)


@pytest.mark.parametrize(
    "command",
    [
        ".venv/bin/python app.py --colour red",
        ".venv/bin/python -m photoenhance_ui enhance a.jpg --output b --preset nicer",
        ".venv/bin/python -m photoenhance_ui models repair",
    ],
)
def test_a_command_that_is_wrong_would_be_found(command: str) -> None:
    with pytest.raises(SystemExit):
        accepted(command)


def test_there_is_a_line_for_each_kind_of_machine() -> None:
    for file in ("requirements.txt", "requirements-cpu.txt", "requirements-dev.txt"):
        assert f".venv/bin/pip install -r {file}" in COMMANDS
    assert "uv pip install -r requirements-cpu.txt" in COMMANDS


def page_or_command_line_takes(words: list[str]) -> bool:
    known = {flag.flag for flag in FLAGS}
    if words[0] in known:
        return len(words) == 1 or bool(parse_settings(words, {}))
    enhance = ["enhance", "photo.jpg", "--output", "better"]
    if len(words) == 1 and words[0] == "--report":
        words = [*words, "report.jsonl"]
    return bool(make_parser().parse_args([*enhance, *words]))


@pytest.mark.parametrize("span", sorted({span for span in SPANS if span.startswith("--")}))
def test_each_flag_in_the_text_exists(span: str) -> None:
    assert page_or_command_line_takes(shlex.split(span))


@pytest.mark.parametrize("span", sorted({s for s in SPANS if re.match(r"(models|python -m) ", s)}))
def test_each_command_in_the_text_exists(span: str) -> None:
    words = shlex.split(span)
    if words[0] == "models":
        assert make_parser().parse_args(words)
    else:
        assert find_spec(words[2]) is not None


def test_each_variable_in_the_text_exists() -> None:
    named = set(re.findall(r"PHOTOENHANCE_[A-Z_]+", BODY))
    assert named
    assert named <= {flag.variable for flag in FLAGS}


# The head for Hugging Face Spaces


def head() -> dict[str, str]:
    pairs = (line.split(": ", 1) for line in HEAD.splitlines() if ": " in line)
    return {key: value.strip('"') for key, value in pairs}


PROJECT = tomllib.loads((PROJECT_DIR / "pyproject.toml").read_text())["project"]


def test_spaces_install_a_gradio_that_the_requirements_allow() -> None:
    assert head()["sdk"] == "gradio"
    (gradio,) = [one for one in required("requirements.txt") if one.name == "gradio"]
    assert gradio.specifier.contains(head()["sdk_version"])


def test_spaces_run_a_python_that_the_project_allows() -> None:
    assert 'python_version: "' in HEAD, "without quotes 3.10 would be read as 3.1"
    assert SpecifierSet(PROJECT["requires-python"]).contains(head()["python_version"])


def test_spaces_find_what_the_head_names() -> None:
    assert (PROJECT_DIR / head()["app_file"]).is_file()
    assert head()["license"] == PROJECT["license"].lower()
    assert len(head()["short_description"]) <= 60  # Spaces refuse more
    colours = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
    assert {head()["colorFrom"], head()["colorTo"]} <= colours


def test_the_pythons_named_are_those_that_the_project_allows() -> None:
    (named,) = re.findall(r"You need Python (.+?)\.(?:\s)", BODY)
    allowed = SpecifierSet(PROJECT["requires-python"])
    minors = [f"3.{minor}" for minor in range(8, 20) if allowed.contains(f"3.{minor}")]
    assert named == f"{minors[0]} to {minors[-1]}"


# The examples, run as they stand against a real server


def example(name: str) -> str:
    (code,) = re.findall(rf"<!-- example: {name} -->\n```\w+\n(.*?)^```$", BODY, re.DOTALL | re.M)
    return code


def pointed_at(code: str, url: str) -> str:
    """The example, for the server of these tests."""
    assert code.count("http://127.0.0.1:7860") == 1
    return code.replace("http://127.0.0.1:7860", url.rstrip("/"))


def hold_up_all_but_one(served: server.Served) -> Callable[[], None]:
    """Photos other than the first one at work wait until the function that this gives is called.

    They are told apart by their size. Which one is the first is the first one decoded.
    """
    sizes: list[tuple[int, ...]] = []
    go_on = threading.Event()

    def wait(work: Work) -> None:
        sizes.append(work.inputs.shape)
        if sizes[0] != sizes[-1]:
            assert go_on.wait(timeout=60), "nobody let it go on"

    served.networks.hook = wait
    return go_on.set


def test_the_python_example_prints_and_saves_each_photo_as_it_comes(
    served: server.Served, photo_file: PhotoMaker, tmp_path: Path
) -> None:
    script = tmp_path / "better.py"
    script.write_text(pointed_at(example("python"), served.url))
    broken = server.written(tmp_path, "broken.jpg", b"no picture at all")
    photos = [photo_file("chelsea", 48), broken, photo_file("coffee", 64)]
    go_on = hold_up_all_but_one(served)
    saved = tmp_path / "saved"
    saved.mkdir()
    with subprocess.Popen(
        [sys.executable, str(script), *map(str, photos)],
        cwd=saved,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as running:
        assert running.stdout is not None
        early = [running.stdout.readline() for _ in range(2)]
        assert len(list(saved.iterdir())) == 1, "one is there while the other one waits"
        go_on()
        late, _ = running.communicate(timeout=60)
    assert running.returncode == 0, late
    told_broken, *told = sorted([*early, *late.splitlines(keepends=True)])
    assert told_broken.startswith("broken.jpg: This is no photo")
    assert told == [
        "chelsea_enhanced.png: saved\n",
        "coffee_enhanced.png: saved\n",
    ]
    sizes = {path.name: Image.open(path).size for path in saved.iterdir()}
    assert sizes == {"chelsea_enhanced.png": (96, 96), "coffee_enhanced.png": (128, 128)}


@pytest.mark.skipif(
    shutil.which("curl") is None or shutil.which("bash") is None, reason="there is no curl here"
)
def test_the_curl_example_gets_the_photo(
    served: server.Served, photo_file: PhotoMaker, tmp_path: Path
) -> None:
    photo_file("chelsea", 48, "photo.jpg")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", pointed_at(example("curl"), served.url)],
        cwd=tmp_path / "photos",
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    events = re.findall(r"^event: (\w+)\ndata: (.*)$", done.stdout, re.MULTILINE)
    kind, data = events[-1]
    assert kind == "complete"
    gallery, (row,) = json.loads(data)
    assert (row["name"], row["state"], row["width"]) == ("photo.jpg", "done", 96)
    assert Path(gallery[0]["image"]["path"]) == Path(row["output"])


def test_the_options_of_the_examples_exist() -> None:
    (called,) = re.findall(r"client\.submit\((.*?)\)", example("python"))
    words = re.findall(r"(\w+)=", called)
    assert words
    assert set(words) - {"api_name"} <= {option.name for option in OPTIONS}
