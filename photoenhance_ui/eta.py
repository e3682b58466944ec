"""How long a batch still takes, learned from its finished photos. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from photoenhance_ui.plan import FACE_OPERATIONS


@dataclass(frozen=True)
class Spent:
    """A finished photo: its background's multiply-adds, its restored faces, what it took."""

    background: float
    faces: int
    seconds: float


@dataclass(frozen=True)
class Ahead:
    """A photo that waits or is worked on."""

    background: float
    faces: int | None = None
    """None until they are counted."""
    share: float = 1.0
    """Of its work that is still to be done, 0 to 1."""


def seconds_left(finished: Sequence[Spent], ahead: Sequence[Ahead]) -> float | None:
    """Seconds for all that is ahead; None before anything is finished, 0 where nothing is ahead.

    An operation takes what it took on average; where faces are not counted yet, as many are
    expected as the finished photos had. Photos of other people in between are not known.
    """
    if not ahead:
        return 0.0
    done = sum(photo.background + photo.faces * FACE_OPERATIONS for photo in finished)
    seconds = sum(photo.seconds for photo in finished)
    if done <= 0 or seconds <= 0:
        return None
    usual_faces = sum(photo.faces for photo in finished) / len(finished)
    left = sum(
        photo.share
        * (
            photo.background
            + (usual_faces if photo.faces is None else photo.faces) * FACE_OPERATIONS
        )
        for photo in ahead
    )
    return left * seconds / done
