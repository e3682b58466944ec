"""How good the built-in network is, beside plain resampling and the real general network.

``python -m benchmarks.quality`` measures on Kodak's 24 photos (never trained on), x4, prints a
table, and writes ``quality.json`` and contact sheets to look at. Luma PSNR and SSIM as is the
custom in super-resolution: on the Y of ITU-R BT.601, with a border of ``scale`` pixels cut off.
Faces, as the detector of the measuring data finds them, are measured by themselves too. And how
long a photo of 1080x1440 takes at scale 2, warm, from pixels to pixels.
"""

import argparse
import hashlib
import json
import platform
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import fmean, median

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from skimage import data
from skimage.metrics import structural_similarity

from photoenhance_ui.catalogue import by_name
from photoenhance_ui.engine.photo_steps import plan_for
from photoenhance_ui.geometry import Region, Size
from photoenhance_ui.images.difference import psnr_db
from photoenhance_ui.networks.devices import find_device
from photoenhance_ui.networks.on_torch.detectors import load_detector
from photoenhance_ui.networks.on_torch.placement import Placement
from photoenhance_ui.networks.on_torch.upscalers import load_upscaler
from photoenhance_ui.networks.resident import Networks
from photoenhance_ui.photo import Photo
from photoenhance_ui.pipeline.contracts import DetectedFace
from photoenhance_ui.pipeline.enhancer import blend
from photoenhance_ui.pipeline.plan import choose_networks
from photoenhance_ui.request import BUILTIN, Precision, Request
from photoenhance_ui.settings import Settings
from photoenhance_ui.weights.inventory import BUILTIN_FILE, Installed
from testing.driver import enhanced

SCALE = 4
SEED = 0
DETECTOR_FILE = "detection_mobilenet0.25_Final.pth"
TIMED_SIZE, TIMED_SCALE, TIMED_RUNS = Size(1080, 1440), 2.0, 3
GENERAL_FILE = "realesr-general-x4v3.fp16-rounded.pth"
GENERAL = "realesr-general-x4v3"
SHEET_CROP_PX = 256  # side of a piece on a contact sheet, in pixels of the enlarged picture

Picture = NDArray[np.uint8]
Enlarger = Callable[[Picture], Picture]
"""(H, W, 3) RGB -> (4H, 4W, 3)."""


@dataclass(frozen=True)
class Damage:
    """What happens to a photo before it is enlarged; sigmas in pixels and levels of 255."""

    blur_sigma_px: float = 0.0
    noise_sigma: float = 0.0
    jpeg_quality: int | None = None


DAMAGES: Mapping[str, Damage] = {
    "clean": Damage(),
    "mild": Damage(blur_sigma_px=1.0, noise_sigma=4.0, jpeg_quality=75),
    "hard": Damage(blur_sigma_px=2.0, noise_sigma=8.0, jpeg_quality=50),
}


@dataclass(frozen=True)
class Piece:
    """A square of an evaluation photo for the contact sheet; left, top in sharp pixels."""

    photo: str
    left: int
    top: int
    damage: str


SHEET_PIECES = (
    Piece("04", 150, 120, "mild"),  # a face
    Piece("15", 180, 60, "mild"),  # a face, paint on skin
    Piece("08", 250, 120, "clean"),  # façades: lines that alias
    Piece("19", 200, 380, "clean"),  # a fence of regular boards
    Piece("20", 200, 20, "hard"),  # flat sky with an edge
    Piece("21", 250, 0, "mild"),  # sky and a lighthouse
    Piece("13", 300, 250, "hard"),  # water and stones: texture
    Piece("23", 120, 150, "hard"),  # saturated colours
)


@dataclass(frozen=True)
class Row:
    """Means over the photos for one enlarger and one damage."""

    enlarger: str
    damage: str
    psnr_db: float
    ssim: float
    over_bicubic_db: float = 0.0
    part: str = "photos"
    """``photos`` as a whole, or the ``faces`` in them."""


def damaged(sharp: Picture, damage: Damage, chance: np.random.Generator) -> Picture:
    """``sharp`` made ``SCALE`` times smaller and worse."""
    picture = sharp.astype(np.float32)
    if damage.blur_sigma_px:
        picture = cv2.GaussianBlur(picture, (0, 0), damage.blur_sigma_px).astype(np.float32)
    height, width = sharp.shape[:2]
    size = (width // SCALE, height // SCALE)
    picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    if damage.noise_sigma:
        picture += chance.normal(0, damage.noise_sigma, picture.shape).astype(np.float32)
    small = np.clip(np.rint(picture), 0, 255).astype(np.uint8)
    if damage.jpeg_quality is None:
        return small
    flags = [cv2.IMWRITE_JPEG_QUALITY, damage.jpeg_quality]
    encoded = cv2.imencode(".jpg", np.ascontiguousarray(small[..., ::-1]), flags)[1]
    return _decoded(encoded)


def luma(picture: Picture) -> NDArray[np.float64]:
    """Y of ITU-R BT.601 in 16..235, cut by ``SCALE`` pixels at each side."""
    weights = np.array([65.481, 128.553, 24.966]) / 255
    inner = picture[SCALE:-SCALE, SCALE:-SCALE].astype(np.float64)
    return np.asarray(inner @ weights + 16)


def luma_psnr_db(sharp: Picture, result: Picture) -> float:
    """Luma PSNR, at most 99 dB."""
    return psnr_db(luma(sharp), luma(result))


def ssim(sharp: Picture, result: Picture) -> float:
    """Luma SSIM with the Gaussian window of Wang et al. (2004): sigma 1.5, 11x11."""
    similarity = structural_similarity(  # type: ignore[no-untyped-call]
        luma(sharp),
        luma(result),
        data_range=255,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    return float(similarity)


def resampled_to(picture: Picture, size: Size) -> Picture:
    """At any size, for measuring time."""
    sides = (size.width, size.height)
    return np.asarray(cv2.resize(picture, sides, interpolation=cv2.INTER_CUBIC), np.uint8)


def resampled(picture: Picture, kernel: int) -> Picture:
    """Enlarged by a classic kernel of OpenCV."""
    height, width = picture.shape[:2]
    size = (width * SCALE, height * SCALE)
    return np.asarray(cv2.resize(picture, size, interpolation=kernel), np.uint8)


def network_enlarger(name: str, path: Path, device: str) -> Enlarger:
    """A weight file through the app's own loader, in full precision."""
    found = Installed(name, path)
    upscaler = load_upscaler(found, None, Placement(torch.device(find_device(device))))

    def enlarge(picture: Picture) -> Picture:
        with torch.inference_mode():
            return np.asarray(upscaler(picture[None], 0.5)[0], np.uint8)

    return enlarge


def enlargers(builtin: Path, folder: Path, device: str) -> dict[str, Enlarger]:
    """Everything that is compared; the real general network where its file is there."""
    compared: dict[str, Enlarger] = {
        "bicubic": partial(resampled, kernel=cv2.INTER_CUBIC),
        "lanczos": partial(resampled, kernel=cv2.INTER_LANCZOS4),
    }
    general = folder / "weights" / GENERAL_FILE
    if general.is_file():
        compared[GENERAL] = network_enlarger(GENERAL, general, device)
    compared["builtin"] = network_enlarger("builtin", builtin, device)
    return compared


Faces = Mapping[str, Sequence[Region]]
"""Photo -> where its faces are."""


def found_faces(photos: Mapping[str, Picture], folder: Path) -> Faces:
    """By RetinaFace MobileNet-0.25; nothing where its file is not there."""
    path = folder / "weights" / DETECTOR_FILE
    if not path.is_file():
        return {}
    found = Installed(path.stem, path, by_name(path.stem))
    find = load_detector(found, Placement(torch.device("cpu")))
    with torch.inference_mode():
        return {name: [_region(face, photo) for face in find([photo])[0]]
                for name, photo in photos.items()}  # fmt: skip


def _region(face: DetectedFace, photo: Picture) -> Region:
    left, top, right, bottom = (round(float(side)) for side in face.box)
    height, width = photo.shape[:2]
    return Region(left, top, right - left, bottom - top).grown(SCALE, Size(width, height))


def measured(
    photos: Mapping[str, Picture], compared: Mapping[str, Enlarger], faces: Faces
) -> list[Row]:
    """One row per enlarger, damage and part; every enlarger gets the same damaged photos."""
    values: dict[tuple[str, str, str], list[tuple[float, float]]] = {}
    for kind, damage in DAMAGES.items():
        for index, (photo, sharp) in enumerate(photos.items()):
            small = damaged(sharp, damage, np.random.default_rng([SEED, index]))
            for name, enlarge in compared.items():
                result = enlarge(small)
                parts = [("photos", sharp, result)]
                for face in faces.get(photo, ()):
                    parts.append(("faces", sharp[face.slices], result[face.slices]))
                for part, truth, given in parts:
                    scores = (luma_psnr_db(truth, given), ssim(truth, given))
                    values.setdefault((part, name, kind), []).append(scores)
    means = {
        key: (fmean(psnr for psnr, _ in scores), fmean(ssim for _, ssim in scores))
        for key, scores in values.items()
    }
    return [
        Row(name, kind, psnr, similarity, psnr - means[part, "bicubic", kind][0], part)
        for (part, name, kind), (psnr, similarity) in means.items()
    ]


def seconds_of_a_photo(builtin: Path) -> dict[str, float]:
    """Median seconds for 1080x1440 at scale 2 on the CPU, by precision, where it is proven."""
    photo = Photo(resampled_to(data.astronaut(), TIMED_SIZE), "astronaut", "PNG")
    settings = Settings(device="cpu", offline=True)
    networks = Networks({BUILTIN: Installed(BUILTIN, builtin)}, settings)
    choice = choose_networks(BUILTIN, TIMED_SCALE, networks.facts())
    times: dict[str, list[float]] = {}
    for _ in range(TIMED_RUNS):
        for precision in (Precision.EXACT, Precision.FAST):
            request = Request(scale=TIMED_SCALE, upscaler=BUILTIN, precision=precision)
            plan = plan_for(photo.size, request, choice, networks)
            began = time.perf_counter()
            blend(enhanced(photo, plan, networks), 1.0)
            times.setdefault(plan.precision, []).append(time.perf_counter() - began)
    return {precision: round(median(seconds), 2) for precision, seconds in times.items()}


def table(rows: Sequence[Row], part: str = "photos") -> str:
    """The rows as a Markdown table: one line per enlarger, PSNR (gain over bicubic) and SSIM."""
    rows = [row for row in rows if row.part == part]
    lines = [
        "| x4 | " + " | ".join(f"{kind}: PSNR dB (over bicubic), SSIM" for kind in DAMAGES) + " |",
        "|---|" + "---|" * len(DAMAGES),
    ]
    for name in dict.fromkeys(row.enlarger for row in rows):
        cells = [
            f"{row.psnr_db:.2f} ({row.over_bicubic_db:+.2f}), {row.ssim:.3f}"
            for row in rows
            if row.enlarger == name
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def kodak_sheet(photos: Mapping[str, Picture], compared: Mapping[str, Enlarger]) -> Picture:
    """Pieces of evaluation photos: a line per piece, a column per enlarger, the sharp one last."""
    lines = []
    for piece in SHEET_PIECES:
        if piece.photo not in photos:
            continue
        sharp = photos[piece.photo]
        index = list(photos).index(piece.photo)
        small = damaged(sharp, DAMAGES[piece.damage], np.random.default_rng([SEED, index]))
        cut = partial(_cut, left=piece.left, top=piece.top)
        pictures = [cut(enlarge(small)) for enlarge in compared.values()] + [cut(sharp)]
        lines.append(_line(pictures, f"{piece.photo} {piece.damage}", [*compared, "original"]))
    return np.concatenate(lines)


def real_sheet(folder: Path, compared: Mapping[str, Enlarger], count: int = 10) -> Picture | None:
    """Middles of real bad photos, for which nobody knows the truth; None where there are none."""
    lines = []
    for path in sorted(folder.glob("*.png"))[:count]:
        small = read(path)
        side = SHEET_CROP_PX // SCALE
        # A flat border is no picture: take the middle, a little above for faces.
        top, left = max(0, small.shape[0] * 2 // 5 - side // 2), (small.shape[1] - side) // 2
        middle = small[top : top + side, max(0, left) : max(0, left) + side]
        if middle.shape[:2] == (side, side):
            pictures = [enlarge(np.ascontiguousarray(middle)) for enlarge in compared.values()]
            lines.append(_line(pictures, path.stem, list(compared)))
    return np.concatenate(lines) if lines else None


def _cut(picture: Picture, left: int, top: int) -> Picture:
    return picture[top : top + SHEET_CROP_PX, left : left + SHEET_CROP_PX]


def _line(pictures: Sequence[Picture], title: str, names: Sequence[str]) -> Picture:
    """Pictures side by side under a strip that names them."""
    row = np.concatenate(pictures, axis=1)
    strip = np.full((24, row.shape[1], 3), 255, np.uint8)
    for index, name in enumerate(names):
        text = f"{title}: {name}" if index == 0 else name
        place = (index * pictures[0].shape[1] + 4, 17)
        cv2.putText(strip, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1, cv2.LINE_AA)
    return np.concatenate([strip, row])


def read(path: Path) -> Picture:
    """(H, W, 3) RGB of a file."""
    encoded = np.frombuffer(path.read_bytes(), np.uint8)
    return _decoded(encoded)


def _decoded(encoded: NDArray[np.uint8]) -> Picture:
    decoded = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    if decoded is None:
        raise ValueError("A file of the measuring data is no picture.")
    return np.ascontiguousarray(decoded[..., ::-1], np.uint8)


def write(path: Path, picture: Picture) -> None:
    """Write a PNG."""
    path.write_bytes(cv2.imencode(".png", np.ascontiguousarray(picture[..., ::-1]))[1].tobytes())


def report(
    rows: Sequence[Row], builtin: Path, photos: int, faces: Faces, device: str
) -> dict[str, object]:
    """What the JSON holds: the figures and what they were measured with."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    return {
        "benchmark": "quality",
        "scale": SCALE,
        "seed": SEED,
        "photos": photos,
        "faces": sum(len(found) for found in faces.values()),
        "seconds_1080x1440": seconds_of_a_photo(builtin),
        "threads": torch.get_num_threads(),
        "damages": {name: asdict(damage) for name, damage in DAMAGES.items()},
        "builtin_sha256": hashlib.sha256(builtin.read_bytes()).hexdigest(),
        "commit": commit.stdout.strip() or None,
        "device": device,
        "versions": {
            "python": platform.python_version(),
            "torch": str(torch.__version__),
            "opencv": cv2.__version__,
            "numpy": np.__version__,
        },
        "rows": [asdict(row) for row in rows],
    }


def parsed(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="benchmarks.quality", description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="measuring data")
    parser.add_argument("--weights", type=Path, default=BUILTIN_FILE, help="the built-in network")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--device", default="auto")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, write."""
    given = parsed(arguments)
    kodak = sorted((given.data / "eval" / "kodak24").glob("*.png"))
    if not kodak:
        raise SystemExit("There are no evaluation photos: give their folder with --data.")
    photos = {path.stem: read(path) for path in kodak}
    compared = enlargers(given.weights, given.data, given.device)
    faces = found_faces(photos, given.data)
    rows = measured(photos, compared, faces)
    print(table(rows))
    if any(faces.values()):
        print("Faces alone:", table(rows, "faces"), sep="\n")
    given.out.mkdir(parents=True, exist_ok=True)
    device = find_device(given.device)
    figures = report(rows, given.weights, len(photos), faces, device)
    print("1080x1440 at scale 2, seconds:", figures["seconds_1080x1440"])
    (given.out / "quality.json").write_text(json.dumps(figures, indent=1) + "\n")
    write(given.out / "quality-kodak.png", kodak_sheet(photos, compared))
    for name in ("degraded", "old"):
        sheet = real_sheet(given.data / "photos" / name, compared)
        if sheet is not None:
            write(given.out / f"quality-{name}.png", sheet)


if __name__ == "__main__":
    main()
