"""A calm theme of our own and a small stylesheet; nothing is fetched from outside."""

from pathlib import Path

import gradio as gr

from photoenhance_ui.settings import PROJECT_DIR

ASSETS_DIR = PROJECT_DIR / "assets"
STYLESHEET = ASSETS_DIR / "photoenhance.css"
LOGO = ASSETS_DIR / "logo.svg"

_SYSTEM_FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif")
_PINE = gr.themes.Color(
    name="pine",
    c50="#eef7f4", c100="#d5ebe4", c200="#aed8ca", c300="#7fbfab", c400="#4fa189",
    c500="#31866e", c600="#236b58", c700="#1d5547", c800="#18443a", c900="#143830", c950="#0a201b",
)  # fmt: skip


def make_theme() -> gr.themes.Base:
    """Stone and pine, so that the photos are the colour on the page."""
    return gr.themes.Base(
        primary_hue=_PINE,
        secondary_hue=gr.themes.colors.stone,
        neutral_hue=gr.themes.colors.stone,
        radius_size=gr.themes.sizes.radius_lg,
        font=_SYSTEM_FONTS,
        font_mono=("ui-monospace", "Consolas", "monospace"),
    ).set(
        body_background_fill="*neutral_50",
        body_background_fill_dark="*neutral_950",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_300",
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_300",
        block_label_text_color="*neutral_600",
        block_label_text_color_dark="*neutral_300",
        block_background_fill="white",
        block_background_fill_dark="*neutral_900",
        block_border_color="*neutral_200",
        block_border_color_dark="*neutral_800",
        block_shadow="none",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_dark="*primary_600",
        button_primary_background_fill_hover_dark="*primary_500",
        button_primary_text_color="white",
        button_primary_text_color_dark="white",
    )


def logo_svg() -> str:
    """The logo, to be put into the page itself."""
    return Path(LOGO).read_text(encoding="utf-8")


def css_string(text: str) -> str:
    r"""A text as a string of CSS that may stand in a page's ``<style>``.

    Everything that could end the string or the element is escaped by its number.

    >>> print(css_string("Drop 'em </style>"))
    'Drop \27 em \3c \2f style\3e '
    """
    return f"'{''.join(map(_css_character, text))}'"


def _css_character(one: str) -> str:
    return one if one.isalnum() or one in " ,.-" else f"\\{ord(one):x} "
