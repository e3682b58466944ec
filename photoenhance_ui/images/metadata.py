"""What a file says about its photo: EXIF, XMP, colour profile; kept, mended, and added to."""

import io
import logging
import re
import struct
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass, replace
from functools import cache
from html import escape
from typing import Any

from PIL import Image, ImageCms

from photoenhance_ui import __version__
from photoenhance_ui.geometry import Size
from photoenhance_ui.photo import Metadata

log = logging.getLogger(__name__)

ORIENTATION = 0x0112
EXIF_IFD, GPS_IFD = 0x8769, 0x8825
PIXEL_X, PIXEL_Y, MAKER_NOTE, INTEROP = 0xA002, 0xA003, 0x927C, 0xA005
MAX_JPEG_EXIF_BYTES, MAX_JPEG_XMP_BYTES = 65_000, 65_000  # one JPEG segment holds no more
MAX_DPI = 65_535  # of a JPEG; the other formats hold more

# A TIFF's first directory holds the layout of its pixels beside what EXIF knows.
DESCRIBING_TAGS = (0x010E, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x8298, EXIF_IFD, GPS_IFD)

# IPTC's word for a picture whose detail was in part made by a trained model.
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
OWN_NAMESPACE = "urn:photoenhance:1.0"
_UNWRITABLE = (TypeError, ValueError, OverflowError, KeyError, AttributeError, struct.error)
_OWN_DESCRIPTION = re.compile(
    r'\s*<rdf:Description[^>]*xmlns:photoenhance="' + re.escape(OWN_NAMESPACE) + r'"[^>]*/>'
)
_OTHER_SOURCE_TYPE = re.compile(
    r"""\s+\w+:DigitalSourceType=("[^"]*"|'[^']*')"""
    r"|<\w+:DigitalSourceType\b[^>]*/>|<(\w+:DigitalSourceType)\b[^>]*>.*?</\2>",
    re.DOTALL,
)
_XMP_ORIENTATION = re.compile(
    r"""(tiff:Orientation(?:=["']|>)\s*)[1-8]"""  # as attribute or as element
)


@dataclass(frozen=True)
class Provenance:
    """How an enhanced photo came about, for the note in its file."""

    networks: tuple[str, ...]
    scale: float
    face_strength: float | None = None
    """None where no face was restored."""
    software: str = f"PhotoEnhance {__version__}"


def metadata_of(image: Image.Image) -> Metadata:
    """What Pillow found beside the pixels; orientation is said to be upright."""
    dpi = image.info.get("dpi")
    return Metadata(
        icc_profile=image.info.get("icc_profile") or None,
        exif=_upright_exif(image),
        xmp=_upright_xmp(image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")),
        dpi=(float(dpi[0]), float(dpi[1])) if dpi and all(0 < d <= MAX_DPI for d in dpi) else None,
    )


def orientation_of(image: Image.Image) -> int:
    """EXIF orientation 1..8; 1 where it says nothing that makes sense."""
    value = image.getexif().get(ORIENTATION, 1)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _upright_exif(image: Image.Image) -> bytes | None:
    exif = image.getexif()
    if image.format == "TIFF":
        exif = describing(exif)
    if not len(exif):
        return None
    if ORIENTATION in exif:
        exif[ORIENTATION] = 1
    return _exif_bytes(exif)


def describing(exif: Image.Exif) -> Image.Exif:
    """EXIF without the tags that a TIFF's writer sets: what may stand in a TIFF's directory."""
    kept = Image.Exif()
    for tag in DESCRIBING_TAGS:
        if tag in exif:
            kept[tag] = dict(exif.get_ifd(tag)) if tag in (EXIF_IFD, GPS_IFD) else exif[tag]
    kept.get(EXIF_IFD, {}).pop(INTEROP, None)  # a place in the file that it came from
    _keep_letters(kept)
    return kept


def _exif_bytes(exif: Image.Exif) -> bytes | None:
    """The block without its thumbnail, which would show the photo as it was.

    Pillow writes a thumbnail's directory only where it was asked for, and nobody asks here.
    """
    try:
        _keep_letters(exif)
        return exif.tobytes()
    except _UNWRITABLE as error:
        log.info("exif_dropped reason=%s", type(error).__name__)
        return None


class _Letters(str):
    """Text that Pillow read as Latin-1; it gives back its bytes, not "?" for what is not ASCII."""

    def encode(self, _encoding: str = "", _errors: str = "") -> bytes:
        return super().encode("latin-1", errors="replace")


def without_orientation(block: bytes) -> bytes | None:
    """The EXIF block without a word on orientation; None where it says nothing else."""
    exif = Image.Exif()
    exif.load(block)
    exif.pop(ORIENTATION, None)
    return _exif_bytes(exif) if len(exif) else None


def _keep_letters(exif: Image.Exif) -> None:
    for directory in _directories(exif):
        for tag, value in list(directory.items()):
            if isinstance(value, str):
                directory[tag] = _Letters(value)


def _directories(exif: Image.Exif) -> Iterator[MutableMapping[int, Any]]:
    yield exif
    for tag in (EXIF_IFD, GPS_IFD):
        if tag in exif:
            yield exif[tag] if isinstance(exif[tag], dict) else exif.get_ifd(tag)


def _upright_xmp(xmp: bytes | str | None) -> bytes | None:
    if not xmp:
        return None
    text = xmp if isinstance(xmp, str) else xmp.decode("utf-8", errors="replace")
    return _XMP_ORIENTATION.sub(r"\g<1>1", text.strip("\0")).encode()


def for_result(metadata: Metadata, size: Size, keep: bool, note: Provenance | None) -> Metadata:
    """What the enhanced file will carry.

    Without ``keep`` everything that tells of camera, time, place and people goes; the colour
    profile stays, because the pixels mean nothing without it. The note is there either way.
    """
    xmp = metadata.xmp if keep else None
    return replace(
        metadata,
        exif=_exif_of_size(metadata.exif, size) if keep else None,
        xmp=xmp if note is None else with_note(xmp, note),
    )


def _exif_of_size(block: bytes | None, size: Size) -> bytes | None:
    if block is None:
        return None
    exif = Image.Exif()
    exif.load(block)
    details = exif.get_ifd(EXIF_IFD) if EXIF_IFD in exif else {}
    if PIXEL_X in details or PIXEL_Y in details:
        details[PIXEL_X], details[PIXEL_Y] = size.width, size.height
    written = _exif_bytes(exif)
    if written is not None and len(written) > MAX_JPEG_EXIF_BYTES and MAKER_NOTE in details:
        del details[MAKER_NOTE]  # a maker's private block; everything readable stays
        written = _exif_bytes(exif)
    return written


def with_note(xmp: bytes | None, note: Provenance) -> bytes:
    """The XMP packet with our description added; a fresh one where there is none to add to."""
    description = _description(note)
    text = "" if xmp is None else xmp.decode("utf-8", errors="replace")
    if "</rdf:RDF>" in text and len(text.encode()) < MAX_JPEG_XMP_BYTES - len(description):
        text = _OTHER_SOURCE_TYPE.sub("", _OWN_DESCRIPTION.sub("", text))
        return text.replace("</rdf:RDF>", f"{description}</rdf:RDF>", 1).encode()
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f"{description}</rdf:RDF></x:xmpmeta>"
        '<?xpacket end="w"?>'
    ).encode()


def _description(note: Provenance) -> str:
    values = {
        "Iptc4xmpExt:DigitalSourceType": SOURCE_TYPE,
        "photoenhance:Software": note.software,
        "photoenhance:Networks": ", ".join(note.networks) or "none",
        "photoenhance:Scale": f"{note.scale:g}",
    }
    if note.face_strength is not None:
        values["photoenhance:FaceStrength"] = f"{note.face_strength:g}"
    attributes = " ".join(f'{name}="{escape(value)}"' for name, value in values.items())
    return (
        '<rdf:Description rdf:about=""'
        ' xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"'
        f' xmlns:photoenhance="{OWN_NAMESPACE}" {attributes}/>'
    )


def profile_space(icc_profile: bytes | None) -> str | None:
    """The colour space that a profile describes: "RGB", "GRAY", "CMYK"; None without one."""
    if icc_profile is None or len(icc_profile) < 20:
        return None
    return icc_profile[16:20].decode("ascii", errors="replace").strip()


@cache
def srgb_profile() -> bytes:
    """The standard profile, as bytes; always the same ones, although they tell a time."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def in_srgb(image: Image.Image, icc_profile: bytes | None) -> Image.Image:
    """The picture (any mode) as RGB in sRGB, through its profile where that can be used."""
    if icc_profile is not None:
        try:
            converted = ImageCms.profileToProfile(
                image,
                ImageCms.ImageCmsProfile(io.BytesIO(icc_profile)),
                ImageCms.createProfile("sRGB"),
                outputMode="RGB",
            )
        except (ImageCms.PyCMSError, OSError, ValueError) as error:
            log.info("profile_unusable reason=%s", type(error).__name__)
        else:
            assert converted is not None
            return converted
    return image.convert("RGB")
