"""Failures: the tree is what its drawing says, they pickle, and foreign ones become ours."""

import builtins
import errno
import pickle
import re
from collections.abc import Iterator

import numpy as np
import pytest

from photoenhance_ui import errors
from photoenhance_ui.errors import (
    DiskFull,
    MemoryExhausted,
    NotAPhoto,
    OutputNotWritable,
    PhotoEnhanceError,
    UnexpectedFailure,
    as_photoenhance_error,
)

Branch = tuple[str, str | None]
"""The name of a class and that of the class above it."""


def descendants(above: type[PhotoEnhanceError]) -> Iterator[type[PhotoEnhanceError]]:
    for below in above.__subclasses__():
        yield below
        yield from descendants(below)


EVERY_ERROR = (PhotoEnhanceError, *descendants(PhotoEnhanceError))
LEAVES = tuple(error for error in EVERY_ERROR if not error.__subclasses__())
every_error = pytest.mark.parametrize("kind", EVERY_ERROR, ids=lambda kind: kind.__name__)


def drawing() -> dict[Branch, str]:
    """The tree in the module's docstring: each branch with the words beside it."""
    lines = (errors.__doc__ or "").split("::\n\n")[1].split("\n\n")[0].splitlines()
    drawn: dict[Branch, str] = {}
    above: list[str] = []
    for line in lines:
        found = re.fullmatch(r"    ((?:│   |    )*)(├── |└── )?(\w+) *(.*)", line)
        assert found, f"nobody can read {line!r}"
        depth = len(found[1]) // 4 + bool(found[2])
        del above[depth:]
        drawn[found[3], above[-1] if above else None] = found[4]
        above.append(found[3])
    return drawn


def test_the_tree_is_the_one_that_is_drawn() -> None:
    real: set[Branch] = {("PhotoEnhanceError", None)}
    real |= {(kind.__name__, kind.__bases__[0].__name__) for kind in EVERY_ERROR[1:]}
    assert set(drawing()) == real


def test_the_codes_are_those_that_are_drawn() -> None:
    beside = {name: words.partition(":")[0] for (name, _), words in drawing().items()}
    assert {kind.__name__: kind.code for kind in LEAVES} == {
        kind.__name__: beside[kind.__name__] for kind in LEAVES
    }


def test_no_two_leaves_share_a_code() -> None:
    codes = [kind.code for kind in LEAVES]
    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", code) for code in codes)
    assert all("code" in vars(kind) for kind in LEAVES), "each says its own, none inherits one"


def test_every_error_of_the_module_belongs_to_the_tree() -> None:
    here = {v for v in vars(errors).values() if isinstance(v, type)}
    assert here == set(EVERY_ERROR)


@every_error
def test_every_error_pickles_with_its_sentence(kind: type[PhotoEnhanceError]) -> None:
    sentence = "Größe passt nicht. Try a smaller one."
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        back = pickle.loads(pickle.dumps(kind(sentence), protocol))
        assert type(back) is kind
        assert (back.sentence, str(back), back.code) == (sentence, sentence, kind.code)


@every_error
def test_every_error_keeps_what_it_was_raised_from(kind: type[PhotoEnhanceError]) -> None:
    cause = OSError("the cause")
    with pytest.raises(kind) as raised:
        raise kind("A sentence.") from cause
    assert raised.value.__cause__ is cause


# Foreign errors


@pytest.mark.parametrize(
    ("foreign", "ours"),
    [
        (MemoryError(), MemoryExhausted),
        (OSError(errno.ENOSPC, "No space left on device"), DiskFull),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), DiskFull),
        (PermissionError(errno.EACCES, "Permission denied"), OutputNotWritable),
        (OSError(errno.EPERM, "Operation not permitted"), OutputNotWritable),
        (OSError(errno.EIO, "Input/output error"), UnexpectedFailure),
        (OSError("without a number"), UnexpectedFailure),
        (RuntimeError("CUDA error"), UnexpectedFailure),
        (KeyboardInterrupt(), UnexpectedFailure),
    ],
    ids=repr,
)
def test_what_a_foreign_error_means(foreign: BaseException, ours: type[PhotoEnhanceError]) -> None:
    assert type(as_photoenhance_error(foreign)) is ours


def test_an_array_that_does_not_fit_is_memory_that_ran_out() -> None:
    with pytest.raises(MemoryError) as raised:
        np.empty(2**60, np.uint8)
    assert isinstance(as_photoenhance_error(raised.value), MemoryExhausted)


def builtin_errors() -> list[BaseException]:
    kinds = (v for v in vars(builtins).values() if isinstance(v, type))
    made: list[BaseException] = []
    for kind in kinds:
        if issubclass(kind, Exception) and not issubclass(kind, UnicodeError | BaseExceptionGroup):
            made.append(kind("/home/ann/private.jpg"))
    return made


@pytest.mark.parametrize("foreign", builtin_errors(), ids=lambda error: type(error).__name__)
def test_a_sentence_is_plain_and_tells_no_internals(foreign: BaseException) -> None:
    ours = as_photoenhance_error(foreign)
    assert isinstance(ours, PhotoEnhanceError)
    assert re.fullmatch(r"[A-Z].*\.", ours.sentence)
    assert "/home/ann" not in ours.sentence


def test_what_nobody_foresaw_is_named_by_its_kind() -> None:
    assert "ZeroDivisionError" in as_photoenhance_error(ZeroDivisionError("by zero")).sentence


@every_error
def test_ours_stay_as_they_are(kind: type[PhotoEnhanceError]) -> None:
    error = kind("A sentence.")
    assert as_photoenhance_error(error) is error


def test_to_translate_twice_changes_nothing() -> None:
    once = as_photoenhance_error(ValueError("odd"))
    assert as_photoenhance_error(once) is once
    cause = NotAPhoto("This is no photo.")
    assert as_photoenhance_error(cause).code == "not_a_photo"
