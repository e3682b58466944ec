"""Writes the README's tables from the code: ``python -m docs.readme_tables``.

Between ``<!-- table: NAME -->`` and ``<!-- end -->`` stands what the code says; a test checks it.
"""

import json
import re
from pathlib import Path
from statistics import median
from typing import Any

from docs.install_table import installs_of
from docs.markdown import table as _table
from photoenhance_ui.catalogue import CATALOGUE, default_downloads
from photoenhance_ui.cli.parser import EXIT_CODES
from photoenhance_ui.images.formats import READABLE_SUFFIXES
from photoenhance_ui.options import Option
from photoenhance_ui.request import OPTIONS, PRESETS
from photoenhance_ui.settings import FLAGS, PROJECT_DIR

README = PROJECT_DIR / "README.md"
SPEED_RESULTS = PROJECT_DIR / "benchmarks" / "results" / "speed.json"
LOAD_RESULTS = tuple(
    PROJECT_DIR / "benchmarks" / "results" / f"{name}.json"
    for name in ("memory", "cold_start", "page")
)
STREAM_RESULTS = PROJECT_DIR / "benchmarks" / "results" / "stream_vs_batch.json"
API_RESULTS = PROJECT_DIR / "benchmarks" / "results" / "api_in_line.json"
INSTALL_RESULTS = PROJECT_DIR / "benchmarks" / "results" / "installs.json"

_BLOCK = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def filled(readme: str) -> str:
    """The README with every table as the code says; KeyError for a table that is not known."""
    return _BLOCK.sub(lambda block: f"{block[1]}{TABLES[block[2]]()}\n{block[3]}", readme)


def options() -> str:
    """What can be asked for, in the page, in scripts and on the command line."""
    return _table(
        ("option", "default", "values", "what it does"),
        ((f"`{o.name}`", _shown(o.default), _values(o), o.meaning) for o in OPTIONS),
    )


def _values(option: Option) -> str:
    if option.choices:
        return ", ".join(f"`{choice}`" for choice in option.choices)
    if option.kind is bool:
        return "`true`, `false`"
    if option.lowest is None or option.highest is None:
        return "a name"
    return f"{option.lowest:g} to {option.highest:g}"


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, float):
        return f"`{value:g}`"
    if isinstance(value, Path):
        return f"`{value.relative_to(PROJECT_DIR)}`"
    return f"`{value}`" if value not in ("", ()) else "none"


def presets() -> str:
    """What each preset fills in; everything else stays at its default."""
    rows = (
        (f"`{name}`", ", ".join(f"`{key}={value}`" for key, value in fills.items()) or "defaults")
        for name, fills in PRESETS.items()
    )
    return _table(("preset", "fills in"), rows)


def settings() -> str:
    """How the program is started."""
    return _table(
        ("flag", "variable", "default", "what it does"),
        ((f"`{f.flag}`", f"`{f.variable}`", _shown(f.default), _meaning(f)) for f in FLAGS),
    )


def _meaning(flag: Option) -> str:
    choices = f" One of {', '.join(f'`{c}`' for c in flag.choices)}." if flag.choices else ""
    return f"{flag.meaning}{choices}" + (" *(page only)*" if flag.page_only else "")


def weights() -> str:
    """Every known network file with its licence."""
    on_cpu, on_gpu = (
        {file.name for file in default_downloads(device)} for device in ("cpu", "cuda")
    )

    def when(name: str) -> str:
        if name in on_cpu:
            return "yes"
        return "with a GPU" if name in on_gpu else "no"

    rows = (
        (f"`{f.name}`", f.purpose, f"{f.bytes / 1e6:.1f}", f.licence, when(f.name))
        for f in CATALOGUE
    )
    return _table(("file", "what for", "MB", "licence", "downloaded by itself"), rows)


def exit_codes() -> str:
    """How the command line ends."""
    return _table(("exit code", "meaning"), ((str(c), word) for c, word in EXIT_CODES.items()))


def limits() -> str:
    """What is refused: each photo by itself, and a call as a whole."""
    names = [flag.name for flag in FLAGS if flag.name.startswith("max_")]
    flags = {flag.name: flag for flag in FLAGS}
    rows = ((flags[n].meaning, _shown(flags[n].default), f"`{flags[n].flag}`") for n in names)
    return _table(("limit", "default", "setting"), rows)


def suffixes() -> str:
    """Files that a folder is searched for."""
    return ", ".join(f"`{suffix}`" for suffix in READABLE_SUFFIXES)


def stream_benchmark() -> str:
    """The stream beside a batch and a ZIP, as measured last."""
    result = json.loads(STREAM_RESULTS.read_text())
    photos = ", ".join(f"{p['name']} {p['width']}x{p['height']}" for p in result["photos"])
    rows = (
        (way, f"{values['first_median_s']:.2f} s", f"{values['last_median_s']:.2f} s")
        for way, values in result["summary"].items()
    )
    sooner, promise = result["sooner_percent"], result["seed_promise_percent"]
    return "\n".join(
        (
            _table(("way", "first photo there after", "last photo there after"), rows),
            "",
            f"Medians of {result['runs']} interleaved runs with {photos} at scale "
            f"{result['options']['scale']:g} on {result['machine']['device_name']}. "
            f"The first photo of the stream came {sooner['batch']:g} % sooner than that of a "
            f"batch and {sooner['zip']:g} % sooner than a ZIP; the project that this one grew "
            f"from promised {promise:g} %.",
        )
    )


def api_benchmark() -> str:
    """What a call costs by its number of photos, as measured last."""
    result = json.loads(API_RESULTS.read_text())
    rows = (
        (
            case["way"],
            str(case["photos"]),
            *(f"{case[key]:.1f} s" for key in ("uploaded_s", "first_s", "loop_s", "result_s")),
            f"{case['each_ms']:.0f} ms",
        )
        for case in result["summary"]
    )
    heads = ("client", "photos", "all sent after", "first after", "last after", "result after")
    stalled = result["stalled"]
    memory = stalled["memory_mb"]
    return "\n".join(
        (
            _table((*heads, "each, once sent"), rows),
            "",
            f"Medians of {result['runs']} interleaved runs with photos of {result['photo']} "
            f"pixels, client and server on the same {result['machine']['cores']} cores. A reader "
            f"that stopped after the first answer, {stalled['calls']} times with "
            f"{stalled['photos']} photos: the server held {memory[0]:.0f} MB before, "
            f"{memory[1]:.0f} after the first time and {memory[-1]:.0f} at the end.",
        )
    )


def speed_benchmark() -> str:
    """Ours beside the reference, as measured last."""
    result = json.loads(SPEED_RESULTS.read_text())

    def cell(case: dict[str, Any], way: str) -> str:
        if way not in case["seconds"]:
            return "–"
        ratio = case["ratios"].get(way)
        told = f" ({ratio:.1f} times as fast)" if ratio is not None else ""
        return f"{median(case['seconds'][way]):.1f} s{told}"

    rows = (
        (f"{case['size']}, {case['faces']} faces", *(cell(case, way) for way in SPEED_WAYS))
        for case in (*result["cases"], *result["large"]["cases"])
    )
    machine, first = result["machine"], result["first_of_a_batch"]
    return "\n".join(
        (
            _table(("photo", *SPEED_WAYS), rows),
            "",
            f"Medians of {result['runs']} interleaved runs, one from 1.5 megapixels on (the "
            f"largest by default alone), at scale 2, resident and warm, on {machine['threads']} "
            f"CPU threads that reach {machine['peak_gflops']:.0f} GFLOP/s at best. The first of "
            f"{first['photos']} photos came {first['first_to_lone']:.2f} times as late as a lone "
            f"one.",
        )
    )


def memory_benchmark() -> str:
    """Large photos, long batches and the start, as measured last."""
    memory, start, page = (json.loads(path.read_text()) for path in LOAD_RESULTS)
    rows = (
        (
            f"{case['megapixels']:g}",
            f"{case['networks'][0]}, {case['faces']} face restored",
            f"{case['seconds']:.0f} s",
            f"{case['peak_mb'] / 1000:.1f} GB",
        )
        for case in memory["large"]
    )
    many, resident = memory["many"], memory["many"]["resident_mb"]
    first = memory["first_use"]
    return "\n".join(
        (
            _table(("megapixels", "what was done", "time", "memory at most"), rows),
            "",
            "The first photo that these networks enhance on a machine takes "
            f"{first['seconds']:.0f} s "
            f"and {first['peak_mb'] / 1000:.1f} GB, for their fast forms are measured with it. "
            f"Over {many['photos']} small photos resident memory was "
            f"{resident[0]:.0f} MB after {many['noted_every']} and {resident[-1]:.0f} MB at the "
            f"end. From the command to a page that answers: {start['later']['page_s']:.1f} s, "
            f"{start['first']['page_s']:.1f} s the first time on a machine; a first photo of "
            f"600x400 then takes {start['later']['first_photo_s']:.1f} s. {_page_told(page)}",
        )
    )


def _page_told(page: dict[str, Any]) -> str:
    told = page["summary"]
    first, last = ({k: told[k][part] for k in ("update_ms", "heap_mb")} for part in THIRDS)
    return (
        f"While {page['photos']} photos ran through the page it was drawn anew every "
        f"{first['update_ms']:.0f} ms in the first third and every {last['update_ms']:.0f} in the "
        f"last, the browser's heap was {first['heap_mb']:.1f} and {last['heap_mb']:.1f} MB, and "
        f"the slowest click was answered after {told['slowest_response_ms']:.0f} ms."
    )


def installs() -> str:
    """What an installation takes by Python and requirements file, and where there is one."""
    return installs_of(json.loads(INSTALL_RESULTS.read_text()))


THIRDS = ("first_third", "last_third")
SPEED_WAYS = ("reference", "exact", "fast", "8 bits", "default")

TABLES = {
    "options": options,
    "presets": presets,
    "settings": settings,
    "weights": weights,
    "exit_codes": exit_codes,
    "limits": limits,
    "suffixes": suffixes,
    "speed_benchmark": speed_benchmark,
    "stream_benchmark": stream_benchmark,
    "api_benchmark": api_benchmark,
    "memory_benchmark": memory_benchmark,
    "installs": installs,
}


if __name__ == "__main__":
    README.write_text(filled(README.read_text(encoding="utf-8")), encoding="utf-8")
