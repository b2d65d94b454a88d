"""Jitter buffers: the same frames in the same order as aiortc's, only earlier; and what it gets wrong."""

from __future__ import annotations

from functools import cache

import pytest
from aiortc.jitterbuffer import JitterBuffer
from aiortc.rtp import RtpPacket
from hypothesis import given, settings
from hypothesis import strategies as st

from rtfilter.serve.rtc.jitter import FrameBatch, MarkerJitterBuffer, PromptAudioBuffer
from tests.serve.packets import TICKS, data_of, frames_of, packet, pictures_of, released, stream

NEAR_WRAP = {"first_number": 65500, "first_time": (1 << 32) - 5 * TICKS}
VIDEO = ["VP8", "H264"]


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@cache
def recorded(codec: str) -> tuple[RtpPacket, ...]:
    return tuple(stream(codec, 12, **NEAR_WRAP))


def stock() -> JitterBuffer:
    return JitterBuffer(capacity=512, is_video=True)


def ours(clock: Clock | None = None) -> MarkerJitterBuffer:
    return MarkerJitterBuffer(now=clock or Clock())


def without(entry: RtpPacket) -> RtpPacket:
    """The packet without its marker."""
    return packet(entry.sequence_number, entry.timestamp, data_of(entry))


def last_of_pictures(packets: tuple[RtpPacket, ...]) -> list[int]:
    return [index for index, entry in enumerate(packets) if entry.marker]


@pytest.mark.parametrize("codec", VIDEO)
def test_a_picture_is_released_with_its_last_packet(codec: str) -> None:
    packets = recorded(codec)
    assert max(entry.sequence_number for entry in packets) == 65535, "the recording must wrap around"
    got = released(ours(), packets)
    assert [index for index, *_ in got] == last_of_pictures(packets)
    assert [(time, data) for _, time, data in got] == pictures_of(packets)


@pytest.mark.parametrize("codec", VIDEO)
def test_the_stock_buffer_releases_it_with_the_next_picture(codec: str) -> None:
    # Where this fails, aiortc has learned it too, and the buffer here can go.
    packets = recorded(codec)
    assert [index for index, *_ in released(stock(), packets)] == [
        i + 1 for i in last_of_pictures(packets)[:-1]
    ]


@pytest.mark.parametrize("codec", VIDEO)
def test_without_markers_it_does_as_the_stock_one(codec: str) -> None:
    packets = [without(entry) for entry in recorded(codec)]
    assert released(ours(), packets) == released(stock(), packets)


@settings(max_examples=150, deadline=None)
@given(codec=st.sampled_from(VIDEO), data=st.data())
def test_what_arrives_late_twice_or_in_disorder_makes_the_same_frames_no_later(
    codec: str, data: st.DataObject
) -> None:
    packets = recorded(codec)
    late = data.draw(st.lists(st.integers(0, 25), min_size=len(packets), max_size=len(packets)))
    twice = data.draw(st.sets(st.integers(0, len(packets) - 1), max_size=10))
    order = sorted(
        [(index + late[index], index) for index in range(len(packets))]
        + [(index + 30, index) for index in twice]
    )
    arriving = [packets[index] for _, index in order]
    theirs, mine = released(stock(), arriving), released(ours(), arriving)
    assert [entry[1:] for entry in mine[: len(theirs)]] == [entry[1:] for entry in theirs]
    assert all(my_index <= index for (my_index, *_), (index, *_) in zip(mine, theirs, strict=False))
    if late[0] == 0:
        assert [entry[1:] for entry in mine] == pictures_of(packets)


@pytest.mark.parametrize("codec", VIDEO)
@pytest.mark.parametrize("position", [0, 1, -1])
def test_a_lost_packet_that_is_sent_again_loses_nothing(codec: str, position: int) -> None:
    """The first, second and last packet of the third picture, come back four pictures later."""
    packets = list(recorded(codec))
    ends = last_of_pictures(recorded(codec))
    lost = ends[2] if position < 0 else ends[1] + 1 + position
    back = ends[6]
    arriving = packets[:lost] + packets[lost + 1 : back + 1] + [packets[lost]] + packets[back + 1 :]
    got = released(ours(), arriving)
    assert [entry[1:] for entry in got] == pictures_of(packets)
    # All that waited for it comes with it: aiortc gives one frame a packet, and stays behind.
    assert [index for index, *_ in got].count(back) == 5


@pytest.mark.parametrize("codec", VIDEO)
def test_a_packet_that_never_comes_is_given_up_in_time(codec: str) -> None:
    packets = recorded(codec)
    ends = last_of_pictures(packets)
    lost = ends[2]
    assert ends[2] - ends[1] > 1
    clock, losses = Clock(), []
    buffer = MarkerJitterBuffer(on_loss=lambda: losses.append(clock.now_s), now=clock)
    requests, out = [], []
    for index, entry in enumerate(packets):
        clock.now_s = 100.0 + (entry.timestamp - packets[0].timestamp) % (1 << 32) / 90000
        if index != lost:
            ask, frame = buffer.add(entry)
            requests += [clock.now_s] * ask
            out += [] if frame is None else frames_of(frame)
    # The gap shows with the fourth picture, 100 ms in, and is noticed to be old with a later packet.
    assert requests == losses == pytest.approx([100.0 + 11 / 30], abs=0.04)
    # Neither the picture with the gap, nor the one behind it, whose beginning may be lost as well.
    whole = pictures_of(packets)
    assert [(one.timestamp % (1 << 32), one.data) for one in out] == whole[:2] + whole[4:]


def test_a_picture_given_up_while_it_still_arrives_is_left_whole() -> None:
    clock = Clock()
    buffer = MarkerJitterBuffer(now=clock)
    buffer.add(packet(1, 0, b"a"))
    buffer.add(packet(3, 3000, b"c"))
    clock.now_s += 0.3
    assert buffer.add(packet(4, 3000, b"d")) == (True, None)
    assert buffer.add(packet(5, 3000, b"e", marker=True)) == (False, None)
    assert buffer.add(packet(2, 0, b"b", marker=True)) == (False, None)
    assert [entry[1:] for entry in released(buffer, [packet(6, 6000, b"f", marker=True)])] == [(6000, b"f")]
    assert buffer.marker_trusted


def test_silence_of_the_sender_is_no_gap() -> None:
    clock = Clock()
    buffer = MarkerJitterBuffer(now=clock)
    buffer.add(packet(1, 0, b"a"))
    clock.now_s += 60.0
    requests, frame = buffer.add(packet(2, 0, b"b", marker=True))
    assert not requests
    assert frame is not None
    assert frame.data == b"ab"


@pytest.mark.parametrize("codec", VIDEO)
def test_a_marker_on_every_packet_is_found_out(codec: str) -> None:
    packets = [packet(e.sequence_number, e.timestamp, data_of(e), marker=True) for e in recorded(codec)]
    lost = []
    buffer = MarkerJitterBuffer(on_loss=lambda: lost.append(True), now=Clock())
    got = released(buffer, packets)
    assert not buffer.marker_trusted
    assert lost == [True]
    whole = pictures_of(packets)
    split = next(i for i, (time, data) in enumerate(whole) if (time, data) not in [e[1:] for e in got])
    # From the picture after the one that showed it, all are whole, as the change of the time stamp has it.
    assert [entry[1:] for entry in got][split + 1 :] == whole[split + 1 : -1]


def test_padding_is_no_picture() -> None:
    """As browsers send it to probe the bandwidth: no payload, and any time stamp."""
    packets = [
        packet(1, 0, b"a"),
        packet(2, 0, b"b", marker=True),
        packet(3, 0, b""),
        packet(4, 0, b""),
        packet(5, 1500, b""),
        packet(6, 3000, b""),
        packet(7, 3000, b"c", marker=True),
        packet(8, 4500, b"", marker=True),
        packet(9, 6000, b"d", marker=True),
    ]
    buffer = ours()
    assert released(buffer, packets) == [(1, 0, b"ab"), (6, 3000, b"c"), (8, 6000, b"d")]
    assert buffer.marker_trusted


def test_a_lost_padding_packet_is_not_waited_for_once_it_comes() -> None:
    packets = [packet(1, 0, b"a", marker=True), packet(3, 3000, b"b", marker=True), packet(2, 0, b"")]
    assert released(ours(), packets) == [(0, 0, b"a"), (2, 3000, b"b")]


def test_a_full_buffer_asks_for_a_keyframe_as_the_stock_one_does() -> None:
    """The second packet is lost for good, and no time passes: 512 packets later there is no more room."""
    packets = [packet(n, n // 4 * TICKS, b"%d" % n, marker=n % 4 == 3) for n in range(800) if n != 1]
    answers = [[buffer.add(entry)[0] for entry in packets] for buffer in (ours(), stock())]
    assert answers[0] == answers[1]
    assert any(answers[0])
    theirs, mine = released(stock(), packets), released(ours(), packets)
    assert {entry[1:] for entry in theirs} <= {entry[1:] for entry in mine}
    assert mine[-1][1] == 199 * TICKS, "what piled up is worked off"


def test_a_stream_that_starts_anew_is_followed() -> None:
    before = [packet(30000 + n, n * TICKS, b"x", marker=True) for n in range(10)]
    after = [packet(500 + n, 900000 + n * TICKS, b"y", marker=True) for n in range(5)]
    buffer = ours()
    assert len(released(buffer, before)) == 10
    requests, frame = buffer.add(after[0])
    assert requests
    assert frame is not None
    assert frame.data == b"y"
    assert len(released(buffer, after[1:])) == 4


def test_an_old_packet_of_a_long_picture_is_no_new_start() -> None:
    """A second copy comes when a keyframe of 150 packets, more than aiortc takes for disorder, is out."""
    picture = [packet(n, 0, b"x", marker=n == 149) for n in range(150)]
    buffer = ours()
    assert len(released(buffer, picture)) == 1
    assert buffer.add(picture[0]) == (False, None)
    assert released(buffer, [packet(150, TICKS, b"y", marker=True)]) == [(0, TICKS, b"y")]


def test_a_batch_keeps_distances_across_the_wrap_of_time_stamps() -> None:
    buffer = ours()
    buffer.add(packet(1, (1 << 32) - 4000, b"a"))
    buffer.add(packet(3, (1 << 32) - 1000, b"b", marker=True))
    buffer.add(packet(4, 2000, b"c", marker=True))
    _, frame = buffer.add(packet(2, (1 << 32) - 4000, b"A", marker=True))
    assert isinstance(frame, FrameBatch)
    frame.timestamp = 60000  # as aiortc maps it
    assert [(one.timestamp, one.data) for one in frame.frames()] == [
        (60000, b"aA"),
        (63000, b"b"),
        (66000, b"c"),
    ]


def sound(number: int) -> RtpPacket:
    return packet(number, number * 960, b"%d" % number)


def heard(numbers: list[int]) -> list[tuple[int, bytes]]:
    return [(index, data) for index, _, data in released(PromptAudioBuffer(), map(sound, numbers))]


def test_sound_is_released_as_it_comes() -> None:
    assert heard([7, 8, 9]) == [(0, b"7"), (1, b"8"), (2, b"9")]


def test_sound_waits_three_packets_for_a_lost_one() -> None:
    assert heard([1, 3, 4, 5, 6]) == [(0, b"1"), (3, b"3"), (3, b"4"), (3, b"5"), (4, b"6")]
    assert heard([1, 3, 4, 2, 5]) == [(0, b"1"), (3, b"2"), (3, b"3"), (3, b"4"), (4, b"5")]
    # What comes after that is too late, and twice is once too often.
    assert heard([1, 3, 4, 5, 2, 5, 6]) == [(0, b"1"), (3, b"3"), (3, b"4"), (3, b"5"), (6, b"6")]


def test_sound_goes_on_after_a_long_break_and_a_new_start() -> None:
    assert heard([1, 2, 400, 401]) == [(0, b"1"), (1, b"2"), (2, b"400"), (3, b"401")]
    assert heard([1, 3, 400]) == [(0, b"1"), (2, b"3"), (2, b"400")]
    assert heard([5000, 200, 201]) == [(0, b"5000"), (1, b"200"), (2, b"201")]


@settings(deadline=None)
@given(st.lists(st.integers(0, 6), min_size=60, max_size=60), st.sets(st.integers(1, 59), max_size=8))
def test_sound_stays_in_order_and_nothing_waits_long(late: list[int], lost: set[int]) -> None:
    first = 65510
    order = [n for _, n in sorted((n + late[n], n) for n in range(60) if n not in lost)]
    packets = [packet(first + n, n * 960, b"%d" % n) for n in order]
    got = [(index, int(data)) for index, _, data in released(PromptAudioBuffer(), packets)]
    numbers = [number for _, number in got]
    assert numbers == sorted(set(numbers))
    arrived = {number: index for index, number in enumerate(order)}
    assert all(index - arrived[number] <= 60 for index, number in got)
    in_time = [late[n] == 0 and n >= order[0] for n in range(60)]
    assert {n for n in range(60) if in_time[n] and n not in lost and n < 50} <= set(numbers)
