"""Networks computed on a CPU by OpenVINO, from arrays of weights; nothing here needs torch."""

import sys

# `import openvino` imports its converter of other libraries' models, too, which takes a third of
# the time and sends an event of its use to a host of its makers, from a process of its own. It does
# without where these cannot be imported, and so do we.
for _kept_out in ("openvino.tools.ovc", "openvino_telemetry"):
    sys.modules.setdefault(_kept_out, None)  # type: ignore[arg-type]
