"""What the page says of networks: the banner, and the table of all of them, as HTML."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from photoenhance_ui.catalogue import by_name
from photoenhance_ui.engine.interface import QueueLength
from photoenhance_ui.pipeline.plan import EngineFacts, choose_networks
from photoenhance_ui.request import AUTO, BUILTIN, RESAMPLE_ONLY
from photoenhance_ui.ui.html import progress_bar
from photoenhance_ui.ui.texts import Texts
from photoenhance_ui.weights.downloads import DownloadPhase, DownloadState

# The banner


def network_name(name: str, say: Texts) -> str:
    """A network as a person knows it: by its own name, but for the one that comes with us."""
    return say("networks.builtin") if name == BUILTIN else name


def banner_html(
    facts: EngineFacts, queue: QueueLength, downloads: Sequence[DownloadState], say: Texts
) -> str:
    """Which networks are in use, which are being fetched and how far, which are absent."""
    lines = [_in_use(facts, say), *(_download_html(state, say) for state in downloads)]
    waiting = sum(state.phase is DownloadPhase.WAITING for state in downloads)
    if waiting:
        lines.append(f"<span>{escape(say.counted('networks.waiting', waiting))}</span>")
    if not facts.looking and (facts.detector is None or facts.restorer is None):
        lines.append(f'<span class="pe-absent">{escape(say("networks.no_faces"))}</span>')
    count = queue.working + queue.waiting
    if count:
        lines.append(f"<span>{escape(say.counted('networks.busy', count))}</span>")
    return f'<div class="pe-banner">{"".join(line for line in lines if line)}</div>'


def _in_use(facts: EngineFacts, say: Texts) -> str:
    if facts.looking:
        return f"<span>{escape(say('networks.looking'))}</span>"
    upscaler = choose_networks(AUTO, 2.0, facts).upscaler
    if upscaler == RESAMPLE_ONLY:
        return f'<span class="pe-absent">{escape(say("networks.no_upscaler"))}</span>'
    names = [upscaler]
    if facts.detector is not None and facts.restorer is not None:
        names += [name for name in (facts.detector, facts.restorer, facts.parser) if name]
    device = say("networks.device", device=facts.device_name)
    joined = ", ".join(_name_html(name, say) for name in names)
    return f"<span>{escape(say('networks.label'))}: {joined} {escape(device)}</span>"


def _name_html(name: str, say: Texts) -> str:
    return f'<b data-network="{escape(name)}">{escape(network_name(name, say))}</b>'


def _download_html(state: DownloadState, say: Texts) -> str:
    if state.phase is DownloadPhase.FAILED:
        return f'<span class="pe-absent">{escape(state.reason or "")}</span>'
    if state.phase is not DownloadPhase.LOADING:
        return ""
    return f"<span>{_loading_html(state, say)}</span>"


def _loading_html(state: DownloadState, say: Texts) -> str:
    share = state.done_bytes / max(1, state.total_bytes)
    text = say(
        "networks.downloading",
        name=state.name,
        done=round(state.done_bytes / 1e6),
        total=round(state.total_bytes / 1e6),
    )
    return f"{escape(text)} {progress_bar(share, state.name)}"


# The networks panel


def networks_html(
    models: Sequence[Mapping[str, Any]],
    downloads: Sequence[DownloadState],
    say: Texts,
    *,
    downloadable: bool,
) -> str:
    """The table of all networks: what each is for, its size and licence, how it stands.

    ``models`` are those of ``/models``; with ``downloadable`` each absent one has a button.
    """
    states = {state.name: state for state in downloads}
    heads = "".join(
        f'<th scope="col">{escape(say(f"networks.{name}"))}</th>'
        for name in ("name", "purpose", "size", "licence", "state")
    )
    lines = "".join(
        _network_html(model, states.get(model["name"]), say, downloadable=downloadable)
        for model in models
    )
    return (
        f'<div class="pe-scroll" tabindex="0" role="region" aria-label="{escape(say("networks"))}">'
        f'<table class="pe-networks"><thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table>'
        "</div>"
    )


def _network_html(
    model: Mapping[str, Any], loading: DownloadState | None, say: Texts, *, downloadable: bool
) -> str:
    size, role = model["bytes"], say(f"role.{model['role']}")
    cells = (
        f"<b>{escape(model['name'])}</b> <span>{escape(role)}</span>",
        escape(_purpose(model, say)),
        "" if size is None else escape(say("networks.megabytes", size=f"{size / 1e6:.1f}")),
        escape(model["licence"] or ""),
        _standing_html(model, loading, say, downloadable=downloadable),
    )
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _purpose(model: Mapping[str, Any], say: Texts) -> str:
    if model["url"] is None:
        return say(f"networks.{BUILTIN if model['name'] == BUILTIN else 'own'}.purpose")
    return say.purpose(model["name"], model["purpose"])


def _standing_html(
    model: Mapping[str, Any], loading: DownloadState | None, say: Texts, *, downloadable: bool
) -> str:
    """Installed, on its way, or absent with a button that fetches it."""
    if model["installed"]:
        return f'<span class="pe-badge pe-done">{escape(say("networks.installed"))}</span>'
    if loading is not None and loading.phase is DownloadPhase.LOADING:
        return _loading_html(loading, say)
    if loading is not None and loading.phase is DownloadPhase.WAITING:
        return escape(say("networks.queued"))
    failed = loading is not None and loading.phase is DownloadPhase.FAILED
    problem = loading.reason if loading is not None and failed else model["problem"]
    notice = f'<span class="pe-warning">{escape(problem)}</span> ' if problem else ""
    if model["url"] is not None and not by_name(model["name"]).runs:
        return notice + escape(say("networks.never"))
    if not downloadable or model["url"] is None:
        return notice or escape(say("networks.absent"))
    label = say("networks.get.label", name=model["name"])
    return (
        f'{notice}<button type="button" class="pe-small" data-act="fetch_network" '
        f'data-name="{escape(model["name"])}" aria-label="{escape(label)}">'
        f"{escape(say('networks.get'))}</button>"
    )
