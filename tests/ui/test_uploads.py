"""Files as scripts hand them in: odd names."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from gradio_client import Client, handle_file

from testing.hooked import HookedNetworks
from testing.photos import PhotoMaker
from testing.served import Served, serving_on


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """Of a server that was started above the folder of its files, where Gradio is strictest."""
    monkeypatch.chdir(tmp_path)
    with serving_on(HookedNetworks, tmp_path) as (running, _):
        yield Client(running.url, download_files=False, verbose=False)


def test_side_files_are_told_in_the_report_and_other_names_with_a_dot_are_photos(
    client: Client, photo_file: PhotoMaker
) -> None:
    photo = photo_file("chelsea", file_name="photo.png")
    names = ("._photo.png", ".DS_Store", ".photo.png", "photo.png")
    for name in names[:-1]:
        shutil.copyfile(photo, photo.with_name(name))
    photos = [handle_file(str(photo.with_name(name))) for name in names]
    files, report = client.predict(photos, api_name="/enhance")
    assert [row["name"] for row in report] == [*names]
    assert [row["state"] for row in report] == ["failed", "failed", "done", "done"]
    assert [row["code"] for row in report[:2]] == ["side_file"] * 2
    assert len(files) == 2
    assert all(Path(row["output"]).name == "photo_enhanced.png" for row in report[2:])


@pytest.mark.parametrize("place", ["beside", "within a list"])
def test_no_address_hides_inside_a_file(served: Served, photo_file: PhotoMaker, place: str) -> None:
    with photo_file().open("rb") as photo:
        path = httpx.post(f"{served.url}gradio_api/upload", files={"files": photo}).json()[0]
    hidden = {"path": "http://photos.test/a.png", "meta": {"_type": "gradio.FileData"}}
    asked = {"photo": {"path": path, "x": hidden if place == "beside" else [[hidden]]}}
    address = f"{served.url}gradio_api/call/v2/enhance_one"
    event = httpx.post(address, json=asked).json()["event_id"]
    told = httpx.get(f"{address}/{event}", timeout=30).text
    assert "event: error" in told
    assert "upload" in told


def test_each_photo_leaves_its_files_alone(served: Served, photo_file: PhotoMaker) -> None:
    client, photo = served.client(), handle_file(photo_file())
    client.predict(photo, upscaler="none", api_name="/enhance_one")
    folder = served.running.service.workspace.root.parent
    before = {path for path in folder.iterdir() if path.is_file()}
    client.predict([photo, photo], upscaler="none", api_name="/enhance")
    assert {path for path in folder.iterdir() if path.is_file()} == before


def test_no_name_keeps_what_turns_text_around(client: Client, photo_file: PhotoMaker) -> None:
    photo = photo_file("chelsea", file_name="a\u202egnp.exe\u2066\x85.png")
    _, row = client.predict(handle_file(str(photo)), api_name="/enhance_one")
    assert row["name"] == "agnp.exe_.png"
    assert Path(row["output"]).name == "agnp.exe__enhanced.png"
