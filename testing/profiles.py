"""Colour profiles whose effect a test can see with bare numbers."""

import struct

from photoenhance_ui.images.metadata import srgb_profile

D50 = struct.pack(">3l", 63190, 65536, 54061)


def swapped_profile() -> bytes:
    """SRGB with red and blue exchanged: pure red in it is pure blue in sRGB."""
    exchanged = {b"rXYZ": b"bXYZ", b"bXYZ": b"rXYZ"}
    profile = bytearray(srgb_profile())
    (count,) = struct.unpack_from(">L", profile, 128)
    for at in range(132, 132 + 12 * count, 12):
        name = bytes(profile[at : at + 4])
        profile[at : at + 4] = exchanged.get(name, name)
    return bytes(profile)


def linear_gray_profile() -> bytes:
    """Gray values proportional to light: 128 in it is 188 in sRGB."""
    tags = {
        b"desc": b"desc" + bytes(4) + struct.pack(">L", 5) + b"gray\0" + bytes(79),
        b"wtpt": b"XYZ " + bytes(4) + D50,
        b"kTRC": b"curv" + bytes(4) + struct.pack(">LHxx", 1, 256),
        b"cprt": b"text" + bytes(4) + b"none" + bytes(4),
    }
    table, body = struct.pack(">L", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        table += name + struct.pack(">LL", start + len(body), len(content))
        body += content
    head = struct.pack(">L4xL", start + len(body), 0x02100000) + b"mntrGRAYXYZ "
    head = head.ljust(36, b"\0") + b"acsp"
    return (head.ljust(68, b"\0") + D50).ljust(128, b"\0") + table + body
