"""Weight files -> arrays by name, read so that a file cannot run code, and without torch."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
from numpy.typing import NDArray
from safetensors import SafetensorError

from photoenhance_ui.errors import WeightsDamaged
from photoenhance_ui.networks.pickles import NotReadable
from photoenhance_ui.networks.pth import open_pth
from photoenhance_ui.networks.stored_tensors import StoredTensor

Arrays = dict[str, NDArray[Any]]
"""A state dict: names as torch has them, numbers as 32-bit floats, counts whole."""

STATE_KEYS = (
    "model_state_dict", "state_dict", "params_ema", "params-ema", "params", "model", "net",
)  # fmt: skip
"""Where files keep the weights; the averaged ones are preferred."""
MAX_FILE_BYTES = 2 << 30  # the largest published upscalers have a tenth of it
SAFETENSORS_TYPES: Mapping[str, Any] = {
    "F64": np.float64, "F32": np.float32, "F16": np.float16, "BF16": np.uint16, "I64": np.int64,
    "I32": np.int32, "I16": np.int16, "I8": np.int8, "U8": np.uint8, "BOOL": np.bool_,
}  # fmt: skip
"""The format's types that weights are kept in; NumPy has no BF16, whose bits are read instead."""


def load_arrays(path: Path) -> Arrays:
    """The weights in a ``.pth`` or ``.safetensors`` file.

    Raises WeightsDamaged where the file cannot be read as such.
    """
    try:
        if not path.is_file() or path.stat().st_size > MAX_FILE_BYTES:
            raise NotReadable("it is no file, or too large for one of a network")
        is_safe = path.suffix.lower() == ".safetensors"
        state = _of_safetensors(path) if is_safe else _of_pth(path)
    except NotReadable as error:
        raise damaged(path, str(error)) from error
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise damaged(path) from error
    return {name.removeprefix("module."): _in_32_bits(value) for name, value in state.items()}


def floats_of(state: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float32]]:
    """Only the numbers, without counts: what a graph is made of."""
    return {name: value for name, value in state.items() if value.dtype == np.float32}


def _of_pth(path: Path) -> Arrays:
    with open_pth(path) as file:
        state = _innermost(file.tree)
        if not _is_state_dict(state):
            raise NotReadable("no names with tensors")
        arrays: Arrays = file.arrays(state)
        return arrays


def _innermost(tree: Any) -> Any:
    """What lies under the keys under which weights are kept, one in another."""
    if isinstance(tree, dict):
        for key in STATE_KEYS:
            if isinstance(tree.get(key), dict):
                return _innermost(tree[key])
    return tree


def _is_state_dict(state: Any) -> bool:
    return isinstance(state, dict) and all(
        isinstance(name, str) and isinstance(value, StoredTensor) for name, value in state.items()
    )


def _of_safetensors(path: Path) -> Arrays:
    # The library checks every size against the file's before anything is made of it.
    return {name: _array_of(told) for name, told in safetensors.deserialize(path.read_bytes())}


def _array_of(told: Mapping[str, Any]) -> NDArray[Any]:
    values = np.frombuffer(told["data"], SAFETENSORS_TYPES[told["dtype"]])
    if told["dtype"] == "BF16":  # the upper half of a 32-bit float
        values = (values.astype(np.uint32) << 16).view(np.float32)
    return values.reshape(told["shape"])


def _in_32_bits(value: NDArray[Any]) -> NDArray[Any]:
    is_float = np.issubdtype(value.dtype, np.floating)
    return value.astype(np.float32, copy=False) if is_float else value


def interpolated(
    first: Mapping[str, NDArray[np.float32]],
    second: Mapping[str, NDArray[np.float32]],
    share: float,
) -> dict[str, NDArray[np.float32]]:
    """Weights between those of two networks of one shape; ``share`` 0..1 is that of the first.

    Deep network interpolation (Wang et al., CVPR 2019), as Real-ESRGAN uses it for
    realesr-general-x4v3: ``denoise * general + (1 - denoise) * wdn``.
    """
    return {key: share * value + (1 - share) * second[key] for key, value in first.items()}


@contextmanager
def weights_errors_told(path: Path) -> Iterator[None]:
    """Build a network inside; WeightsDamaged where the file's weights are not its own."""
    try:
        yield
    except Exception as error:  # a missing name, a wrong shape: as many errors as layers
        raise damaged(path) from error


def damaged(path: Path, why: str = "") -> WeightsDamaged:
    """What is wrong with a file that cannot be used; ``why`` is half a sentence."""
    told = f": {why}" if why else ""
    return WeightsDamaged(
        f"The file {path.name} is damaged or holds another network{told}. Download it again."
    )
