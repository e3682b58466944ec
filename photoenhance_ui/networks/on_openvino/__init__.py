"""Networks computed on a CPU by OpenVINO, from arrays of weights; nothing here needs torch."""

import sys

# `import openvino` would send an event of its use to a host of its makers, from a process of its
# own: its package of telemetry, which it does without where that cannot be imported, is kept out.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
