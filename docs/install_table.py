"""What ``benchmarks.installs`` measured, as the README shows it."""

from collections.abc import Iterable
from typing import Any

from docs.markdown import table

PARTS = ("install", "page", "photo", "suite")
HEADS = (
    "Python", "requirements", "pip takes", "uv takes", "on disk", "temporary files",
    "page ready, first and second time", "at rest", "first photo", "tests",
)  # fmt: skip
FIGURES = (
    ("install", "{gb:.1f} GB"),
    ("install", "{temporary_gb:.1f} GB"),
    ("page", "{first_s:.1f} s, {second_s:.1f} s"),
    ("page", "{at_rest_mb:.0f} MB"),
    ("photo", "{seconds:.1f} s, {peak_mb:.0f} MB"),
)
RESOLVE_HEADS = ("file", "platform")


def installs_of(result: dict[str, Any]) -> str:
    """Real installations, what resolves for which platform, and what failed and why."""
    rows = {(row["python"], row["file"], row["installer"]): row for row in result["installs"]}
    pairs = sorted({key[:2] for key in rows})
    cells = (_install_cells(*pair, rows) for pair in pairs)
    blocks = (
        table(HEADS, cells) if pairs else "",
        _circumstances(result["installs"]),
        _missing_parts(result["installs"]),
        _resolve_table(result["resolves"]),
        _packages_built(result["resolves"]),
    )
    return "\n\n".join(block for block in blocks if block)


def _install_cells(python: str, file: str, rows: dict[tuple[str, str, str], Any]) -> list[str]:
    """What pip's installation took, with uv's time beside it; uv's alone where pip ran none."""
    by_pip, by_uv = (rows.get((python, file, installer), {}) for installer in ("pip", "uv"))
    figures = [
        *(_figures((by_pip or by_uv).get(part), form) for part, form in FIGURES),
        _figures((by_pip or by_uv).get("suite"), "{outcome}"),
    ]
    times = (_figures(row.get("install"), "{seconds:.0f} s") for row in (by_pip, by_uv))
    return [python, f"`{file}`", *times, *figures]


def _figures(part: dict[str, Any] | None, form: str) -> str:
    """A part's figures in this form; a dash where one was not measured."""
    told = {key: value for key, value in (part or {}).items() if value is not None}
    in_gb = {key.replace("bytes", "gb"): told[key] / 1e9 for key in told if "bytes" in key}
    try:
        return form.format(**told, **in_gb)
    except KeyError:
        return "–"


def _circumstances(rows: Iterable[dict[str, Any]]) -> str:
    """With what the installations were measured."""
    rows = list(rows)
    processors = {_processor(row["processor"]) for row in rows}
    installers = {
        f"{row['installer']} {row['install']['installer_version']}"
        for row in rows
        if row["install"]["reason"] is None
    }
    told = ", ".join(sorted(installers))
    return f"With an empty cache on {' and '.join(sorted(processors))}; {told}." if told else ""


def _processor(processor: dict[str, Any]) -> str:
    amx = " with AMX" if processor["amx"] else ""
    return f"{processor['threads']} threads of {processor['model'] or 'a processor'}{amx}"


def _missing_parts(rows: Iterable[dict[str, Any]]) -> str:
    """Which parts failed, and why: one sentence for each reason."""
    failed: dict[str, dict[str, dict[str, None]]] = {}
    for row in rows:
        for part in PARTS:
            reason = (row.get(part) or {}).get("reason")
            if reason:
                places = failed.setdefault(reason.rstrip("."), {})
                name = f"{part} by {row['installer']}" if part == "install" else part
                places.setdefault(f"{row['python']} `{row['file']}`", {})[name] = None
    sentences = []
    for reason, places in failed.items():
        told = "; ".join(", ".join((place, *parts)) for place, parts in places.items())
        sentences.append(f"{told}: {reason}.")
    return " ".join(sentences)


def _resolve_table(rows: Iterable[dict[str, Any]]) -> str:
    rows = list(rows)
    files, platforms = (list(dict.fromkeys(row[key] for row in rows)) for key in RESOLVE_HEADS)
    if not rows:
        return ""
    cells = (
        [platform, *(_resolved([r for r in rows if _is(r, file, platform)]) for file in files)]
        for platform in platforms
    )
    return table(("resolves on", *(f"`{file}`" for file in files)), cells)


def _is(row: dict[str, Any], file: str, platform: str) -> bool:
    return (row["file"], row["platform"]) == (file, platform)


def _resolved(rows: Iterable[dict[str, Any]]) -> str:
    """For which Pythons, and why not for the others."""
    answers: dict[str, list[str]] = {}
    for row in rows:
        answer = "yes" if row["resolves"] else f"no: {row['reason'].rstrip('.')}"
        answers.setdefault(answer, []).append(row["python"])
    if len(answers) == 1:
        return next(iter(answers))
    return "; ".join(f"{', '.join(pythons)} {answer}" for answer, pythons in answers.items())


def _packages_built(rows: Iterable[dict[str, Any]]) -> str:
    """Which packages have no wheel, and for which Pythons."""
    built: dict[str, set[str]] = {}
    for row in rows:
        for package in row["built"]:
            built.setdefault(package, set()).add(row["python"])
    return " ".join(
        f"{package} has no wheel and is built, on {', '.join(sorted(pythons))}."
        for package, pythons in sorted(built.items())
    )
