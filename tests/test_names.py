"""Names as people and systems make them."""

import pytest

from photoenhance_ui.names import is_side_file, plain_name, safe_name

MARKS = [
    chr(code) for code in (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
]
CONTROLS = [chr(code) for code in (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029)]


@pytest.mark.parametrize("mark", [*MARKS, *CONTROLS], ids=ascii)
def test_no_name_that_is_shown_or_written_keeps_marks_and_controls(mark: str) -> None:
    name = f"{mark}photo{mark}gpj.exe"
    for kept in (plain_name(name), safe_name(name, ".png")):
        assert mark not in kept
        assert "photo" in kept and "gpj.exe" in kept


@pytest.mark.parametrize(
    "name", ["照片 (2).jpg", "שלום.png", "👩\u200d🚀.heic", ".photo.jpg", "a_b-c.d.jpg"]
)
def test_every_other_name_stays_as_it_is(name: str) -> None:
    assert plain_name(name) == name


@pytest.mark.parametrize(
    "name", ["._photo.jpg", ".DS_Store", "Thumbs.db", "desktop.ini", "DESKTOP.INI", "sub/._a.png"]
)
def test_side_files_are_told_by_their_name(name: str) -> None:
    assert is_side_file(name)


@pytest.mark.parametrize("name", [".photo.jpg", "photo._jpg", "_photo.jpg", "._sub/a.jpg", "."])
def test_other_names_are_those_of_photos(name: str) -> None:
    assert not is_side_file(name)
