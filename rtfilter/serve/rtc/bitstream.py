"""Headers of encoded VP8 and H.264 pictures: keyframe or not, and the size, before decoding.

Called by `rtc.decode_queues`.
"""

from __future__ import annotations

from collections.abc import Iterator

Size = tuple[int, int]  # width, height in px

NAL_IDR = 5
NAL_SPS = 7
_VP8_START_CODE = b"\x9d\x01\x2a"
# Profiles whose parameter set has the chroma format and scaling lists (H.264, 7.3.2.1.1).
_HIGH_PROFILES = frozenset({44, 83, 86, 100, 110, 118, 122, 128, 134, 135, 138, 139, 244})


def is_keyframe(codec: str, data: bytes) -> bool:
    """Whether a decoder can start at this frame. codec: "VP8" or "H264"; of any other, every frame is one."""
    if codec == "VP8":
        # A frame that lost its first packet starts with any byte: the start code distinguishes it.
        return len(data) >= 10 and not data[0] & 1 and data[3:6] == _VP8_START_CODE
    if codec == "H264":
        return any(data[start] & 0x1F == NAL_IDR for start in nal_starts(data))
    return True


def coded_size(codec: str, data: bytes) -> Size | None:
    """The picture size in the headers of a VP8 keyframe or an H.264 frame with a parameter set; else None."""
    if codec == "VP8" and is_keyframe(codec, data):
        # The two upper bits of each number are a scaling hint for the display.
        return (data[6] | data[7] << 8) & 0x3FFF, (data[8] | data[9] << 8) & 0x3FFF
    if codec == "H264":
        for start in nal_starts(data):
            if data[start] & 0x1F == NAL_SPS:
                return _sps_size(data[start + 1 : start + 256])
    return None


def nal_starts(data: bytes) -> Iterator[int]:
    """Offsets of the NAL units' header bytes in a byte stream with start codes (H.264, annex B)."""
    at = data.find(b"\x00\x00\x01")
    while at != -1 and at + 3 < len(data):
        yield at + 3
        at = data.find(b"\x00\x00\x01", at + 3)


class _BitReader:
    """Bits of a NAL unit's payload from the front; zeros past the end, where `spent` is true."""

    def __init__(self, data: bytes) -> None:
        # 00 00 03 stands for 00 00 in a NAL unit's payload.
        self._bits = "".join(f"{byte:08b}" for byte in data.replace(b"\x00\x00\x03", b"\x00\x00"))
        self._at = 0

    @property
    def spent(self) -> bool:
        return self._at > len(self._bits)

    def bits(self, count: int) -> int:
        taken = self._bits[self._at : self._at + count].ljust(count, "0")
        self._at += count
        return int(taken or "0", 2)

    def number(self) -> int:
        """An unsigned Exp-Golomb number."""
        zeros = 0
        while not self.bits(1) and not self.spent and zeros < 32:
            zeros += 1
        return (1 << zeros) - 1 + self.bits(zeros)

    def signed(self) -> int:
        """A signed Exp-Golomb number."""
        code = self.number()
        return (code + 1) // 2 if code & 1 else -(code // 2)


def _sps_size(sps: bytes) -> Size | None:
    """Coded size in a sequence parameter set (without its NAL header), before cropping."""
    bits = _BitReader(sps)
    profile = bits.bits(8)
    bits.bits(16)  # constraint flags, level
    bits.number()  # its own id
    if profile in _HIGH_PROFILES:
        _skip_high_profile(bits)
    bits.number()  # log2_max_frame_num
    order = bits.number()
    if order == 0:
        bits.number()
    elif order == 1:
        bits.bits(1)
        bits.signed()
        bits.signed()
        for _ in range(min(bits.number(), 255)):
            bits.signed()
    bits.number()  # reference frames
    bits.bits(1)  # gaps permitted
    columns = bits.number() + 1
    rows = bits.number() + 1
    frames_only = bits.bits(1)
    return None if bits.spent else (16 * columns, 16 * rows * (2 - frames_only))


def _skip_high_profile(bits: _BitReader) -> None:
    chroma_format = bits.number()
    if chroma_format == 3:
        bits.bits(1)
    bits.number()  # luma depth
    bits.number()  # chroma depth
    bits.bits(1)  # lossless bypass
    if bits.bits(1):
        for index in range(12 if chroma_format == 3 else 8):
            if bits.bits(1):
                _skip_scaling_list(bits, 16 if index < 6 else 64)


def _skip_scaling_list(bits: _BitReader, length: int) -> None:
    last = following = 8
    for _ in range(length):
        if following:
            following = (last + bits.signed()) % 256
        last = following or last
