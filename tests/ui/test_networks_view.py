"""What the page says of networks: which are in use, on their way, or absent."""

from dataclasses import replace
from typing import Any

from photoenhance_ui.engine.interface import QueueLength
from photoenhance_ui.ui.networks_view import banner_html, networks_html
from photoenhance_ui.ui.texts import CHINESE, ENGLISH
from photoenhance_ui.weights.downloads import DownloadPhase, DownloadState
from tests.ui.facts import facts
from tests.ui.rows import NASTY, words


def test_the_banner_names_the_networks_and_what_is_absent() -> None:
    told = words(banner_html(facts(), QueueLength(), [], ENGLISH))
    assert " ".join(told.split()).startswith("Using: built-in network on")
    assert "CPU (2 threads)" in told
    assert "No network that restores faces" in told
    whole = words(
        banner_html(
            facts(detector="find", restorer="mend", parser="parse"), QueueLength(), [], ENGLISH
        )
    )
    for name in ("find", "mend", "parse"):
        assert name in whole
    assert "No network" not in whole


def download(name: str, phase: DownloadPhase, **changes: object) -> DownloadState:
    return replace(DownloadState(name, 10, phase=phase), **changes)


def test_the_banner_says_how_far_downloads_are() -> None:
    states = [
        download("big", DownloadPhase.LOADING, done_bytes=25_000_000, total_bytes=100_000_000),
        download("next", DownloadPhase.WAITING),
        download("bad", DownloadPhase.FAILED, reason="bad could not be downloaded."),
        download("there", DownloadPhase.DONE),
    ]
    html = banner_html(facts(), QueueLength(), states, ENGLISH)
    assert "Downloading big: 25 of 100 MB" in html
    assert 'value="25"' in html
    assert "1 more to download" in html
    assert "bad could not be downloaded." in html
    assert "there" not in words(html)


def model_of(name: str, **changes: object) -> dict[str, Any]:
    """A line of ``/models`` for a network of the catalogue."""
    return {
        "name": name,
        "role": "upscaler",
        "purpose": "Photos, twice as large",
        "bytes": 67_061_725,
        "licence": "BSD-3-Clause",
        "url": None if changes else "https://example.org/file",
        "installed": False,
        "problem": None,
        **changes,
    }


def test_what_is_said_of_a_network_never_becomes_html() -> None:
    model = model_of(NASTY, purpose=NASTY, licence=NASTY, problem=NASTY)
    html = networks_html([model], [], ENGLISH, downloadable=True)
    assert "<img" not in html
    assert html.count("&lt;img") >= 2


def test_the_networks_table_tells_what_each_is_and_how_it_stands() -> None:
    model = model_of("RealESRGAN_x2plus")

    def table(*states: DownloadState, **changes: object) -> str:
        models = [{**model, **changes}]
        return networks_html(models, states, ENGLISH, downloadable=True)

    told = words(table())
    for fact in ("RealESRGAN_x2plus", "Enlarging", "twice as large", "67.1 MB", "BSD-3-Clause"):
        assert fact in told
    assert 'data-act="fetch_network" data-name="RealESRGAN_x2plus"' in table()
    assert "Installed" in words(table(installed=True))
    loading = download("RealESRGAN_x2plus", DownloadPhase.LOADING, done_bytes=5)
    assert "<progress" in table(loading)
    assert "Waiting" in table(download("RealESRGAN_x2plus", DownloadPhase.WAITING))
    failed = table(download("RealESRGAN_x2plus", DownloadPhase.FAILED, reason="It broke."))
    assert "It broke." in failed and "data-act" in failed, "one may try again"


def test_a_network_that_may_not_be_fetched_has_no_button() -> None:
    models = [model_of("RealESRGAN_x2plus"), model_of("codeformer")]
    refused = networks_html(models, [], CHINESE, downloadable=False)
    assert "data-act" not in refused and "照片，放大两倍" in refused
    allowed = networks_html(models, [], ENGLISH, downloadable=True)
    assert allowed.count("data-act") == 1, "CodeFormer is never run"
