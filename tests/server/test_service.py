"""What the page's owners had comes back after a restart, with everything that they can do to it."""

from pathlib import Path

from photoenhance_ui.events import State
from photoenhance_ui.request import OutputFormat, Request, Saving
from photoenhance_ui.server.service import folder_of, open_service, sweep
from photoenhance_ui.settings import Settings
from photoenhance_ui.ui.examples import written_examples
from testing.driver import run_to_end
from testing.photos import PhotoMaker

WISH = Request(upscaler="builtin")


def test_batches_of_the_page_survive_a_restart_and_those_of_scripts_leave_nothing(
    settings: Settings, tmp_path: Path, photo_file: PhotoMaker
) -> None:
    files, state = tmp_path / "files", tmp_path / "state"
    with open_service(settings, files, state) as service:
        shown, script = service.open_batch("browser:a", WISH), service.new_batch("user:b", WISH)
        for batch in (shown, script):
            batch.add(photo_file("chelsea", 48, "a.jpg"))
            run_to_end(batch)
        assert not (folder_of(script) / "kept").exists()
    with open_service(settings, files, state) as service:
        again = service.batches.current("browser:a")
        assert again is not None
        assert again.rows == shown.rows
        assert service.batches.current("user:b") is None
        saved = again.results.saved_as(again.ids[0], Saving(OutputFormat.PNG))
        assert saved.exists()
        assert service.open_batch("browser:a", WISH) is again
        again.add(photo_file("coffee", 48))
        run_to_end(again)
        assert [row.state for row in again.rows] == [State.DONE] * 2


def test_what_was_swept_away_does_not_come_back(
    settings: Settings, tmp_path: Path, photo_file: PhotoMaker
) -> None:
    files, state = tmp_path / "files", tmp_path / "state"
    with open_service(settings, files, state) as service:
        batch = service.open_batch("browser:a", WISH)
        batch.add(photo_file("chelsea"))
        run_to_end(batch)
        service.settings = Settings(keep_hours=-1)
        sweep(service, files)
        assert service.batches.current("browser:a") is None
    assert list((state / "journals").iterdir()) == []
    with open_service(settings, files, state) as service:
        assert service.batches.current("browser:a") is None


def test_examples_are_never_swept(settings: Settings, tmp_path: Path) -> None:
    with open_service(settings, tmp_path / "files", tmp_path / "state") as service:
        examples = written_examples(service.examples)
        service.settings = Settings(keep_hours=-1)
        sweep(service, tmp_path / "files")
        assert all(path.exists() for path in examples.values())
