import io
import struct
from collections.abc import Callable
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageCms

from photoenhance_ui import __version__
from photoenhance_ui.geometry import Size
from photoenhance_ui.images.metadata import (
    MAX_JPEG_EXIF_BYTES,
    MAX_JPEG_XMP_BYTES,
    SOURCE_TYPE,
    Provenance,
    describing,
    for_result,
    in_srgb,
    metadata_of,
    orientation_of,
    profile_space,
    srgb_profile,
    with_note,
)
from photoenhance_ui.photo import Metadata
from testing.profiles import linear_gray_profile, swapped_profile

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
DESCRIPTION = f"{{{RDF}}}Description"
OURS = "{urn:photoenhance:1.0}"
SOURCE = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType"
NOTE = Provenance(("RealESRGAN_x2plus", "restorer"), 2.5, 0.8)

MAKE, ARTIST, COPYRIGHT = 0x010F, 0x013B, 0x8298
TAKEN, WIDTH, HEIGHT, USER_COMMENT, MAKER_NOTE = 0x9003, 0xA002, 0xA003, 0x9286, 0x927C
INTEROP, OWNER = 0xA005, 0xA430
LATITUDE_REF = 1


def exif_of(
    main: dict[int, object],
    details: dict[int, object] | None = None,
    gps: dict[int, object] | None = None,
) -> bytes:
    exif = Image.Exif()
    for tag, value in main.items():
        exif[tag] = value
    for tag, directory in ((ExifTags.IFD.Exif, details), (ExifTags.IFD.GPSInfo, gps)):
        if directory:
            exif[tag] = directory
    return exif.tobytes()


def loaded(block: bytes | None) -> Image.Exif:
    assert block is not None
    exif = Image.Exif()
    exif.load(block)
    return exif


def opened(exif: bytes = b"", kind: str = "JPEG", **options: object) -> Image.Image:
    file = io.BytesIO()
    if exif:
        options["exif"] = exif
    Image.new("RGB", (16, 8), (9, 99, 200)).save(file, kind, **options)
    return Image.open(file)


def main_tags(block: bytes) -> list[int]:
    """The tags of the first directory, read without Pillow."""
    order = ">" if block[6:8] == b"MM" else "<"
    (count,) = struct.unpack_from(f"{order}H", block, 14)
    return [struct.unpack_from(f"{order}H", block, 16 + 12 * n)[0] for n in range(count)]


def packet(inside: str, attributes: str = "") -> bytes:
    return (
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{RDF}">'
        '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"'
        ' xmlns:tiff="http://ns.adobe.com/tiff/1.0/"'
        ' xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"'
        f" {attributes}>{inside}</rdf:Description></rdf:RDF></x:xmpmeta>"
    ).encode()


def descriptions(xmp: bytes | None) -> list[ElementTree.Element]:
    assert xmp is not None
    return list(ElementTree.fromstring(xmp).iter(DESCRIPTION))


def our_notes(xmp: bytes | None) -> list[dict[str, str]]:
    return [d.attrib for d in descriptions(xmp) if f"{OURS}Software" in d.attrib]


def source_types(xmp: bytes) -> list[str]:
    """What the packet says of the picture's origin, in whichever of its forms."""
    root = ElementTree.fromstring(xmp)
    said = [node.attrib[SOURCE] for node in root.iter() if SOURCE in node.attrib]
    return said + [node.text or node.attrib[f"{{{RDF}}}resource"] for node in root.iter(SOURCE)]


# Reading


@pytest.mark.parametrize("turn", range(1, 9))
def test_a_sensible_orientation_is_told(turn: int) -> None:
    assert orientation_of(opened(exif_of({0x0112: turn}))) == turn


@pytest.mark.parametrize("tags", [{0x0112: 0}, {0x0112: 9}, {0x0112: 65535}, {MAKE: "Maker"}])
def test_a_senseless_orientation_counts_as_upright(tags: dict[int, object]) -> None:
    assert orientation_of(opened(exif_of(tags))) == 1


def test_what_was_read_says_that_it_is_upright() -> None:
    metadata = metadata_of(opened(exif_of({0x0112: 6, MAKE: "Maker"}), xmp=packet("")))
    exif = loaded(metadata.exif)
    assert (exif[0x0112], exif[MAKE]) == (1, "Maker")


def test_no_orientation_is_invented() -> None:
    assert 0x0112 not in loaded(metadata_of(opened(exif_of({MAKE: "Maker"}))).exif)


def test_a_plain_file_carries_nothing() -> None:
    assert metadata_of(opened(kind="PNG")) == Metadata()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('tiff:Orientation="6"', 'tiff:Orientation="1"'),
        ("tiff:Orientation='8'", "tiff:Orientation='1'"),
    ],
)
def test_the_orientation_in_xmp_is_mended_as_attribute(before: str, after: str) -> None:
    with opened(kind="WEBP", xmp=packet("", before)) as image:
        assert metadata_of(image).xmp == packet("", after)


def test_the_orientation_in_xmp_is_mended_as_element() -> None:
    element = "<tiff:Orientation>{}</tiff:Orientation><dc:rating>6</dc:rating>"
    with opened(kind="WEBP", xmp=packet(element.format(3))) as image:
        assert metadata_of(image).xmp == packet(element.format(1))


def test_zeros_after_a_packet_are_no_part_of_it() -> None:
    with opened(kind="WEBP", xmp=packet("") + bytes(3)) as image:
        assert metadata_of(image).xmp == packet("")


def test_the_thumbnail_of_the_photo_as_it_was_is_left_out() -> None:
    file = io.BytesIO()
    Image.new("RGB", (16, 16), (9, 99, 200)).save(file, "JPEG")
    thumbnail = file.getvalue()
    block = with_thumbnail(exif_of({MAKE: "Maker!!"}), thumbnail)
    image = opened(block)
    assert image.getexif().get_ifd(ExifTags.IFD.IFD1)[0x0202] == len(thumbnail)
    exif = metadata_of(opened(block)).exif
    assert exif is not None
    assert thumbnail[20:200] in block
    assert thumbnail[20:200] not in exif
    assert loaded(exif).get_ifd(ExifTags.IFD.IFD1) == {}
    assert loaded(exif)[MAKE] == "Maker!!"


def with_thumbnail(block: bytes, thumbnail: bytes) -> bytes:
    content = block[6:]
    assert content.startswith(b"MM")
    (count,) = struct.unpack_from(">H", content, 8)
    link, start = 10 + 12 * count, len(content)
    directory = struct.pack(">HHHLHH", 3, 0x0103, 3, 1, 6, 0)
    directory += struct.pack(">HHLL", 0x0201, 4, 1, start + 42)
    directory += struct.pack(">HHLL", 0x0202, 4, 1, len(thumbnail)) + bytes(4)
    linked = content[:link] + struct.pack(">L", start) + content[link + 4 :]
    return b"Exif\0\0" + linked + directory + thumbnail


def test_exif_keeps_its_tags_and_gets_no_others() -> None:
    block = exif_of({MAKE: "Maker", 0x0112: 6}, {TAKEN: "2020:01:02 03:04:05"})
    exif = metadata_of(opened(block)).exif
    assert exif is not None
    assert sorted(main_tags(exif)) == sorted([MAKE, 0x0112, int(ExifTags.IFD.Exif)])


def test_names_that_are_not_ascii_come_through_letter_by_letter() -> None:
    name = "Jürgen 照片".encode()
    details = {USER_COMMENT: b"UNICODE\0" + name, OWNER: "x" * len(name)}
    block = exif_of({ARTIST: name, COPYRIGHT: b"\xa9 me"}, details)
    metadata = metadata_of(opened(block.replace(b"x" * len(name), name)))
    carried = for_result(metadata, Size(32, 16), True, None).exif
    assert carried is not None
    exif = loaded(carried)
    assert exif[ARTIST].encode("latin-1") == name
    assert exif[COPYRIGHT].encode("latin-1") == b"\xa9 me"
    assert exif.get_ifd(ExifTags.IFD.Exif)[OWNER].encode("latin-1") == name
    assert exif.get_ifd(ExifTags.IFD.Exif)[USER_COMMENT] == b"UNICODE\0" + name


def test_of_a_tiff_only_what_describes_the_photo_is_taken() -> None:
    block = exif_of({MAKE: "Maker"}, {TAKEN: "2020:01:02 03:04:05"}, {LATITUDE_REF: "N"})
    exif = metadata_of(opened(block, "TIFF", dpi=(300, 300))).exif
    assert exif is not None
    expected = [MAKE, int(ExifTags.IFD.Exif), int(ExifTags.IFD.GPSInfo)]
    assert sorted(main_tags(exif)) == sorted(expected)
    assert loaded(exif).get_ifd(ExifTags.IFD.Exif)[TAKEN] == "2020:01:02 03:04:05"
    assert loaded(exif).get_ifd(ExifTags.IFD.GPSInfo)[LATITUDE_REF] == "N"


def test_what_describes_a_photo_has_no_place_in_another_file() -> None:
    block = exif_of({MAKE: "Maker", 0x0103: 6}, {TAKEN: "2020", INTEROP: 12345})
    kept = describing(loaded(block))
    assert set(kept) == {MAKE, int(ExifTags.IFD.Exif)}
    assert kept[ExifTags.IFD.Exif] == {TAKEN: "2020"}


def test_exif_that_cannot_be_written_is_dropped_without_a_word_to_the_person() -> None:
    image = opened(exif_of({MAKE: "Maker"}))
    image.getexif()[0x0112] = 6
    image.getexif()[0x011A] = "no ratio"
    metadata = metadata_of(image)
    assert metadata.exif is None


@pytest.mark.parametrize(
    ("stored", "read"),
    [((300, 300), (300, 300)), ((72, 96), (72, 96)), ((0, 0), None), ((1e9, 1e9), None)],
)
def test_a_resolution_is_kept_where_it_makes_sense(
    stored: tuple[float, float], read: tuple[float, float] | None
) -> None:
    dpi = metadata_of(opened(kind="TIFF", dpi=stored)).dpi
    assert dpi == (None if read is None else pytest.approx(read))


# The result's metadata


CARRIED = Metadata(
    icc_profile=b"profile",
    exif=exif_of({MAKE: "Maker"}, {WIDTH: 16, HEIGHT: 8, TAKEN: "2020"}, {LATITUDE_REF: "N"}),
    xmp=packet("<dc:creator>someone</dc:creator>"),
    dpi=(300.0, 300.0),
)


def test_exif_tells_the_size_of_the_result() -> None:
    details = loaded(for_result(CARRIED, Size(160, 80), True, None).exif).get_ifd(ExifTags.IFD.Exif)
    assert (details[WIDTH], details[HEIGHT], details[TAKEN]) == (160, 80, "2020")


def test_a_size_is_told_only_where_one_was() -> None:
    plain = Metadata(exif=exif_of({MAKE: "Maker"}))
    exif = for_result(plain, Size(160, 80), True, None).exif
    assert exif is not None
    assert main_tags(exif) == [MAKE]


def test_without_keeping_all_that_tells_of_people_goes() -> None:
    bare = for_result(CARRIED, Size(160, 80), False, None)
    assert bare == Metadata(icc_profile=b"profile", dpi=(300.0, 300.0))


def test_without_keeping_the_note_stands_alone() -> None:
    xmp = for_result(CARRIED, Size(160, 80), False, NOTE).xmp
    assert xmp is not None
    assert b"someone" not in xmp
    assert len(our_notes(xmp)) == 1


def test_with_keeping_the_note_stands_beside_what_was_there() -> None:
    xmp = for_result(CARRIED, Size(160, 80), True, NOTE).xmp
    assert xmp is not None
    assert b"<dc:creator>someone</dc:creator>" in xmp
    assert len(our_notes(xmp)) == 1


def test_a_makers_block_goes_where_exif_would_not_fit_a_jpeg() -> None:
    def carried(note: int) -> Image.Exif:
        block = exif_of({MAKE: "Maker"}, {TAKEN: "2020", MAKER_NOTE: bytes(note)})
        return loaded(for_result(Metadata(exif=block), Size(2, 2), True, None).exif)

    small, large = (carried(size).get_ifd(ExifTags.IFD.Exif) for size in (1000, 70_000))
    assert small[MAKER_NOTE] == bytes(1000)
    assert MAKER_NOTE not in large
    assert large[TAKEN] == "2020"
    assert len(carried(70_000).tobytes()) < MAX_JPEG_EXIF_BYTES


# The note


def test_the_note_tells_how_the_photo_came_about() -> None:
    xmp = with_note(None, NOTE)
    assert source_types(xmp) == [SOURCE_TYPE]
    assert "compositeWithTrainedAlgorithmicMedia" in SOURCE_TYPE
    (note,) = our_notes(xmp)
    assert note[f"{OURS}Software"] == f"PhotoEnhance {__version__}"
    assert note[f"{OURS}Networks"] == "RealESRGAN_x2plus, restorer"
    assert note[f"{OURS}Scale"] == "2.5"
    assert note[f"{OURS}FaceStrength"] == "0.8"


def test_where_no_face_was_restored_no_strength_is_told() -> None:
    (note,) = our_notes(with_note(None, Provenance(("builtin",), 2)))
    assert f"{OURS}FaceStrength" not in note


def test_where_no_network_ran_the_note_says_so() -> None:
    (note,) = our_notes(with_note(None, Provenance((), 2)))
    assert note[f"{OURS}Networks"] == "none"


def test_a_second_note_takes_the_place_of_the_first() -> None:
    once = with_note(packet("<dc:title>sea</dc:title>"), NOTE)
    twice = with_note(once, Provenance(("builtin",), 4))
    (note,) = our_notes(twice)
    assert (note[f"{OURS}Networks"], note[f"{OURS}Scale"]) == ("builtin", "4")
    assert f"{OURS}FaceStrength" not in note
    assert source_types(twice) == [SOURCE_TYPE]
    assert b"<dc:title>sea</dc:title>" in twice
    assert with_note(twice, NOTE) == with_note(once, NOTE)


CAMERA = "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"


@pytest.mark.parametrize(
    "xmp",
    [
        packet("", f'Iptc4xmpExt:DigitalSourceType="{CAMERA}"'),
        packet("", f"Iptc4xmpExt:DigitalSourceType='{CAMERA}'"),
        packet(f"<Iptc4xmpExt:DigitalSourceType>{CAMERA}</Iptc4xmpExt:DigitalSourceType>"),
        packet(f'<Iptc4xmpExt:DigitalSourceType rdf:resource="{CAMERA}"/>'),
    ],
    ids=["attribute", "single-quoted attribute", "element", "resource"],
)
def test_what_the_camera_said_of_the_origin_no_longer_holds(xmp: bytes) -> None:
    assert source_types(xmp) == [CAMERA]
    assert source_types(with_note(xmp, NOTE)) == [SOURCE_TYPE]
    assert len(descriptions(with_note(xmp, NOTE))) == 2


@pytest.mark.parametrize("xmp", [b"", b"no packet at all", b"\xff\xfe\x00<", b"<rdf:RDF>cut short"])
def test_what_is_no_packet_gives_way_to_a_fresh_one(xmp: bytes) -> None:
    assert with_note(xmp, NOTE) == with_note(None, NOTE)


@pytest.mark.parametrize("letter", ["x", "照"])
def test_a_packet_with_the_note_still_fits_a_jpeg(letter: str) -> None:
    fitting = packet(letter * (60_000 // len(letter.encode())))
    too_long = packet(letter * (MAX_JPEG_XMP_BYTES // len(letter.encode())))
    assert len(our_notes(with_note(fitting, NOTE))) == 1
    assert letter.encode() * 100 in with_note(fitting, NOTE)
    for xmp in (fitting, too_long):
        assert len(with_note(xmp, NOTE)) < MAX_JPEG_XMP_BYTES
        opened(xmp=with_note(xmp, NOTE))


printable = st.text(st.characters(categories=("L", "N", "P", "S", "Zs")), min_size=1)


@given(st.lists(printable, min_size=1, max_size=3), st.floats(1, 8), st.floats(0, 1))
def test_whatever_the_networks_are_called_the_packet_can_be_read(
    networks: list[str], scale: float, strength: float
) -> None:
    note = Provenance(tuple(networks), scale, strength)
    for xmp in (with_note(None, note), with_note(packet("", 'dc:rights="&lt;me&gt;"'), note)):
        (told,) = our_notes(xmp)
        assert told[f"{OURS}Networks"] == ", ".join(networks)
        assert float(told[f"{OURS}Scale"]) == pytest.approx(scale, rel=1e-5)
        assert len(our_notes(with_note(xmp, NOTE))) == 1


# Colour profiles


@pytest.mark.parametrize(
    ("profile", "space"),
    [
        (srgb_profile(), "RGB"),
        (linear_gray_profile(), "GRAY"),
        (None, None),
        (b"", None),
        (b"short", None),
    ],
)
def test_the_space_of_a_profile(profile: bytes | None, space: str | None) -> None:
    assert profile_space(profile) == space


def pixel(image: Image.Image) -> tuple[int, ...]:
    values: tuple[int, ...] = image.getpixel((0, 0))  # type: ignore[assignment]
    return values


def test_pixels_are_brought_to_srgb_through_their_profile() -> None:
    red = Image.new("RGB", (4, 4), (255, 0, 0))
    assert pixel(in_srgb(red, swapped_profile())) == (0, 0, 255)
    assert pixel(in_srgb(red, srgb_profile())) == (255, 0, 0)
    assert pixel(in_srgb(red, None)) == (255, 0, 0)


def test_gray_is_brought_to_srgb_through_its_profile() -> None:
    gray = Image.new("L", (4, 4), 128)
    assert pixel(in_srgb(gray, linear_gray_profile())) == (188, 188, 188)
    assert pixel(in_srgb(gray, None)) == (128, 128, 128)


@pytest.mark.parametrize(
    "profile", [b"", b"no profile", swapped_profile()[:200], linear_gray_profile()]
)
def test_a_profile_that_cannot_be_used_changes_nothing(profile: bytes) -> None:
    red = Image.new("RGB", (4, 4), (255, 0, 0))
    assert pixel(in_srgb(red, profile)) == (255, 0, 0)


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "YCbCr", "RGB"])
def test_whatever_the_mode_srgb_has_three_channels(mode: str) -> None:
    white = Image.new("RGB", (4, 4), (255, 255, 255)).convert(mode)
    shown = in_srgb(white, None)
    assert shown.mode == "RGB"
    assert np.array(shown).min() >= 254


def test_lab_comes_out_in_its_colours() -> None:
    to_lab: Callable[..., Image.Image] = ImageCms.profileToProfile  # type: ignore[assignment]
    spaces = (ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"))
    lab = to_lab(Image.new("RGB", (4, 4), (200, 30, 60)), *spaces, outputMode="LAB")
    assert pixel(in_srgb(lab, None)) == pytest.approx((200, 30, 60), abs=8)
