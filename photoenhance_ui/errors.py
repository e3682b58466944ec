"""Every failure a person can meet: a stable code, a plain sentence, and what to do about it.

The tree::

    PhotoEnhanceError
    ├── PhotoRefused             the photo cannot be taken as it is
    │   ├── PhotoMissing             photo_missing
    │   ├── PhotoEmpty               photo_empty
    │   ├── FileTooLarge             file_too_large
    │   ├── SideFile                 side_file
    │   ├── NotAPhoto                not_a_photo
    │   ├── PhotoDamaged             photo_damaged
    │   ├── TooManyPixels            too_many_pixels
    │   └── TooManyPhotos            too_many_photos
    ├── TooMuchAtOnce            too_much_at_once: more waits of one person than may
    ├── TooManyCalls             too_many_calls: one person calls too often
    ├── InvalidOption            invalid_option: the request itself is wrong
    ├── InvalidSetting           invalid_setting: a flag or a PHOTOENHANCE_ variable is wrong
    ├── WeightsError             a network's file cannot be used
    │   ├── NetworkMissing           network_missing
    │   ├── TorchMissing             torch_missing
    │   ├── ArchitectureUnknown      architecture_unknown
    │   ├── WeightsDamaged           weights_damaged
    │   ├── WeightsUntrusted         weights_untrusted
    │   └── DownloadFailed           download_failed
    └── WorkFailed               the work began and could not be ended
        ├── MemoryExhausted          memory_exhausted
        ├── DiskFull                 disk_full
        ├── OutputNotWritable        output_not_writable
        ├── NetworkFailed            network_failed
        ├── EngineStopped            engine_stopped
        └── UnexpectedFailure        unexpected

Codes are part of the report and never change; sentences may.
"""

import errno
import reprlib
from typing import ClassVar

QUOTED_CHARACTERS = 80
"""So much of what somebody sent is repeated in a sentence."""


class PhotoEnhanceError(Exception):
    """A failure with a stable ``code`` and a sentence that a person can act on.

    The sentence is the only argument, so that every error pickles and crosses processes.
    """

    code: ClassVar[str] = "unexpected"

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


class PhotoRefused(PhotoEnhanceError):
    """The photo cannot be taken as it is; nothing was computed for it."""


class PhotoMissing(PhotoRefused):
    """The file is not there or cannot be opened."""

    code = "photo_missing"


class PhotoEmpty(PhotoRefused):
    """The file holds no bytes."""

    code = "photo_empty"


class FileTooLarge(PhotoRefused):
    """The file holds more bytes than the limit."""

    code = "file_too_large"


class SideFile(PhotoRefused):
    """By its name it is what a system writes beside photos."""

    code = "side_file"


class NotAPhoto(PhotoRefused):
    """The bytes are no picture of a kind that is read here."""

    code = "not_a_photo"


class PhotoDamaged(PhotoRefused):
    """The header is that of a picture, the rest cannot be decoded."""

    code = "photo_damaged"


class TooManyPixels(PhotoRefused):
    """The picture, by its header, has more pixels than the limit."""

    code = "too_many_pixels"


class TooManyPhotos(PhotoRefused):
    """The batch already holds as many photos as are allowed."""

    code = "too_many_photos"


class TooMuchAtOnce(PhotoEnhanceError):
    """With these, more photos of one person would wait than may."""

    code = "too_much_at_once"


class TooManyCalls(PhotoEnhanceError):
    """One person has sent photos too often within a minute."""

    code = "too_many_calls"


class InvalidOption(PhotoEnhanceError):
    """An option of the request has a value that it cannot have."""

    code = "invalid_option"


class InvalidSetting(PhotoEnhanceError):
    """A flag or a ``PHOTOENHANCE_`` variable has a value that it cannot have."""

    code = "invalid_setting"


class WeightsError(PhotoEnhanceError):
    """A network's file cannot be used."""


class NetworkMissing(WeightsError):
    """The network that was asked for is not installed."""

    code = "network_missing"


class TorchMissing(WeightsError):
    """Only torch can compute the network, and it is not installed."""

    code = "torch_missing"


class ArchitectureUnknown(WeightsError):
    """Nothing here builds networks of the file's architecture."""

    code = "architecture_unknown"


class WeightsDamaged(WeightsError):
    """The file is cut short or is not what it says it is."""

    code = "weights_damaged"


class WeightsUntrusted(WeightsError):
    """The file has a known name but not the bytes known for it."""

    code = "weights_untrusted"


class DownloadFailed(WeightsError):
    """The file could not be fetched whole."""

    code = "download_failed"


class WorkFailed(PhotoEnhanceError):
    """The work began and could not be ended."""


class MemoryExhausted(WorkFailed):
    """Main memory or the device's memory ran out."""

    code = "memory_exhausted"


class DiskFull(WorkFailed):
    """There is no room for the result."""

    code = "disk_full"


class OutputNotWritable(WorkFailed):
    """The result cannot be written where, or in the format in which, it was asked for."""

    code = "output_not_writable"


class NetworkFailed(WorkFailed):
    """A network raised, or gave values that are no picture."""

    code = "network_failed"


class EngineStopped(WorkFailed):
    """The engine was closed while the photo waited or was being worked on."""

    code = "engine_stopped"


class UnexpectedFailure(WorkFailed):
    """Anything that nobody foresaw; the log tells where it arose."""

    code = "unexpected"


def as_photoenhance_error(error: BaseException) -> PhotoEnhanceError:
    """Give ``error`` as one of ours: itself, or what it means to the person.

    Errors of libraries are turned into ours where they arise; what is left here are the
    few that can come from anywhere (memory, disk) and what nobody foresaw.
    """
    if isinstance(error, PhotoEnhanceError):
        return error
    if isinstance(error, MemoryError):
        return MemoryExhausted(
            "The machine ran out of memory on this photo. "
            "Try a smaller scale, or close other programs, and retry."
        )
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull("There is no room left on the disk. Free some space and retry.")
    if isinstance(error, PermissionError):
        return OutputNotWritable("The result could not be written: permission was denied.")
    return UnexpectedFailure(
        f"Something unexpected went wrong ({type(error).__name__}). "
        "The other photos are not affected; a retry may help."
    )


_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = QUOTED_CHARACTERS


def quoted(value: object) -> str:
    """``repr(value)``, but never long, however large the value is.

    >>> quoted("two"), len(quoted("x" * 10**7))
    ("'two'", 80)
    """
    return _SHORT.repr(value)
