"""An option that is added in one place is at every door: really added, to a copy of the program."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from photoenhance_ui.settings import PROJECT_DIR
from testing.photos import skimage_photo
from testing.programs import environment_for

OPTIONS = """\
    sharpness: float = option_field(
        0.25, "How crisp edges become.", lowest=0.0, highest=1.0, step=0.25
    )
    grain: str = option_field("soft", "What is laid over the result.", choices=("soft", "hard"))
    saving: Saving"""
SAVING = """\
    sidecar: bool = option_field(False, "Write a note beside the result.")
    quality: int"""
SETTING = """\
    max_sharpness: float = option_field(0.5, "Crispest edges that may be asked for.", lowest=0.1)
    offline: bool"""

PROGRAM = """
import contextlib, io, json, sys
from pathlib import Path

from gradio_client import Client, handle_file

from docs import readme_tables
from photoenhance_ui import cli
from photoenhance_ui.batches.journal import Journals, Record
from photoenhance_ui.request import Request, preset_options
from photoenhance_ui.settings import settings_from
from photoenhance_ui.batches.storage import Workspace
from photoenhance_ui.ui.launch import serving

here, photo = Path(sys.argv[1]), sys.argv[2]
chosen = {"sharpness": 0.75, "grain": "hard", "sidecar": True}


def journal():
    shelf = Workspace(here / "batches").new_batch()
    kept = Journals(here / "state").of(shelf)
    kept.write(Record("me", 1.0, Request.from_options(chosen), ()))
    (file,) = (here / "state" / "journals").glob("*.json")
    return json.loads(file.read_text())["request"], kept.read().request.as_options()


def command_line(*arguments):
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        try:
            code = cli.main(arguments)
        except SystemExit as ended:
            code = ended.code
    return code, out.getvalue()


def refused(client, **options):
    try:
        client.predict(handle_file(photo), **options, api_name="/enhance_one")
    except Exception as error:
        return str(error)


weights = here / "own"
weights.mkdir()
told = {"journal": journal(), "preset": preset_options("portrait", [])}
told["options"], told["settings"] = readme_tables.options(), readme_tables.settings()
told["limits"] = readme_tables.limits()
told["help"] = command_line("enhance", "--help")
told["wrong"] = command_line("enhance", photo, "--output", "out", "--sharpness", "7")
settings = settings_from(
    {"device": "cpu", "offline": True, "weights_dir": weights, "precision": "exact"},
    {"PHOTOENHANCE_MAX_SHARPNESS": "0.9"},
)
told["setting"] = settings.max_sharpness
with serving(settings, here / "server") as running:
    client = Client(running.url, download_files=False, verbose=False)
    api = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    told["api"] = {
        name: {one["parameter_name"]: one["parameter_default"] for one in api[name]["parameters"]}
        for name in ("/enhance", "/enhance_one")
    }
    told["page"] = {
        part["props"].get("elem_id"): {**part["props"], "type": part["type"]}
        for part in running.blocks.config["components"]
    }
    told["refused"] = [refused(client, sharpness=7), refused(client, grain="rough")]
    client.predict(handle_file(photo), **chosen, scale=1, faces="none", api_name="/enhance_one")
print(json.dumps(told, default=str))
"""


def inserted(path: Path, before: str, after: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count(before) == 1
    path.write_text(text.replace(before, after), encoding="utf-8")


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the doors of a copy tell, to which options were added as a programmer would add them."""
    folder = tmp_path_factory.mktemp("copy")
    copy = folder / "program"
    passing = shutil.ignore_patterns("__pycache__")
    for name in ("photoenhance_ui", "docs"):
        shutil.copytree(PROJECT_DIR / name, copy / name, ignore=passing)
    for name in ("assets", "weights", "benchmarks"):
        (copy / name).symlink_to(PROJECT_DIR / name)
    request, settings = (
        copy / "photoenhance_ui" / f"{name}.py" for name in ("request", "settings")
    )
    inserted(request, "    saving: Saving", OPTIONS)
    inserted(request, "    quality: int", SAVING)
    inserted(settings, "    offline: bool", SETTING)
    photo = folder / "a.png"
    from PIL import Image

    Image.fromarray(skimage_photo("chelsea", 24)).save(photo)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(folder), str(photo)],
        cwd=copy, env=environment_for(folder), capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def test_the_api_has_it_with_its_default_and_its_bounds(told: dict[str, Any]) -> None:
    for parameters in told["api"].values():
        assert (parameters["sharpness"], parameters["grain"]) == (0.25, "soft")
        assert parameters["sidecar"] is False
        assert list(parameters)[1] == "scale"
    out_of_range, unknown_word = told["refused"]
    assert "sharpness must be a number from 0 to 1, not 7" in out_of_range
    assert "grain must be one of soft, hard, not 'rough'" in unknown_word


def test_the_page_has_it_with_a_name_that_can_be_read(told: dict[str, Any]) -> None:
    slider = told["page"]["pe-sharpness"]
    assert (slider["type"], slider["value"], slider["label"]) == ("slider", 0.25, "Sharpness")
    assert (slider["minimum"], slider["maximum"], slider["step"]) == (0, 1, 0.25)
    assert slider["info"] == "How crisp edges become."
    words = told["page"]["pe-grain"]
    assert (words["type"], words["value"]) == ("dropdown", "soft")
    assert words["choices"] == [["soft", "soft"], ["hard", "hard"]]
    assert told["page"]["pe-sidecar"]["type"] == "checkbox"


def test_the_command_line_has_it(told: dict[str, Any]) -> None:
    code, text = told["help"]
    assert code == 0
    for flag in ("--sharpness SHARPNESS", "--grain {soft,hard}", "--sidecar, --no-sidecar"):
        assert flag in text
    assert "--max-sharpness" in text
    code, text = told["wrong"]
    assert code == 2
    assert "sharpness must be a number from 0 to 1, not 7.0" in text


def test_the_journal_keeps_it(told: dict[str, Any]) -> None:
    for request in told["journal"]:
        assert (request["sharpness"], request["grain"], request["sidecar"]) == (0.75, "hard", True)


def test_the_readme_tells_it(told: dict[str, Any]) -> None:
    assert "| `sharpness` | `0.25` | 0 to 1 | How crisp edges become. |" in told["options"]
    assert (
        "| `grain` | `soft` | `soft`, `hard` | What is laid over the result. |" in told["options"]
    )
    assert "| `sidecar` | `false` |" in told["options"]
    assert "`--max-sharpness` | `PHOTOENHANCE_MAX_SHARPNESS` | `0.5` |" in told["settings"]
    assert "`--max-sharpness`" in told["limits"]


def test_a_preset_leaves_it_at_its_default(told: dict[str, Any]) -> None:
    assert told["preset"]["sharpness"] == 0.25


def test_a_setting_is_read_from_its_variable(told: dict[str, Any]) -> None:
    assert told["setting"] == 0.9
