"""The command line: what it takes, where results go, what it reports, and how it ends."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from photoenhance_ui.catalogue import CATALOGUE, by_name
from photoenhance_ui.cli import main
from photoenhance_ui.cli import models as models_command
from photoenhance_ui.cli.inputs import Inputs, Job
from photoenhance_ui.cli.parser import EXIT_CODES, make_parser
from photoenhance_ui.events import Row
from photoenhance_ui.images.codec import result_suffix
from photoenhance_ui.request import OPTIONS, OutputFormat
from photoenhance_ui.settings import FLAGS
from testing.photos import PhotoMaker

ROOT = Path(__file__).resolve().parent.parent
Run = Callable[..., int]


def put(folder: Path, *names: str, size: tuple[int, int] = (8, 8)) -> Path:
    """Small one-coloured pictures, in the format of their suffix."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, "gray").save(path)
    return folder


def inputs_of(output: Path, *given_paths: Path, **choices: object) -> Inputs:
    choices.setdefault("output_format", OutputFormat.SAME)
    return Inputs(list(given_paths), output, **choices)  # type: ignore[arg-type]


def result_suffix_of(job: Job, output_format: OutputFormat) -> str:
    return result_suffix(job.source, output_format) or job.source.suffix.lower()


def results(jobs: Inputs | list[Job]) -> dict[str, str]:
    """Name in the report -> where the result goes, without its suffix."""
    return {job.name: f"{job.place.folder.name}/{job.place.stem}" for job in jobs}


# What is taken, and where results go


def test_the_inside_of_one_folder_is_mirrored(tmp_path: Path) -> None:
    photos = put(tmp_path / "photos", "b.jpg", "a.png", "sub/deep/c.webp")
    out = tmp_path / "out"
    assert results(inputs_of(out, photos)) == {
        "a.png": "out/a_enhanced", "b.jpg": "out/b_enhanced",
    }  # fmt: skip
    deep = {job.name: job.place for job in inputs_of(out, photos, recursive=True)}
    assert list(deep) == ["a.png", "b.jpg", "sub/deep/c.webp"]
    assert deep["sub/deep/c.webp"].folder == out / "sub" / "deep"


def test_several_folders_keep_their_names(tmp_path: Path) -> None:
    here = put(tmp_path / "here", "a.jpg")
    there = put(tmp_path / "there", "a.jpg")
    also_here = put(tmp_path / "also" / "here", "a.jpg")
    assert results(inputs_of(tmp_path / "out", here, there, also_here)) == {
        "here/a.jpg": "here/a_enhanced",
        "there/a.jpg": "there/a_enhanced",
        "here (2)/a.jpg": "here (2)/a_enhanced",
    }


def test_what_is_given_twice_is_taken_once(tmp_path: Path) -> None:
    photos = put(tmp_path / "photos", "a.jpg", "sub/b.jpg")
    twice = inputs_of(
        tmp_path / "out", photos / "a.jpg", photos / "sub", photos, photos / "sub" / ".." / "a.jpg",
        recursive=True,
    )  # fmt: skip
    assert sorted(job.source.name for job in twice) == ["a.jpg", "b.jpg"]


def test_folders_are_searched_for_photos_and_files_are_taken_as_they_are(tmp_path: Path) -> None:
    photos = put(tmp_path / "photos", "a.jpg", "B.JPG", ".hidden.jpg", "._a.jpg", ".cache/c.jpg")
    (photos / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    (photos / "notes.txt").write_text("notes")
    (photos / "photo").write_bytes((photos / "a.jpg").read_bytes())
    found = inputs_of(tmp_path / "out", photos, recursive=True)
    assert [job.source.name for job in found] == [".hidden.jpg", "B.JPG", "a.jpg"]
    assert found.left_out == 4
    named = inputs_of(tmp_path / "out", photos / "notes.txt", photos / "photo")
    assert [job.source.name for job in named] == ["notes.txt", "photo"]


def test_results_are_not_taken_up_again(tmp_path: Path) -> None:
    photos = put(tmp_path, "a.jpg", "out/a_enhanced.jpg", "out/sub/b_enhanced.jpg", "sub/b.jpg")
    below = inputs_of(tmp_path / "out", photos, recursive=True)
    assert [job.name for job in below] == ["a.jpg", "sub/b.jpg"]


def test_results_beside_their_originals_are_not_taken_up_again(tmp_path: Path) -> None:
    put(tmp_path, "a.jpg", "a_enhanced.jpg", "own_enhanced.jpg", "sub/b.png", "sub/b_enhanced.png")
    beside = inputs_of(tmp_path, tmp_path, recursive=True)
    assert [job.name for job in beside] == ["a.jpg", "own_enhanced.jpg", "sub/b.png"]
    by_hand = inputs_of(tmp_path, *sorted(tmp_path.glob("*.jpg")))
    assert [job.name for job in by_hand] == ["a.jpg", "own_enhanced.jpg"]


def test_results_never_share_a_name(tmp_path: Path) -> None:
    photos = put(tmp_path / "photos", "a.jpg", "a.png", "b.jpg")
    plain = results(inputs_of(tmp_path / "out", photos))
    assert plain["a.jpg"] == plain["a.png"] == "out/a_enhanced"  # .jpg and .png
    as_png = results(inputs_of(tmp_path / "out", photos, output_format=OutputFormat.PNG))
    assert as_png == {
        "a.jpg": "out/a_enhanced (jpg)",
        "a.png": "out/a_enhanced (png)",
        "b.jpg": "out/b_enhanced",
    }
    more = put(tmp_path / "more", "a.jpg")
    alike = inputs_of(tmp_path / "out", photos / "a.jpg", more / "a.jpg")
    assert [job.place.stem for job in alike] == ["a_enhanced", "a_enhanced (2)"]


def test_a_suffix_that_lies_costs_no_photo(tmp_path: Path) -> None:
    photos = put(tmp_path / "photos", "a.png")
    (photos / "a.jpg").write_bytes((photos / "a.png").read_bytes())
    stems = [job.place.stem for job in inputs_of(tmp_path / "out", photos)]
    assert len(set(stems)) == 2


name_parts = st.sampled_from(["a", "A", "b", "a_enhanced", "a (2)", "ä", "x" * 120])
suffixes = st.sampled_from([".jpg", ".JPG", ".jpeg", ".png", ".gif"])


@given(
    names=st.lists(st.tuples(name_parts, suffixes), min_size=1, max_size=8, unique=True),
    folders=st.integers(1, 2),
    output_format=st.sampled_from(list(OutputFormat)),
)
def test_no_two_results_meet(
    tmp_path_factory: pytest.TempPathFactory,
    names: list[tuple[str, str]],
    folders: int,
    output_format: OutputFormat,
) -> None:
    top = tmp_path_factory.mktemp("photos")
    files = [f"{folder}/{stem}{suffix}" for folder in range(folders) for stem, suffix in names]
    put(top, *files, size=(1, 1))
    inputs = inputs_of(top / "out", *(top / file for file in files), output_format=output_format)
    written = [(job.place.stem + result_suffix_of(job, output_format)).casefold() for job in inputs]
    assert len(set(written)) == len(written) == len(files)


def test_resume_skips_what_is_there_and_nothing_else(tmp_path: Path) -> None:
    photos = put(tmp_path / "photos", "a.jpg", "b.jpg", "c.png", "c.jpg", "sub/d.jpg")
    out = put(tmp_path / "out", "a_enhanced.jpg", "b_enhanced.png", "c_enhanced.png",
              "sub/d_enhanced.jpg")  # fmt: skip
    rest = inputs_of(out, photos, resume=True, recursive=True)
    assert [job.name for job in rest] == ["b.jpg", "c.jpg"]
    assert rest.already_done == 3
    in_png = inputs_of(out, photos, resume=True, output_format=OutputFormat.PNG)
    assert [job.name for job in in_png] == ["a.jpg", "c.jpg", "c.png"]


def test_a_photo_that_joins_later_is_not_taken_for_done(tmp_path: Path) -> None:
    photos = put(tmp_path / "photos", "a.jpg")
    out = put(tmp_path / "out", "a_enhanced.png")
    png = OutputFormat.PNG
    assert list(inputs_of(out, photos, resume=True, output_format=png)) == []
    put(photos, "a.bmp")  # comes first by its name
    again = [job.name for job in inputs_of(out, photos, resume=True, output_format=png)]
    assert "a.bmp" in again


def test_folders_are_walked_one_at_a_time(tmp_path: Path) -> None:
    photos = put(tmp_path / "photos", "1/a.jpg", "2/b.jpg")
    jobs = iter(inputs_of(tmp_path / "out", photos, recursive=True))
    assert next(jobs).name == "1/a.jpg"
    put(photos, "2/c.jpg")  # not looked at yet
    assert [job.name for job in jobs] == ["2/b.jpg", "2/c.jpg"]


# The whole way


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs the command line offline on the CPU with nothing but the built-in network."""

    def enhance(*words: object, command: str = "enhance") -> int:
        basics = ("--device", "cpu", "--offline", "--weights-dir", tmp_path / "weights")
        return main([*command.split(), *(str(word) for word in (*words, *basics))])

    return enhance


def report_of(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_photos_and_a_broken_file(
    run: Run, photo_file: PhotoMaker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = photo_file("astronaut", file_name="Kätzchen – 猫.png").parent
    photo_file("coffee", file_name="coffee.jpg")
    (photos / "broken.jpg").write_text("this is a text")
    out, report = tmp_path / "out", tmp_path / "report.jsonl"
    assert run(photos, "--output", out, "--report", report, "--scale", "2") == 3
    assert sorted(path.name for path in out.iterdir()) == [
        "Kätzchen – 猫_enhanced.png", "coffee_enhanced.jpg",
    ]  # fmt: skip
    with Image.open(out / "coffee_enhanced.jpg") as image:
        assert image.size == (96, 96)
    rows = {row["name"]: row for row in report_of(report)}
    assert list(rows["coffee.jpg"]) == list(Row("").as_json())
    assert {name: row["state"] for name, row in rows.items()} == {
        "broken.jpg": "failed", "coffee.jpg": "done", "Kätzchen – 猫.png": "done",
    }  # fmt: skip
    assert rows["broken.jpg"]["code"] == "not_a_photo"
    assert rows["coffee.jpg"]["output"] == str(out / "coffee_enhanced.jpg")
    told = capsys.readouterr()
    assert told.out == ""
    assert "broken.jpg: This is no photo" in told.err
    assert "[3/3]" in told.err
    assert "2 done, 1 failed." in told.err
    assert "Traceback" not in told.err


def test_resume_does_the_rest(
    run: Run, photo_file: PhotoMaker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = photo_file("astronaut").parent
    words = (photos, "--output", tmp_path / "out", "--report", tmp_path / "report", "--resume")
    assert run(*words) == 0
    made = (tmp_path / "out" / "astronaut_enhanced.png").stat().st_mtime_ns
    photo_file("coffee")
    assert run(*words) == 0
    assert "1 already there" in capsys.readouterr().err
    assert (tmp_path / "out" / "astronaut_enhanced.png").stat().st_mtime_ns == made
    assert [row["name"] for row in report_of(tmp_path / "report")] == [
        "astronaut.png", "coffee.png",
    ]  # fmt: skip
    assert run(*words) == 0
    assert "there already" in capsys.readouterr().err


def test_more_photos_than_a_batch_takes(
    run: Run, photo_file: PhotoMaker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(5):
        photo_file("chelsea", side=16, file_name=f"{number}.png")
    out = tmp_path / "out"
    assert run(tmp_path / "photos", "--output", out, "--max-photos", 2, "--quiet") == 0
    assert len(list(out.iterdir())) == 5
    said = capsys.readouterr().err.splitlines()
    assert all("No network that finds" in line for line in said)
    assert len(said) == 1  # one warning, once


def test_each_option_reaches_the_result(run: Run, photo_file: PhotoMaker, tmp_path: Path) -> None:
    photo, out = photo_file("chelsea"), tmp_path / "out"
    wishes = ("--preset", "illustration", "--scale", 1.5, "--output-format", "webp")
    assert run(photo, "--output", out, "--faces", "none", "--upscaler", "builtin", *wishes) == 0
    with Image.open(out / "chelsea_enhanced.webp") as image:
        assert image.size == (72, 72)


def test_an_upscaler_that_is_not_there_fails_its_photos(
    run: Run, photo_file: PhotoMaker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = (photo_file(), "--output", tmp_path / "out", "--upscaler", "RealESRGAN_x4plus")
    assert run(*words, "--quiet") == 3
    assert "not installed" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ("{photos}",),
        ("{photos}", "--output", "{out}", "--scale", "9"),
        ("{photos}", "--output", "{out}", "--scale", "large"),
        ("{photos}", "--output", "{out}", "--upscaler", " "),
        ("{photos}", "--output", "{out}", "--preset", "nicer"),
        ("{photos}", "--output", "{out}", "--faces", "some"),
        ("{photos}", "--output", "{out}", "--in-flight", "0"),
        ("{photos}", "--output", "{out}", "--tile-px", "100"),
        ("{photos}", "--output", "{out}", "--scal", "2"),
    ],
)
def test_wrong_usage(
    run: Run, words: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = put(tmp_path / "photos", "a.png")
    with pytest.raises(SystemExit) as end:
        run(*(word.format(photos=photos, out=tmp_path / "out") for word in words))
    assert end.value.code == 2
    assert "error:" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_nothing_to_start_with(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = put(tmp_path / "photos", "sub/a.png")
    (tmp_path / "file").touch()
    out = ("--output", tmp_path / "out")
    assert run(tmp_path / "gone.jpg", *out) == 1
    assert "There is no file or folder" in capsys.readouterr().err
    assert run(photos, *out) == 1
    assert "--recursive" in capsys.readouterr().err
    assert run(photos, "--recursive", "--output", tmp_path / "file") == 1
    assert "cannot be made" in capsys.readouterr().err
    assert run(photos, "--recursive", *out, "--report", tmp_path / "no" / "report") == 1
    assert "cannot be written" in capsys.readouterr().err
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write everywhere
    assert run(photos, "--recursive", *out) == 1
    assert "cannot be written" in capsys.readouterr().err


def test_a_missing_file_among_others_fails_alone(
    run: Run, photo_file: PhotoMaker, tmp_path: Path
) -> None:
    report = tmp_path / "report"
    words = (tmp_path / "gone.png", photo_file(), "--output", tmp_path / "out")
    assert run(*words, "--report", report) == 3
    assert {row["name"]: row["code"] for row in report_of(report)} == {
        "gone.png": "photo_missing", "chelsea.png": None,
    }  # fmt: skip


def test_a_full_disk_under_the_report_ends_no_work(
    run: Run, photo_file: PhotoMaker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    assert run(photo_file(), "--output", tmp_path / "out", "--report", "/dev/full") == 3
    assert (tmp_path / "out" / "chelsea_enhanced.png").exists()
    assert "The report can no longer be written" in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT to send")
def test_ctrl_c_keeps_what_is_done(photo_file: PhotoMaker, tmp_path: Path) -> None:
    first = photo_file("chelsea", side=32, file_name="1.png")
    photo_file("astronaut", side=512, file_name="2.png")
    photo_file("astronaut", side=512, file_name="3.png")
    out, report = tmp_path / "out", tmp_path / "report"
    words = [
        "enhance", first.parent, "--output", out, "--report", report, "--device", "cpu",
        "--offline", "--scale", "4", "--weights-dir", tmp_path / "weights", "--tile-px", "128",
    ]  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-m", "photoenhance_ui", *words],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        until(lambda: report.exists() and report.read_text().count("\n") >= 1)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert [path.name for path in out.iterdir()] == ["1_enhanced.png"]
    states = {row["name"]: row["state"] for row in report_of(report)}
    assert states == {"1.png": "done", "2.png": "cancelled", "3.png": "cancelled"}


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


# Help and wrong usage


@pytest.mark.parametrize(
    "words", [["--help"], ["enhance", "--help"], ["enhance", "x", "--output", "y", "--scale", "9"]]
)
def test_help_and_wrong_usage_wait_for_no_network_package(words: list[str]) -> None:
    code = (
        "import sys\n"
        "from photoenhance_ui.cli import main\n"
        f"try: main({words!r})\n"
        "except SystemExit as end: print('exit', end.code)\n"
        "print('heavy', sorted({'torch', 'gradio', 'basicsr'} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.endswith("heavy []\n"), done.stdout
    assert f"exit {0 if '--help' in words else 2}" in done.stdout


def test_every_option_and_setting_is_a_flag() -> None:
    arguments = ["enhance", "photo.jpg", "--output", "out"]
    for option in OPTIONS:
        off = f"--no-{option.flag.removeprefix('--')}"
        arguments += [off] if option.kind is bool else [option.flag, str(option.default)]
    given_options = vars(make_parser().parse_args(arguments))
    assert {option.name for option in OPTIONS} <= set(given_options)
    for flag_ in FLAGS:
        if not flag_.page_only and flag_.kind is not bool:
            parsed = vars(make_parser().parse_args([*arguments[:4], flag_.flag, "1"]))
            assert parsed[flag_.name] == "1"


def test_exit_codes_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    said = " ".join(capsys.readouterr().out.split())
    for code, meaning in EXIT_CODES.items():
        assert f"{code} {meaning}" in said


# Networks


def test_the_list_names_every_file(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(command="models list") == 0
    said = capsys.readouterr().out
    for file in CATALOGUE:
        assert file.name in said
    assert "builtin" in said


def test_verify_finds_a_file_that_is_cut_short(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(command="models verify") == 0
    folder = tmp_path / "weights"
    folder.mkdir()
    (folder / "RealESRGAN_x4plus.pth").write_bytes(b"half")
    assert run(command="models verify") == 3
    assert "cut short" in capsys.readouterr().err


def test_verify_tries_a_persons_own_network(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "weights"
    folder.mkdir()
    (folder / "mine.safetensors").write_bytes(b"no tensors")
    assert run(command="models verify") == 3
    told = capsys.readouterr()
    assert "mine: " in told.err
    assert "mine" not in told.out


def test_files_may_be_fetched_for_another_machine(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--device", "cuda", command="models download") == 1
    assert "--offline" in capsys.readouterr().err, "not: there is no such device"


@pytest.mark.skipif(sys.platform == "win32", reason="written for a shell of Unix")
@pytest.mark.parametrize(("reader", "code"), [("| true", 141), ("> /dev/full", 1)])
def test_nobody_who_reads_gets_no_traceback(reader: str, code: int, tmp_path: Path) -> None:
    command = f"{sys.executable} -m photoenhance_ui models list --weights-dir {tmp_path}"
    done = subprocess.run(
        ["bash", "-c", f"({command}; echo $? >&2) {reader}"],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.stderr.splitlines()[-1] == str(code)
    assert "Traceback" not in done.stderr


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    """Serves the bytes in ``content`` at every address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body: bytes = self.server.content  # type: ignore[attr-defined]
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing on stderr."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_download_fetches_named_files(
    server: ThreadingHTTPServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    import hashlib

    content = b"weights" * 1000
    server.content = content  # type: ignore[attr-defined]
    file = replace(
        by_name("parsing_bisenet"),
        url=f"http://127.0.0.1:{server.server_port}/file",
        bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
    )
    monkeypatch.setattr(models_command, "by_name", lambda _: file)
    folder = tmp_path / "weights"
    words = ["models", "download", file.name, "--weights-dir", str(folder)]
    assert main(words) == 0
    assert (folder / file.file).read_bytes() == content
    monkeypatch.setattr(models_command, "by_name", lambda _: replace(file, sha256="0" * 64))
    assert main(words) == 3
    assert "not the published file" in capsys.readouterr().err


def test_download_refuses_what_it_cannot_do(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("parsing_bisenet", command="models download") == 1  # it runs with --offline
    assert "--offline" in capsys.readouterr().err
    with pytest.raises(SystemExit) as end:
        run("no_such_file", command="models download")
    assert end.value.code == 2
    assert "no network file named" in capsys.readouterr().err


def test_status_tells_device_and_networks(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(command="status") == 0
    said = capsys.readouterr().out
    assert "cpu" in said
    assert "builtin" in said
