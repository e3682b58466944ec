"""Every text of the page, in one place."""

from collections.abc import Mapping
from types import MappingProxyType

EN: Mapping[str, str] = MappingProxyType(
    {
        "title": "PhotoEnhance",
        "tagline": "Drop in photos that are small, blurred, noisy or old. "
        "Each better one appears as soon as it is finished.",
        "photos": "Your photos",
        "start": "Enhance",
        "cancel": "Cancel",
        "retry": "Retry failed",
        "preset": "What are they?",
        "options": "Options",
        "results": "Better photos",
        "progress": "What happens",
        "compare": "Before and after",
        "compare_hint": "Choose a photo above to compare it with its original.",
        "download_one": "Download this photo",
        "download_all": "Download all (ZIP)",
        "no_photos": "Choose photos first: drop them in, or click the field.",
        "nothing_yet": "Nothing is running. Choose photos and press Enhance.",
        "nothing_to_retry": "There is no photo to retry.",
        "nothing_to_download": "No photo is finished yet.",
        "summary": "{done} of {all} finished",
        "summary_failed": "{failed} failed",
        "summary_cancelled": "{cancelled} cancelled",
        "column_photo": "Photo",
        "column_state": "State",
        "column_progress": "Progress",
        "column_result": "Result",
        "column_reason": "Remarks",
        "at_work": "At work: {networks} on {device}.",
        "only_builtin": "The built-in network is at work on {device}; larger ones are not here.",
        "no_faces": "Faces are enlarged like everything else: no network that restores them is "
        "installed.",
        "downloading": "Downloading {name}: {percent} % of {megabytes} MB.",
        "download_waits": "{count} more to download.",
        "download_failed": "{name} could not be downloaded: {reason}",
        "state_queued": "waiting",
        "state_working": "working",
        "state_done": "done",
        "state_failed": "failed",
        "state_cancelled": "cancelled",
        "stage_reading": "reading",
        "stage_waiting": "waiting for its turn",
        "stage_finding faces": "looking for faces",
        "stage_restoring faces": "restoring faces",
        "stage_enlarging": "enlarging",
        "stage_blending": "putting it together",
        "stage_writing": "writing the file",
        "preset_everyday": "Everyday photos",
        "preset_portrait": "Portraits",
        "preset_old photo": "Old photos",
        "preset_illustration": "Illustrations or screenshots",
        "preset_fast": "Anything, fast",
        "option_scale": "Scale",
        "option_upscaler": "Upscaler",
        "option_faces": "Faces",
        "option_face_strength": "Face strength",
        "option_denoise": "Denoise",
        "option_precision": "Precision",
        "option_output_format": "Format",
        "option_quality": "Quality",
        "option_keep_metadata": "Keep metadata and place",
        "one_face": "1 face",
        "some_faces": "{count} faces",
        "faithful": "{db} dB faithful",
    }
)


def text(key: str, **values: object) -> str:
    """The text for ``key`` with its values filled in."""
    return EN[key].format(**values)
