"""PhotoEnhance: photos in, better photos out, each one as soon as it is finished."""

__version__ = "0.1.0"
