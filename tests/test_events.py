import json
import logging
import pickle
from functools import reduce
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from photoenhance_ui.errors import NotAPhoto
from photoenhance_ui.events import (
    Cancelled,
    Drafted,
    DraftRendered,
    Event,
    FacesFound,
    Failed,
    Finished,
    Progress,
    Queued,
    Rendered,
    Row,
    Stage,
    Started,
    State,
    failed_by,
    row_after,
)
from photoenhance_ui.geometry import Size
from photoenhance_ui.photo import Photo

PHOTO = Photo(np.zeros((2, 3, 3), np.uint8), "a.png", "PNG")
STARTED = Started(("up", "restorer"), "exact", ("beware",))
FINISHED = Finished(
    output="/out/a.png",
    size=Size(6, 4),
    networks=("up", "restorer"),
    precision="exact",
    faces=2,
    seconds=1.5,
    faithfulness_db=31.25,
    warnings=("beware",),
)
GOOD_WAY: list[Event] = [
    Queued(),
    STARTED,
    Progress(Stage.FINDING_FACES),
    FacesFound(2),
    DraftRendered(PHOTO),
    Drafted("/draft.jpg"),
    Progress(Stage.ENLARGING, 1, 4),
    Progress(Stage.ENLARGING, 4, 4),
    Rendered(PHOTO, ("up", "restorer"), "exact", 2),
    FINISHED,
]
ALL_EVENTS: list[Event] = [*GOOD_WAY, Failed("network_failed", "It failed."), Cancelled()]

PROMISED_FIELDS = [
    "name", "state", "code", "reason", "stage", "progress", "width", "height", "faces",
    "networks", "precision", "seconds", "faithfulness_db", "warnings", "draft", "output",
]  # fmt: skip


def row_of(*events: Event) -> Row:
    return reduce(row_after, events, Row("a.png"))


def test_every_kind_of_event_is_tried_here() -> None:
    assert {type(event) for event in ALL_EVENTS} == set(get_args(Event))


@pytest.mark.parametrize("event", ALL_EVENTS, ids=lambda event: type(event).__name__)
def test_events_cross_processes(event: Event) -> None:
    copy = pickle.loads(pickle.dumps(event))
    if isinstance(event, DraftRendered):
        assert np.array_equal(copy.photo.pixels, event.photo.pixels)
    elif isinstance(event, Rendered):
        assert np.array_equal(copy.photo.pixels, event.photo.pixels)
        assert (copy.networks, copy.faces) == (event.networks, event.faces)
    else:
        assert copy == event


def test_a_good_way_ends_in_a_whole_row() -> None:
    assert row_of(*GOOD_WAY) == Row(
        name="a.png",
        state=State.DONE,
        progress=1.0,
        width=6,
        height=4,
        faces=2,
        networks=("up", "restorer"),
        precision="exact",
        seconds=1.5,
        faithfulness_db=31.25,
        warnings=("beware",),
        draft="/draft.jpg",
        output="/out/a.png",
    )


def test_each_step_shows_in_the_row() -> None:
    states = [row_of(*GOOD_WAY[: n + 1]) for n in range(len(GOOD_WAY))]
    assert [(row.state, row.stage, row.progress) for row in states] == [
        (State.QUEUED, Stage.WAITING, 0),
        (State.WORKING, Stage.WAITING, 0),
        (State.WORKING, Stage.FINDING_FACES, 0),
        (State.WORKING, Stage.FINDING_FACES, 0),
        (State.WORKING, Stage.FINDING_FACES, 0),
        (State.WORKING, Stage.FINDING_FACES, 0),
        (State.WORKING, Stage.ENLARGING, 0.25),
        (State.WORKING, Stage.ENLARGING, 1),
        (State.WORKING, Stage.WRITING, 1),
        (State.DONE, None, 1),
    ]


@pytest.mark.parametrize("length", range(len(GOOD_WAY)))
def test_a_failure_at_any_step_says_why_and_settles(length: int) -> None:
    row = row_of(*GOOD_WAY[:length], Failed("disk_full", "No room."))
    assert (row.state, row.stage, row.output) == (State.FAILED, None, None)
    assert (row.code, row.reason) == ("disk_full", "No room.")
    assert row.state.settled


@pytest.mark.parametrize("length", range(len(GOOD_WAY)))
def test_a_cancel_at_any_step_settles(length: int) -> None:
    row = row_of(*GOOD_WAY[:length], Cancelled())
    assert (row.state, row.stage, row.code) == (State.CANCELLED, None, "cancelled")
    assert row.reason is not None and row.state.settled


@pytest.mark.parametrize("last", [Failed("x", "y"), Cancelled(), FINISHED])
def test_a_retry_begins_with_a_clean_row(last: Event) -> None:
    assert row_of(*GOOD_WAY[:-1], last, Queued()) == row_of(Queued())
    assert row_of(*GOOD_WAY[:-1], last, *GOOD_WAY) == row_of(*GOOD_WAY)


steps = st.builds(
    lambda stage, total, share: Progress(stage, min(total, int(total * share)), total),
    st.sampled_from(Stage),
    st.integers(0, 1000),
    st.floats(0, 1),
)


@given(st.lists(steps, max_size=20))
def test_progress_never_goes_back_and_stays_a_share(events: list[Progress]) -> None:
    row = row_of(STARTED)
    for event in events:
        after = row_after(row, event)
        assert row.progress <= after.progress <= 1
        row = after


def test_the_report_is_plain_json_with_the_promised_names() -> None:
    for row in (row_of(), row_of(*GOOD_WAY[:6]), row_of(*GOOD_WAY), row_of(Cancelled())):
        told = row.as_json()
        assert list(told) == PROMISED_FIELDS
        assert json.loads(json.dumps(told, allow_nan=False)) == told
        assert told["state"] in ("queued", "working", "done", "failed", "cancelled")
        assert type(told["state"]) is str


def test_only_the_last_three_states_are_settled() -> None:
    assert [state.settled for state in State] == [False, False, True, True, True]


def test_a_foreseen_failure_is_told_and_logged_without_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO):
        event = failed_by(NotAPhoto("No picture."), logging.getLogger("test"), "job=7")
    assert event == Failed("not_a_photo", "No picture.")
    (record,) = caplog.records
    assert (record.levelname, record.getMessage()) == (
        "INFO",
        "photo_failed job=7 code=not_a_photo",
    )
    assert not record.exc_info


def test_an_unforeseen_failure_is_logged_without_its_words(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO):
        event = failed_by(ZeroDivisionError("secret"), logging.getLogger("test"), "job=7")
    assert event.code == "unexpected"
    assert "ZeroDivisionError" in event.reason
    assert "secret" not in event.reason
    (record,) = caplog.records
    assert record.levelname == "ERROR"
    assert "ZeroDivisionError" in record.getMessage()
    assert "secret" not in caplog.text
