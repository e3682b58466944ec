"""torch's files without torch: what torch reads is read alike, and no file does harm.

Files that mean harm are written here opcode by opcode, so that these tests need no torch either.
"""

import os
import pickle
import struct
import tarfile
import time
import tracemalloc
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from photoenhance_ui.networks.pickles import NotReadable
from photoenhance_ui.networks.pth import open_pth, read_pth
from photoenhance_ui.networks.stored_tensors import StoredTensor
from testing.pth_files import (
    CALL,
    FOUR,
    ORDERED_DICT,
    STOP,
    many,
    mapping,
    name,
    number,
    numbers,
    storage,
    tensor,
    text,
    written_archive,
    written_legacy,
)

WEIGHTS = Path(__file__).parents[3] / "shared" / "data" / "weights"
REAL_FILES = sorted(WEIGHTS.glob("*.pth"))
DTYPES = (
    *("float16", "bfloat16", "float32", "float64"),
    *("int8", "int16", "int32", "int64", "uint8", "bool"),
)
FORMS = ("zip", "before torch 1.6")
Written = Callable[..., Path]
WRITERS: dict[str, Written] = {"zip": written_archive, "before torch 1.6": written_legacy}
in_both_forms = pytest.mark.parametrize("written", WRITERS.values(), ids=FORMS)


def refused(path: Path, seconds: float = 20, megabytes: float = 100) -> str:
    """Why a file is not read; it takes neither long nor much memory to find out."""
    tracemalloc.start()
    started = time.process_time()
    try:
        with pytest.raises(NotReadable) as caught:
            read_pth(path)
        assert time.process_time() - started < seconds
        assert tracemalloc.get_traced_memory()[1] < megabytes * 1e6
    finally:
        tracemalloc.stop()
    assert len(str(caught.value)) < 200
    return str(caught.value)


# What torch reads is read alike.


def as_torch_tells(loaded: Any) -> Any:
    """What ``torch.load`` gives, with arrays for tensors as ``read_pth`` gives them."""
    torch = pytest.importorskip("torch")
    match loaded:
        case dict():
            return {key: as_torch_tells(value) for key, value in loaded.items()}
        case list():
            return [as_torch_tells(value) for value in loaded]
        case tuple():
            return tuple(as_torch_tells(value) for value in loaded)
        case torch.Tensor():
            whole = loaded.detach()
            return (whole.float() if whole.dtype is torch.bfloat16 else whole).numpy()
    return loaded


def assert_alike(ours: Any, theirs: Any) -> None:
    assert type(ours) is type(theirs)
    match ours:
        case dict():
            assert [*ours] == [*theirs]
            for key, value in ours.items():
                assert_alike(value, theirs[key])
        case list() | tuple():
            for value, other in zip(ours, theirs, strict=True):
                assert_alike(value, other)
        case np.ndarray():
            assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape)
            assert ours.tobytes() == theirs.tobytes()
            assert ours.flags.owndata
            assert ours.flags.writeable
            assert ours.flags.c_contiguous
        case _:
            assert ours == theirs


def assert_read_as_torch_reads(path: Path) -> None:
    torch = pytest.importorskip("torch")
    loaded = torch.load(path, map_location="cpu", weights_only=True)
    assert_alike(read_pth(path), as_torch_tells(loaded))


@pytest.mark.skipif(not REAL_FILES, reason="needs the shared real weights")
@pytest.mark.parametrize("path", REAL_FILES, ids=lambda path: path.name)
def test_real_files_are_read_as_torch_reads_them(path: Path) -> None:
    assert_read_as_torch_reads(path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("files")


@st.composite
def any_tensor(draw: st.DrawFn) -> Any:
    """Of any type, whole or seen from a side, in part or in steps."""
    torch = pytest.importorskip("torch")
    sides = draw(st.lists(st.integers(0, 4), max_size=4))
    drawn = torch.randint(-100, 100, sides, generator=torch.Generator().manual_seed(1)) / 3
    made = drawn.to(getattr(torch, draw(st.sampled_from(DTYPES))))
    if sides:
        side = draw(st.integers(0, len(sides) - 1))
        made = made.movedim(0, side) if draw(st.booleans()) else made
        parts = st.tuples(st.integers(0, 2), st.integers(0, 4), st.integers(1, 3))
        start, end, step = draw(parts)
        made = made[(slice(None),) * side + (slice(start, max(start, end), step),)]
    if made.is_floating_point() and draw(st.booleans()):
        return torch.nn.Parameter(made, requires_grad=draw(st.booleans()))
    return made


def any_tree() -> st.SearchStrategy[Any]:
    keys = st.text(max_size=5) | st.integers(-(2**63), 2**63 - 1)
    plain = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text() | st.floats()
    return st.recursive(
        any_tensor() | plain.filter(lambda value: value == value),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(keys, inner, max_size=4)
            | st.tuples(inner, inner)
        ),
        max_leaves=8,
    )


def saved(what: Any, path: Path, form: str = "zip") -> Path:
    torch = pytest.importorskip("torch")
    torch.save(what, path, _use_new_zipfile_serialization=form == "zip")
    return path


@examples(deadline=None, max_examples=150)
@given(any_tree(), st.sampled_from(FORMS))
def test_whatever_torch_saves_is_read_as_torch_reads_it(folder: Path, tree: Any, form: str) -> None:
    assert_read_as_torch_reads(saved(tree, folder / "any.pth", form))


@pytest.mark.parametrize("form", FORMS)
def test_networks_with_shared_weights_and_checkpoints_with_optimizers_are_read(
    form: str, tmp_path: Path
) -> None:
    torch = pytest.importorskip("torch")
    network = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.BatchNorm1d(4))
    network.append(network[0])
    optimizer = torch.optim.Adam(network.parameters())
    network(torch.ones(2, 4)).sum().backward()
    optimizer.step()
    state = network.state_dict()
    whole = torch.arange(12.0).reshape(3, 4)
    parts = [whole, whole.T, whole[1:], whole[:, 1], *whole.chunk(2, 1)]
    path = saved(
        {"a": state, "b": state, "optimizer": optimizer.state_dict(), "parts": parts[:4]},
        tmp_path / "checkpoint.pth",
        form,
    )
    assert_read_as_torch_reads(path)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_every_pickle_protocol_that_torch_can_be_told_is_read(
    protocol: int, tmp_path: Path
) -> None:
    torch = pytest.importorskip("torch")
    path = tmp_path / "network.pth"
    torch.save(OrderedDict(a=torch.ones(2), b=torch.Size([3])), path, pickle_protocol=protocol)
    read = read_pth(path)
    assert read["a"].tolist() == [1, 1]
    assert read["b"] == (3,)


def test_a_file_without_checksums_is_read(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    torch.serialization.set_crc32_options(False)
    try:
        path = saved({"a": torch.ones(2)}, tmp_path / "network.pth")
    finally:
        torch.serialization.set_crc32_options(True)
    assert read_pth(path)["a"].tolist() == [1, 1]


@pytest.mark.parametrize("form", FORMS)
def test_what_torch_saves_and_no_weights_need_is_refused(form: str, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    for index, what in enumerate(
        [{1, 2}, 3j, b"bytes", torch.ones(1, dtype=torch.complex64), torch.zeros(1).expand(9)]
    ):
        with pytest.raises(NotReadable):
            read_pth(saved(what, tmp_path / f"{index}.pth", form))


# What is read, and when.


@in_both_forms
def test_a_tensor_is_read_by_its_offset_shape_and_strides(written: Written, tmp_path: Path) -> None:
    path = written(tmp_path / "any.pth", tensor(numbers(2), numbers(2), number(1)))
    assert read_pth(path).tolist() == [1, 3]


def test_only_the_part_that_is_chosen_is_read(tmp_path: Path) -> None:
    """The numbers of the other part have been damaged."""
    other = storage(text("1"))
    value = mapping(text("params"), tensor(of=other), text("params_ema"), tensor())
    path = written_archive(tmp_path / "a.pth", value, {"1": b"\7" * 16, "0": FOUR})
    path.write_bytes(path.read_bytes().replace(b"\7" * 16, b"\6" * 16))
    assert read_pth(path, lambda tree: tree["params_ema"]).tolist() == [0, 1, 2, 3]
    with pytest.raises(NotReadable):
        read_pth(path, lambda tree: tree["params"])


@in_both_forms
def test_the_tree_tells_types_and_shapes_before_anything_is_read(
    written: Written, tmp_path: Path
) -> None:
    path = written(tmp_path / "any.pth", mapping(text("a"), tensor(numbers(2, 2), numbers(2, 1))))
    with open_pth(path) as pth:
        found = pth.tree["a"]
        assert isinstance(found, StoredTensor)
        assert (found.dtype, found.shape, found.strides, found.offset) == (
            *("float32", (2, 2), (2, 1)),
            0,
        )
        assert pth.arrays(pth.tree)["a"].tolist() == [[0, 1], [2, 3]]


@in_both_forms
def test_what_occurs_twice_is_one_array(written: Written, tmp_path: Path) -> None:
    path = written(tmp_path / "any.pth", b"](" + tensor() + b"q\x00h\x00e")
    first, second = read_pth(path)
    assert first is second


def test_a_file_that_is_replaced_while_it_is_open_is_read_to_its_end(tmp_path: Path) -> None:
    path = written_archive(tmp_path / "any.pth", tensor())
    with open_pth(path) as pth:
        written_archive(tmp_path / "new.pth", number(1)).replace(path)
        assert pth.arrays(pth.tree).tolist() == [0, 1, 2, 3]


def test_a_truth_is_any_byte_but_zero(tmp_path: Path) -> None:
    value = tensor(of=storage(kind="BoolStorage"))
    path = written_archive(tmp_path / "any.pth", value, {"0": bytes([0, 1, 2, 255])})
    assert read_pth(path).tolist() == [False, True, True, True]


def test_bfloat16_is_the_upper_half_of_32_bits(tmp_path: Path) -> None:
    values = np.array([1.5, -2.0, np.inf, 2.0**-130], np.float32)
    content = (values.view(np.uint32) >> 16).astype("<u2").tobytes()
    path = written_archive(
        tmp_path / "any.pth", tensor(of=storage(kind="BFloat16Storage")), {"0": content}
    )
    read = read_pth(path)
    assert read.dtype == np.float32
    assert read.tolist() == values.tolist()


# Harm.


class Harm:
    """Makes a folder when it is unpickled as pickle would do it."""

    def __init__(self, mark: Path) -> None:
        self._mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.mkdir, (self._mark,)


def harmful(mark: Path) -> Iterator[bytes]:
    """Pickles that would run a command, in every way that pickle knows to call something."""
    command = text(f"mkdir {mark}")
    line = f"mkdir {mark}".encode()
    yield name("os", "system") + many(command) + CALL
    yield name("posix", "system") + many(command) + CALL
    yield name("builtins", "eval") + many(text(f"__import__('os').mkdir('{mark}')")) + CALL
    yield text("os") + text("system") + b"\x93" + many(command) + CALL
    yield b"(S'" + line + b"'\nios\nsystem\n"  # INST
    yield b"(" + name("os", "system") + command + b"o"  # OBJ
    yield name("subprocess", "Popen") + many(command) + b"\x81"  # NEWOBJ
    yield name("subprocess", "Popen") + many(command) + b"}\x92"  # NEWOBJ_EX
    yield b"\x82\x01" + many(command) + CALL  # EXT1
    yield text("os.system") + many(command) + CALL
    yield name("collections", "OrderedDict") + many(b"]" + many(command)) + CALL
    yield name("torch", "FloatStorage") + many(command) + CALL
    yield name("torch._utils", "_rebuild_tensor_v2") + name("os", "system") + b"b"
    yield ORDERED_DICT + mapping(text("__setstate__"), name("os", "system")) + b"b"
    yield ORDERED_DICT + many(b"N", mapping(text("keys"), command)) + b"b"  # a state of slots
    yield name("torch._utils", "_rebuild_tensor_v2") + mapping(text("build"), command) + b"b"
    yield name("torch.storage", "_load_from_bytes") + many(command) + CALL
    yield name("torch._utils", "_rebuild_tensor_v2.build.__globals__") + many() + CALL
    yield pickle.dumps(Harm(mark), 0)[:-1]
    yield pickle.dumps(Harm(mark), 4)[:-1]


HARMFUL = len([*harmful(Path("any"))])


@in_both_forms
@pytest.mark.parametrize("which", range(HARMFUL))
def test_nothing_that_a_file_names_is_run(which: int, written: Written, tmp_path: Path) -> None:
    mark = tmp_path / "harmed"
    refused(written(tmp_path / "any.pth", [*harmful(mark)][which]))
    assert not mark.exists()


@pytest.mark.parametrize("which", [0, 2, 3, 4, 5, HARMFUL - 2, HARMFUL - 1])
def test_the_same_pickle_does_its_harm_to_somebody_who_is_less_careful(
    which: int, tmp_path: Path
) -> None:
    mark = tmp_path / "harmed"
    pickle.loads([*harmful(mark)][which] + STOP)
    assert mark.exists()


def memo(index: int) -> bytes:
    return b"r" + struct.pack("<I", index)


def recalled(index: int) -> bytes:
    return b"j" + struct.pack("<I", index)


def doubled(times: int, start: bytes, before: bytes, after: bytes) -> bytes:
    """Two of the same, in two of the same, and so on: 2**times parts."""
    pairs = (before + recalled(i) * 2 + after + memo(i + 1) for i in range(times))
    return start + memo(0) + b"".join(pairs)


TUPLES, LISTS = (b")", b"", b"\x86"), (b"]", b"](", b"e")

BOMBS: dict[str, bytes] = {
    "far memo": b"N" + memo(2**32 - 1),
    "memo of nothing": memo(0),
    "far recall": recalled(2**32 - 1),
    "doubled tuples": doubled(45, *TUPLES),
    "doubled lists": doubled(45, *LISTS),
    "doubled until it is too deep": doubled(5000, *TUPLES),
    "shared text": text("x" * 1000000) + memo(0) + b"](" + recalled(0) * 1000 + b"e",
    "deep lists": b"]" * 100_000 + b"a" * 99_999,
    "deep tuples": b")" + b"\x85" * 100_000,
    "deep mappings": b"}" + (text("a") + b"}") * 60 + b"s" * 60,
    "list in itself": b"]" + memo(0) + recalled(0) + b"a",
    "mapping in itself": b"}" + memo(0) + text("a") + recalled(0) + b"s",
    "wide list in itself": b"]" + memo(0) + b"(" + b"N" * 100_000 + recalled(0) + b"e",
    "tuple as key": mapping(b")", b"N"),
    "nested tuples as key": mapping(doubled(60, *TUPLES), b"N"),
    "fraction as key": mapping(b"G" + struct.pack(">d", 0.5), b"N"),
    "nothing as key": mapping(b"N", b"N"),
    "endless key": mapping(text("x" * 5000), b"N"),
    "many numbers as keys": mapping(*(number(i << 40) + b"N" for i in range(10_000))),
    "huge number": b"\x8a\xff" + b"\x7f" * 255,
    "huge long": b"\x8b" + struct.pack("<i", 10**6) + b"\x7f" * 10**6,
    "number of 72 bits": number(2**70),
    "negative long": b"\x8b" + struct.pack("<i", -1),
    "decimal": b"I" + b"9" * 100_000 + b"\n",
    "text that is longer than the file": b"X\xff\xff\xff\xff",
    "bytes of exabytes": b"\x8e" + struct.pack("<Q", 2**62),
    "no text": b"X\x01\0\0\0\xff",
    "lone surrogate": b"X\x03\0\0\0\xed\xa0\x80",
    "too many opcodes": b"N0" * 600_000,
    "many marks": b"(" * 1_100_000,
    "key without value": b"}(Nu",
    "list that is a mapping": b"}(Ne",
    "mapping that is a list": b"](NNu",
    "tuple without mark": b"t",
    "items of nothing": b"(NNu",
    "nothing": b"",
    "name without end": b"cos",
    "name that is a number": b"K\x01K\x02\x93",
    "later protocol": b"\x80\x06N",
    "a class": name("torch", "FloatStorage"),
    "a function": name("torch._utils", "_rebuild_tensor_v2"),
    "a storage": storage(),
    "arguments that are a list": name("collections", "OrderedDict") + b"]" + CALL,
    "call of a tensor": tensor() + b")" + CALL,
    "parameter of no tensor": name("torch._utils", "_rebuild_parameter")
    + many(b"N", b"\x88", ORDERED_DICT)
    + CALL,
    "size of a number": name("torch", "Size") + many(number(1)) + CALL,
    "persistent nothing": b"NQ",
    "persistent module": storage(mark="module"),
    "storage that is a view": tensor(of=storage(view=many(text("1"), number(0), number(4)))),
    "storage with a number as key": tensor(of=storage(number(0))),
    "storage with a long key": tensor(of=storage(text("0" * 100))),
    "storage of negative length": tensor(of=storage(length=number(-1))),
    "storage of endless length": tensor(of=storage(length=number(2**62)), shape=numbers(2**62)),
    "storage of any length": tensor(of=storage(length=text("4"))),
    "storage of terabytes": tensor(of=storage(length=number(2**40)), shape=numbers(2**40)),
    "storage of two types": many(tensor(), tensor(of=storage(kind="IntStorage"))),
    "storage of two lengths": many(tensor(), tensor(of=storage(length=number(3)))),
    "storage that lacks": tensor(of=storage(text("7"))),
    "storage elsewhere": tensor(of=storage(text("../../../etc/passwd"))),
    "complex numbers": tensor(of=storage(kind="ComplexFloatStorage")),
    "more numbers than there are": tensor(numbers(5)),
    "expanded": tensor(numbers(2**40), numbers(0)),
    "expanded a little": tensor(numbers(5), numbers(0)),
    "beyond by strides": tensor(numbers(2, 2), numbers(3, 1)),
    "beyond by offset": tensor(offset=number(1)),
    "far offset": tensor(offset=number(2**62)),
    "offset of 72 bits": tensor(offset=number(2**66)),
    "negative offset": tensor(offset=number(-1)),
    "negative side": tensor(numbers(-4)),
    "two negative sides": tensor(numbers(-2, -2), numbers(2, 1)),
    "negative stride": tensor(numbers(2), numbers(-1), number(3)),
    "overflowing sides": tensor(numbers(2**32, 2**32), numbers(0, 0)),
    "overflowing strides": tensor(numbers(3), numbers(2**63)),
    "empty with long sides": tensor(numbers(0, 2**62, 2**62), numbers(1, 1, 1)),
    "other strides than sides": tensor(numbers(2, 2), numbers(1)),
    "33 sides": tensor(numbers(*[1] * 33), numbers(*[1] * 33)),
    "shape that is a list": tensor(b"]" + number(4) + b"a"),
    "shape of truths": tensor(many(b"\x88")),
    "shape of texts": tensor(many(text("4"))),
    "hooks that are text": name("torch._utils", "_rebuild_tensor_v2")
    + many(storage(), number(0), numbers(4), numbers(1), b"\x89", text("a"))
    + CALL,
    "negated": tensor(more=mapping(text("neg"), b"\x88")),
    "storage that is a number": name("torch._utils", "_rebuild_tensor_v2")
    + many(number(0), number(0), numbers(4), numbers(1), b"\x89", ORDERED_DICT)
    + CALL,
}


@in_both_forms
@pytest.mark.parametrize("bomb", BOMBS)
def test_claims_that_are_absurd_are_refused_at_once(
    bomb: str, written: Written, tmp_path: Path
) -> None:
    refused(written(tmp_path / "any.pth", BOMBS[bomb]))


@in_both_forms
def test_tensors_that_share_numbers_thousands_of_times_are_refused(
    written: Written, tmp_path: Path
) -> None:
    """Each is within its storage; together they are gigabytes in a file of two megabytes."""
    length = 1 << 19
    of = storage(length=number(length))
    views = tensor(numbers(length), numbers(1), of=of) * 1000
    spread = tensor(numbers(2), numbers(length - 1), of=of) * 1000
    for value in (b"](" + views + b"e", b"](" + spread + b"e"):
        path = written(tmp_path / "any.pth", value, {"0": bytes(4 * length)})
        assert "share" in refused(path, megabytes=40)


@in_both_forms
def test_sides_of_one_may_have_any_stride(written: Written, tmp_path: Path) -> None:
    """torch does not look at such strides either."""
    value = tensor(numbers(1, 2, 2), numbers(2**63 - 1, 1, 2))
    assert read_pth(written(tmp_path / "any.pth", value)).tolist() == [[[0, 2], [1, 3]]]


@in_both_forms
def test_an_empty_tensor_may_have_any_stride(written: Written, tmp_path: Path) -> None:
    value = tensor(numbers(3, 0, 2), numbers(2**62, 5, 2**62), number(4))
    assert read_pth(written(tmp_path / "any.pth", value)).shape == (3, 0, 2)


# Archives.


def with_member(path: Path, name: str, content: bytes, **options: Any) -> Path:
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(name, content, **options)
    return path


def test_an_archive_that_is_compressed_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "any.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("network/data.pkl", b"N" * (1 << 24) + STOP)
    assert "compressed" in refused(path, megabytes=5)


def test_a_pickle_of_many_megabytes_is_refused(tmp_path: Path) -> None:
    assert "large" in refused(written_archive(tmp_path / "a.pth", b"N" * (17 << 20)), megabytes=5)
    refused(written_legacy(tmp_path / "b.pth", text("x" * (17 << 20)), {}), megabytes=40)


def test_an_archive_of_very_many_members_is_refused(tmp_path: Path) -> None:
    path = written_archive(tmp_path / "any.pth", tensor())
    with zipfile.ZipFile(path, "a") as archive:
        for index in range(3000):
            archive.writestr(f"network/{index}".ljust(1500, "x"), b"")
    assert "too many" in refused(path, megabytes=5)


def test_an_archive_of_some_thousand_members_is_read(tmp_path: Path) -> None:
    more = {f"{index}": b"" for index in range(1, 3000)}
    path = written_archive(tmp_path / "any.pth", tensor(), {"0": FOUR} | more)
    assert read_pth(path).tolist() == [0, 1, 2, 3]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_an_archive_with_the_same_name_twice_is_refused(tmp_path: Path) -> None:
    path = written_archive(tmp_path / "any.pth", tensor())
    refused(with_member(path, "network/data.pkl", b"N" + STOP))


def test_an_archive_with_two_pickles_or_none_is_refused(tmp_path: Path) -> None:
    two = written_archive(tmp_path / "two.pth", tensor())
    assert "torch" in refused(with_member(two, "other/data.pkl", b"N" + STOP))
    none = tmp_path / "none.pth"
    with zipfile.ZipFile(none, "w") as archive:
        archive.writestr("photo.txt", b"none")
    assert "torch" in refused(none)


def test_an_empty_archive_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "any.pth", "w"):
        pass
    refused(tmp_path / "any.pth")


def changed_directory(path: Path, name: bytes, at: int, value: bytes) -> Path:
    """Change a field of the archive's entry with this name."""
    content = bytearray(path.read_bytes())
    entry = content.rindex(name) - 46
    content[entry + at : entry + at + len(value)] = value
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("at", "value"),
    [
        # of the entry in the archive's directory
        (8, b"\1\0"),
        (10, b"\10\0"),
        (16, b"\1\2\3\4"),
        (20, b"\1\0\0\0"),
        (20, b"\xff\xff\xff\xff" * 2),
        (20, b"\4\0\0\0" * 2),
        (28, b"\xff\xff"),
        (42, b"\xff\xff\xff\xff"),
        (42, b"\1\0\0\0"),
        (42, b"\0\0\0\0"),
    ],
    ids=[
        *("encrypted", "compressed", "other checksum", "two sizes", "4 GiB", "smaller"),
        *("endless name", "far away", "no header there", "over another member"),
    ],
)
def test_a_directory_that_lies_of_the_numbers_is_refused(
    at: int, value: bytes, tmp_path: Path
) -> None:
    path = written_archive(tmp_path / "any.pth", tensor())
    refused(changed_directory(path, b"network/data/0", at, value))


def test_members_that_lie_over_each_other_are_bounded_by_the_size_of_the_file(
    tmp_path: Path,
) -> None:
    """A thousand entries of the directory tell of the same megabyte."""
    length, count = 1 << 18, 1000
    tensors = b"".join(
        tensor(numbers(length), numbers(1), of=storage(text(str(i)), number(length)))
        for i in range(count)
    )
    parts = {str(index): b"" for index in range(1, count)}
    content = {"0": bytes(4 * length)} | parts
    path = written_archive(tmp_path / "any.pth", b"](" + tensors + b"e", content)
    changed = bytearray(path.read_bytes())
    entry = changed.rindex(b"network/data/0PK") - 46
    fields = [(16, 28), (42, 46)]
    position = entry
    while changed[position : position + 4] == b"PK\1\2":
        for start, end in fields:
            changed[position + start : position + end] = changed[entry + start : entry + end]
        position += 46 + sum(struct.unpack_from("<3H", changed, position + 28))
    path.write_bytes(changed)
    assert "share" in refused(path, megabytes=40)


@pytest.mark.parametrize("little", [True, False])
def test_numbers_of_big_endian_machines_are_refused(little: bool, tmp_path: Path) -> None:
    order = b"little" if little else b"big"
    paths = (
        written_archive(tmp_path / "a.pth", tensor(), order=order),
        written_legacy(tmp_path / "b.pth", tensor(), little=little),
    )
    for path in paths:
        if little:
            assert read_pth(path).tolist() == [0, 1, 2, 3]
        else:
            assert "endian" in refused(path)


# Files before torch 1.6.


def test_storages_that_are_not_what_the_pickle_refers_to_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "any.pth"
    for storages in ({}, {"1": FOUR}, {"0": FOUR, "1": FOUR}, {"0": FOUR[:8]}, {"0": FOUR * 2}):
        refused(written_legacy(path, tensor(), storages))


@pytest.mark.parametrize(
    "heads",
    [
        (7, 1001, {"little_endian": True}),
        (True, 1001, {"little_endian": True}),
        (0x1950A86A20F9469CFC6C, 1002, {"little_endian": True}),
        (0x1950A86A20F9469CFC6C, 1001, ["little_endian"]),
        (0x1950A86A20F9469CFC6C, 1001, {}),
        (0x1950A86A20F9469CFC6C, 1001),
    ],
)
def test_a_head_that_is_not_torchs_is_refused(heads: tuple[Any, ...], tmp_path: Path) -> None:
    path = tmp_path / "any.pth"
    path.write_bytes(b"".join(pickle.dumps(head, 2) for head in (*heads, 1, [])))
    refused(path)


@pytest.mark.parametrize("keys", [None, 5, "0", [0], [["0"]], ["0", "0"], {"0": "0"}])
def test_keys_that_are_no_list_of_texts_are_refused(keys: Any, tmp_path: Path) -> None:
    path = written_legacy(tmp_path / "any.pth", tensor())
    listed = pickle.dumps(["0"], 2)
    path.write_bytes(path.read_bytes().replace(listed, pickle.dumps(keys, 2)))
    refused(path)


# Damage.


def small_tree() -> bytes:
    """Weights of several types under the names that networks have."""
    kinds = {"0": ("FloatStorage", 4), "1": ("LongStorage", 2), "2": ("IntStorage", 4)}
    return mapping(
        text("params"),
        ORDERED_DICT
        + b"("
        + b"".join(
            text(f"{key}.weight")
            + tensor(numbers(length), numbers(1), of=storage(text(key), number(length), kind))
            for key, (kind, length) in kinds.items()
        )
        + b"u"
        + mapping(text("_metadata"), ORDERED_DICT)
        + b"b",
    )


@pytest.fixture(scope="module", params=FORMS)
def whole(request: pytest.FixtureRequest, folder: Path) -> Path:
    storages = {"0": FOUR, "1": FOUR, "2": FOUR}
    path = folder / f"whole {request.param}.pth"
    if request.param == "zip":
        return written_archive(path, small_tree(), storages)
    written_legacy(path, small_tree(), storages)
    longs = path.read_bytes().replace(  # 16 bytes are two of these
        struct.pack("<q", 4) + FOUR + struct.pack("<q", 4),
        struct.pack("<q", 4) + FOUR + struct.pack("<q", 2),
        1,
    )
    path.write_bytes(longs)
    return path


def test_a_whole_file_is_read(whole: Path) -> None:
    read = read_pth(whole)["params"]
    assert read["0.weight"].tolist() == [0, 1, 2, 3]
    assert [array.dtype for array in read.values()] == [np.float32, np.int64, np.int32]


def test_a_file_that_is_cut_anywhere_is_refused(whole: Path) -> None:
    content, cut = whole.read_bytes(), whole.with_name("cut.pth")
    for length in range(len(content)):
        cut.write_bytes(content[:length])
        with pytest.raises(NotReadable):
            read_pth(cut)


def arrays_in(value: Any) -> list[Any]:
    match value:
        case dict():
            return [array for inside in value.values() for array in arrays_in(inside)]
        case list() | tuple():
            return [array for inside in value for array in arrays_in(inside)]
    return [value] if isinstance(value, np.ndarray) else []


def read_or_refused(path: Path) -> None:
    """Nothing else comes of it, whatever it is, and arrays are not larger than it by far."""
    try:
        read = read_pth(path)
    except NotReadable:
        return
    assert sum(array.nbytes for array in arrays_in(read)) <= 8 * path.stat().st_size


def test_a_byte_that_is_changed_anywhere_is_read_or_refused(whole: Path) -> None:
    content, flipped = whole.read_bytes(), whole.with_name("flipped.pth")
    for position, byte in enumerate(content):
        for other in (byte ^ 1, byte ^ 0x80):
            flipped.write_bytes(
                content[:position] + bytes([other]) + content[position + 1 :],
            )
            read_or_refused(flipped)


@examples(deadline=None, max_examples=300)
@given(st.data())
def test_changes_at_several_places_are_read_or_refused(whole: Path, data: st.DataObject) -> None:
    content = bytearray(whole.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = whole.with_name("changed.pth")
    path.write_bytes(content)
    read_or_refused(path)


OPCODES = [
    *(b"(", b"N", b"\x88", b"K\x01", b"K\0", b"}", b"]", b")", b"t", b"\x85", b"\x86", b"\x87"),
    *(b"a", b"e", b"s", b"u", b"q\0", b"h\0", b"\x94", CALL, b"b", b"Q", b"\x93", ORDERED_DICT),
    *(text("storage"), text("0"), storage(), tensor(), numbers(4), number(4), text("torch")),
    *(name("torch", "FloatStorage"), name("torch._utils", "_rebuild_tensor_v2")),
    *(name("torch._utils", "_rebuild_parameter"), name("torch", "Size"), b"G" + bytes(8)),
]


@examples(deadline=None, max_examples=500)
@given(st.lists(st.sampled_from(OPCODES), max_size=30), st.sampled_from(FORMS))
def test_any_row_of_opcodes_is_read_or_refused(
    folder: Path, opcodes: list[bytes], form: str
) -> None:
    read_or_refused(WRITERS[form](folder / "opcodes.pth", b"".join(opcodes)))


@examples(deadline=None)
@given(st.binary(max_size=100), st.sampled_from([b"", b"PK\3\4", pickle.dumps(2**77 + 1, 2)]))
def test_garbage_is_refused(folder: Path, garbage: bytes, start: bytes) -> None:
    path = folder / "garbage.pth"
    path.write_bytes(start + garbage)
    refused(path)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.pth").touch()
    (tmp_path / "folder.pth").mkdir()
    with tarfile.open(tmp_path / "archive.pth", "w"):
        pass
    os.mkfifo(tmp_path / "pipe.pth")
    for path in tmp_path.iterdir():
        refused(path)


def test_a_file_that_cannot_be_opened_is_told_as_the_system_tells_it(tmp_path: Path) -> None:
    (tmp_path / "circle.pth").symlink_to(tmp_path / "circle.pth")
    for path in (tmp_path / "missing.pth", tmp_path / "circle.pth"):
        with pytest.raises(OSError):
            read_pth(path)


def test_a_file_that_becomes_shorter_while_it_is_open_is_refused(tmp_path: Path) -> None:
    length = 1 << 16
    value = tensor(numbers(length), of=storage(length=number(length)))
    path = written_archive(tmp_path / "any.pth", value, {"0": bytes(4 * length)})
    with open_pth(path) as pth:
        os.truncate(path, 1 << 17)
        with pytest.raises(NotReadable):
            pth.arrays(pth.tree)
