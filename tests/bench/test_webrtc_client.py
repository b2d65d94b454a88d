"""A client and servers in processes of their own: real connections, real encoders, small pictures."""

from __future__ import annotations

import pytest

from rtfilter.bench.webrtc_record import (
    Change,
    ClientRecord,
    ClientSpec,
    Row,
    record_from_json,
    spec_from_json,
    to_json,
)
from rtfilter.bench.webrtc_turns import (
    FILTER_SERVER,
    FILTERED,
    STOCK,
    Server,
    both_servers,
    busy,
    change_controls,
    one_turn,
    run_client,
    running,
    take_turns,
)
from rtfilter.errors import DeviceError

SMALL = ClientSpec("", width=320, height=180, seconds=1.5, warm_up_s=0.5)


def test_what_crosses_between_processes_arrives_whole() -> None:
    spec = ClientSpec(
        "http://127.0.0.1:1", tuned=False, controls={"intensity": 0.5}, changes=[{"bypass": True}]
    )
    assert spec_from_json(to_json(spec)) == spec
    record = ClientRecord([Row(1, 2, 3)], 5, 6, [Change(2, 3, seen_number=4)], {"total": {"p50_ms": 1.0}})
    assert record_from_json(to_json(record)) == record


def test_stamps_come_back_from_stock_aiortc_to_either_client() -> None:
    names = [STOCK, "stock_tuned_client"]
    with both_servers(*FILTER_SERVER) as servers:
        found = take_turns(servers, names, SMALL, rounds=1)
    assert list(found) == names
    for said in found.values():
        assert said["received"] >= 5
        assert said["unreadable"] == said["repeated"] == 0
        assert said["age"]["p50_ms"] > 0


def test_changes_of_controls_show_in_the_pixels_and_stages_are_reported() -> None:
    with both_servers(*FILTER_SERVER) as servers:
        record = one_turn(servers, FILTERED, SMALL)
        said = change_controls(servers, SMALL, times=1)
    assert {"unpack", "track", "pack", "total"} <= set(record.stages_ms)
    assert said["sent"] == 6
    # How many are seen depends on how busy the machine is; that none is would be wrong.
    assert said["unanswered"] < 6


def test_a_server_that_does_not_come_up_is_told_in_one_line() -> None:
    with (
        pytest.raises(DeviceError, match=r"did not come up: .*no_such_module"),
        running("-m", "no_such_module"),
    ):
        pass


def test_a_client_without_a_server_is_told_in_one_line() -> None:
    with pytest.raises(DeviceError, match=r"client of the benchmark failed: .*127\.0\.0\.1"):
        run_client(Server("http://127.0.0.1:9"), SMALL)


def test_load_ends_with_its_block() -> None:
    with busy(1):
        pass
    with pytest.raises(RuntimeError, match="stop"), busy(1):
        raise RuntimeError("stop")
