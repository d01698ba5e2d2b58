"""Loading a trace: what arrives, and what is said when it does not."""

import gzip
import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import cast

import pytest

from tests.support.small_traces import OVERLAPPING, SOUND, in_pieces, json_trace, slice_of
from tp_tools.engine import (
    Stat,
    get_ready,
    load,
    load_stats,
    loader,
    losses,
    rows,
    wasm,
    wasm_imports,
)
from tp_tools.engine.loader import PEEK_BYTES, pointer_bits
from tp_tools.engine.processor import Processor
from tp_tools.engine.wasm import EmbeddedBackend
from tp_tools.errors import (
    EngineOutOfMemory,
    EngineUnavailable,
    InputError,
    SqlError,
    TraceLossError,
)
from tp_tools.progress import SILENT


def test_slices_arrive_exactly(engine_name: str) -> None:
    """A sound trace comes back with its names and its times in ns."""
    with load([SOUND], source="sound", engine=engine_name) as tp:
        assert rows(tp, "SELECT name, ts, dur, depth FROM slice ORDER BY ts") == [
            ("outer", 10_000, 100_000, 0),
            ("inner", 20_000, 30_000, 1),
        ]


def test_chunk_borders_do_not_matter(engine_name: str) -> None:
    """A trace in single bytes loads like one in one piece."""
    with load(in_pieces(SOUND, 1), source="bytes", engine=engine_name) as tp:
        assert rows(tp, "SELECT COUNT(*) FROM slice") == [(2,)]


def test_chunk_longer_than_a_request(engine_name: str) -> None:
    """A chunk of several MiB arrives whole."""
    events = [slice_of("x" * 1000, 2 * i, 1) for i in range(3000)]
    with load([json_trace(*events)], source="long", engine=engine_name) as tp:
        assert rows(tp, "SELECT COUNT(*), SUM(LENGTH(name)) FROM slice") == [(3000, 3_000_000)]


def test_gzip_is_read_as_it_is(engine_name: str) -> None:
    """Compressed bytes can be handed over unopened."""
    with load([gzip.compress(SOUND)], source="gz", engine=engine_name) as tp:
        assert rows(tp, "SELECT COUNT(*) FROM slice") == [(2,)]


def test_a_trace_without_events_is_no_error(engine_name: str) -> None:
    """An empty list of events loads, with no slices."""
    with load([b'{"traceEvents":[]}'], source="empty", engine=engine_name) as tp:
        assert rows(tp, "SELECT COUNT(*) FROM slice") == [(0,)]


def test_overlap_is_a_loss(engine_name: str) -> None:
    """A slice that TraceProcessor drops or misplaces stops the load, and is named and counted."""
    with pytest.raises(
        TraceLossError, match=r"rank0\.json: .* 1 x slice_\w+_overlapping_"
    ) as error:
        load([OVERLAPPING], source="rank0.json", engine=engine_name)
    assert error.value.exit_code == 4


def test_overlap_can_be_allowed(engine_name: str) -> None:
    """With `allow_loss` the processor is given, and `losses` says what was lost."""
    with load([OVERLAPPING], source="raw", engine=engine_name, allow_loss=True) as tp:
        (name,) = losses(tp)
        assert "overlapping_complete_event" in name
        assert losses(tp) == {name: 1}


def test_sound_trace_has_no_losses(engine_name: str) -> None:
    """`losses` is empty where nothing was lost."""
    with load([SOUND], source="sound", engine=engine_name) as tp:
        assert losses(tp) == {}


def test_info_stats_are_no_loss(engine_name: str) -> None:
    """An arrow that ends nowhere is told by `load_stats` and is no loss."""
    arrow = {"ph": "f", "bp": "e", "name": "a", "cat": "ac2g", "id": 7, "pid": 1, "tid": 1, "ts": 1}
    with load([json_trace(slice_of("k", 0, 9), arrow)], source="x", engine=engine_name) as tp:
        stat = load_stats(tp)["flow_end_without_start"]
        assert stat == Stat("flow_end_without_start", "info", 1)
        assert losses(tp) == {}


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(SOUND[:-2], id="closing brackets missing"),
        pytest.param(SOUND[:-20], id="cut within an event"),
        pytest.param(gzip.compress(SOUND, mtime=0)[:-12], id="gzip cut off"),
        pytest.param(SOUND.replace(b"10", b"NaN", 1), id="NaN"),
        pytest.param(SOUND.replace(b"100", b"null", 1), id="dur null"),
        pytest.param(b"\xef\xbb\xbf" + SOUND, id="byte order mark"),
        pytest.param(b"hello, world", id="no trace at all"),
    ],
)
def test_unreadable_input(engine_name: str, data: bytes) -> None:
    """Input that TraceProcessor refuses is an input error that names the file, no empty trace."""
    with pytest.raises(InputError, match=r"^bad\.json: ") as error:
        load([data], source="bad.json", engine=engine_name)
    assert error.value.exit_code == 3


def test_chunks_are_not_held() -> None:
    """Reading runs hand in hand with loading: of 30 MB, at most 3 MB are held at any time."""
    alive = 0
    most = 0

    class Chunk(bytes):
        def __del__(self) -> None:
            nonlocal alive
            alive -= len(self)

    def chunks() -> Iterator[bytes]:
        nonlocal alive, most
        for piece in (b'{"traceEvents":[', *[b" " * 100_000] * 300, b"]}"):
            alive += len(piece)
            most = max(most, alive)
            yield Chunk(piece)

    load(chunks(), source="stream", size=30_000_000).close()
    assert most <= 3_000_000
    assert alive == 0


def test_a_reader_that_fails_ends_the_load() -> None:
    """An error in the middle of reading comes through as it is."""

    def chunks() -> Iterator[bytes]:
        yield SOUND[:30]
        raise InputError("byte 30: broken")

    with pytest.raises(InputError, match=r"^byte 30: broken$"):
        load(chunks(), source="stream")


@pytest.mark.parametrize(
    ("size", "bits"), [(0, 32), (62 << 20, 32), (512 << 20, 32), ((512 << 20) + 1, 64)]
)
def test_the_module_follows_from_the_size(size: int, bits: int) -> None:
    """Up to 512 MiB of JSON go to the faster 32-bit module, more to the larger one."""
    assert pointer_bits(size) == bits


def test_a_long_trace_of_unknown_size_gets_the_larger_module() -> None:
    """Without a size, 33 MiB are enough to choose 64 bits; the bytes looked at are not lost."""
    head, tail = SOUND.split(b"},", 1)
    with load([head, b"},", b" " * PEEK_BYTES, tail], source="unknown") as tp:
        assert rows(tp, "SELECT COUNT(*) FROM slice") == [(2,)]
        assert tp._backend._bits == 64
    with load([SOUND], source="unknown") as tp:
        assert tp._backend._bits == 32


@pytest.fixture(scope="module")
def many() -> list[bytes]:
    """A trace of 100,000 slices, in pieces."""
    events = (
        slice_of(f"name {i}", 2 * i, 1, args={"i": i, "text": f"text {i}"}) for i in range(100_000)
    )
    return in_pieces(json_trace(*events))


@pytest.mark.parametrize("engine", ["embedded32", "embedded64"])
def test_out_of_memory(engine: str, many: list[bytes]) -> None:
    """A trace that outgrows what the engine may take is said to, with the file and what to do."""
    with pytest.raises(EngineOutOfMemory, match=r"^big\.json: .*0\.047 GiB.*categories") as error:
        load(many, source="big.json", engine=engine, memory_limit=48 << 20)
    assert error.value.exit_code == 4


@pytest.mark.parametrize("bits", [32, 64])
def test_out_of_addresses(bits: int, many: list[bytes]) -> None:
    """A trace that outgrows what the module can hold is sent to one that holds more."""
    small = partial(
        EmbeddedBackend, bits=bits, memory_limit=None, reporter=SILENT, module_limit=48 << 20
    )
    with (
        Processor("big.json", small) as tp,
        pytest.raises(EngineOutOfMemory, match="--engine native") as error,
    ):
        tp.feed(many)
    assert ("--engine embedded64" in str(error.value)) == (bits == 32)


def test_a_query_can_run_out_of_memory() -> None:
    """A query that needs too much says so; the trace stays loaded and can be asked for less."""
    greedy = "SELECT LENGTH(REPLACE(HEX(ZEROBLOB(100000000)), '0', 'ab'))"
    with load([SOUND], source="rank0.json", memory_limit=64 << 20) as tp:
        with pytest.raises(EngineOutOfMemory, match=r"failed on rank0\.json: .*memory"):
            rows(tp, greedy)
        assert rows(tp, "SELECT COUNT(*) FROM slice") == [(2,)]


def test_a_machine_with_little_memory_left(
    many: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine stops at what the machine has left, instead of being killed by the kernel."""
    monkeypatch.setattr(wasm, "available", lambda: 48 << 20)
    with pytest.raises(EngineOutOfMemory, match=r"that it may take here"):
        load(many, source="big.json")


def test_engines_share_what_the_machine_has_left(
    many: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two on a machine of 110 MiB: what one of them takes, the other cannot have."""
    opener = partial(EmbeddedBackend, bits=32, memory_limit=None, reporter=SILENT)
    with Processor("first.json", opener) as first, Processor("second.json", opener) as second:
        hosts = [cast("EmbeddedBackend", it._backend)._host for it in (first, second)]
        free = lambda: (110 << 20) - sum(host.size() for host in hosts)  # noqa: E731
        monkeypatch.setattr(wasm_imports, "available", free)
        first.feed(many)
        with pytest.raises(EngineOutOfMemory, match=r"^second\.json: .*that it may take here"):
            second.feed(many)
        assert rows(first, "SELECT COUNT(*) FROM slice") == [(100_000,)]


def test_no_memory_to_start() -> None:
    """A limit below what the empty engine takes is out of memory as well."""
    with pytest.raises(EngineOutOfMemory):
        load([SOUND], source="any", memory_limit=1 << 20)


def test_both_modules_give_the_same_rows(real_trace: Callable[[str], Path]) -> None:
    """On a recorded trace, 32 and 64 bits agree on every slice and every arg."""
    path = real_trace("h100_qwen15_chat.json.gz")
    answers = []
    for engine in ("embedded32", "embedded64"):
        with load([path.read_bytes()], source=path.name, engine=engine, allow_loss=True) as tp:
            slices = rows(tp, "SELECT id, ts, dur, name, category, depth, parent_id FROM slice")
            args = rows(tp, "SELECT arg_set_id, flat_key, string_value, int_value FROM args")
            answers.append((slices, args, losses(tp)))
    assert len(answers[0][0]) > 10_000
    assert answers[0] == answers[1]


def test_every_slice_of_a_recorded_trace_arrives(
    engine_name: str, real_trace: Callable[[str], Path]
) -> None:
    """On a sound recorded trace there are as many slices as complete events and instants."""
    path = real_trace("train128_rank0.json.gz")
    data = gzip.decompress(path.read_bytes())
    wanted = sum(event["ph"] in "Xi" for event in json.loads(data)["traceEvents"])
    with load(in_pieces(data), source=path.name, size=len(data), engine=engine_name) as tp:
        assert rows(tp, "SELECT COUNT(*) FROM slice") == [(wanted,)]


@pytest.mark.parametrize(
    ("chosen", "limit", "is_taken"),
    [("embedded", None, True), ("embedded64", None, False), ("embedded", 1 << 30, False)],
)
def test_an_engine_that_was_opened_ahead_serves_one_trace(
    chosen: str, limit: int | None, is_taken: bool
) -> None:
    """The first that wants such a one: its errors name that trace, and the next has its own."""
    loader._ahead.clear()
    get_ready("embedded")
    get_ready("embedded")
    ((ahead, _),) = loader._ahead[32]
    with load([SOUND], source="first", engine=chosen, memory_limit=limit) as tp:
        assert (tp is ahead) == is_taken
        assert rows(tp, "SELECT COUNT(*) FROM slice") == [(2,)]
        with pytest.raises(SqlError, match="first"):
            tp.query("SELECT nothing")
        with load([OVERLAPPING], source="second", engine=chosen, allow_loss=True) as other:
            assert other is not tp
    ahead.close()


def test_an_engine_that_was_opened_ahead_is_left_where_memory_is_scarcer_now(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It could grow to more than the machine still has, and the system would end the process."""
    loader._ahead.clear()
    get_ready("embedded")
    ((ahead, _),) = loader._ahead[32]
    monkeypatch.setattr(wasm, "available", lambda: 200 << 20)
    with load([SOUND], source="sound", engine="embedded") as tp:
        assert tp is not ahead
    assert not loader._ahead[32]


def test_an_engine_that_does_not_exist_is_not_opened_ahead() -> None:
    """Who loads a trace into it is told."""
    get_ready("no such engine")
    with pytest.raises(EngineUnavailable):
        load([SOUND], source="sound", engine="no such engine")
