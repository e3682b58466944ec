"""Every text of the page, by key, in one place.

What the engine says (reasons, warnings) comes as sentences of its own and is no part of this.
"""

from collections.abc import Mapping
from types import MappingProxyType

ENGLISH: Mapping[str, str] = MappingProxyType(
    {
        "title": "PhotoEnhance",
        "tagline": "Drop in photos that are small, blurred, noisy or old. "
        "Each better one appears as soon as it is finished.",
        "private": "Nothing leaves this machine.",
        # Choosing
        "photos": "Your photos",
        "preset": "What are they?",
        "preset.everyday": "Everyday",
        "preset.portrait": "Portraits",
        "preset.old photo": "Old photos",
        "preset.illustration": "Illustrations or screenshots",
        "preset.fast": "Anything, fast",
        "start": "Enhance",
        "options": "Options",
        # Options: the name that a person sees, and what it means
        "option.scale": "Scale",
        "option.scale.meaning": "How many times as wide and as high the result is.",
        "option.upscaler": "Network for the picture",
        "option.upscaler.meaning": "Automatic takes the best one that is installed.",
        "option.faces": "Faces to restore",
        "option.faces.meaning": "Without face networks they are enlarged like everything else.",
        "option.face_strength": "Face strength",
        "option.face_strength.meaning": "How much of each restored face is blended in.",
        "option.denoise": "Denoise",
        "option.denoise.meaning": "How much noise is removed, by realesr-general-x4v3.",
        "option.precision": "Precision",
        "option.precision.meaning": "Exact computes in 32 bits; fast in fewer, where that is "
        "near enough.",
        "option.output_format": "Save as",
        "option.output_format.meaning": "The format of the results.",
        "option.quality": "Quality",
        "option.quality.meaning": "Of JPEG, WebP and AVIF files.",
        "option.keep_metadata": "Keep camera, time and place",
        "option.keep_metadata.meaning": "EXIF and XMP. The colour profile is always kept.",
        "choice.auto": "Automatic",
        "choice.none.upscaler": "None: resample only",
        "choice.builtin": "Built-in",
        "choice.all": "All",
        "choice.largest": "The largest",
        "choice.none": "None",
        "choice.exact": "Exact",
        "choice.fast": "Fast",
        "choice.same": "Same as the photo",
        "choice.png": "PNG",
        "choice.jpeg": "JPEG",
        "choice.webp": "WebP",
        "choice.tiff": "TIFF",
        "choice.avif": "AVIF",
        # What happens
        "no_photos": "Choose photos first: drop them in, or click the field.",
        "joined": "The photos joined the running batch and take its options.",
        "empty": "Your better photos appear here, each one as soon as it is finished.",
        "summary.working": "{done} of {total} finished",
        "summary.done.one": "Your photo is ready",
        "summary.done": "All {total} photos are ready",
        "summary.partly": "{done} of {total} photos are ready. The table says why not all.",
        "summary.none": "No photo could be finished. The reasons are below.",
        "summary.cancelled": "{done} of {total} photos are ready; the rest was cancelled",
        "results": "Better photos",
        "results.hint": "Choose one to compare it with its original.",
        "cancel": "Cancel",
        "retry": "Retry failed",
        "clear": "Begin afresh",
        "rows.name": "Photo",
        "rows.state": "State",
        "rows.progress": "Progress",
        "rows.notes": "Remarks",
        "state.queued": "Waiting",
        "state.working": "Working",
        "state.done": "Ready",
        "state.failed": "Failed",
        "state.cancelled": "Cancelled",
        "stage.reading": "Reading",
        "stage.waiting": "Waiting for its turn",
        "stage.finding faces": "Looking for faces",
        "stage.restoring faces": "Restoring faces",
        "stage.enlarging": "Enlarging",
        "stage.blending": "Putting it together",
        "stage.writing": "Writing the file",
        "note.size": "{width} × {height}",
        "note.faces.one": "1 face",
        "note.faces": "{count} faces",
        "note.seconds": "{seconds} s",
        "note.faithfulness": "{db} dB faithful",
        # Looking and keeping
        "compare": "Before and after",
        "download.one": "Download this photo",
        "download.all": "Download all (ZIP)",
        "nothing_finished": "No photo is finished yet.",
        # Networks
        "networks.label": "At work",
        "networks.device": "on {device}",
        "networks.no_upscaler": "No enlarging network is installed: photos are only resampled.",
        "networks.no_faces": "No network that restores faces is installed: faces are enlarged like "
        "everything else.",
        "networks.downloading": "Downloading {name}: {done} of {total} MB",
        "networks.waiting.one": "1 more to download",
        "networks.waiting": "{count} more to download",
        "networks.busy.one": "1 photo is being worked on or waits",
        "networks.busy": "{count} photos are being worked on or wait",
        # Failing
        "not_files": "photos must be a list of uploaded files, each an object with a path and "
        'the field "meta": {{"_type": "gradio.FileData"}}.',
        "no_photo": "No photo was given.",
    }
)


def text(key: str, **values: object) -> str:
    """The text of that key with ``values`` filled in; KeyError where there is none."""
    return ENGLISH[key].format(**values)


def counted(key: str, count: int, **values: object) -> str:
    """The text for one thing (``key.one``) or for several."""
    return text(f"{key}.one" if count == 1 else key, count=count, **values)
