"""MediaPipe's own face mesh with a look inside: the square it crops, the presence it finds, its landmarks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from rtfilter.engines.networks import MESH_SIDE_PX

pytest.importorskip("mediapipe", reason="MediaPipe is not installed")

from mediapipe.python import packet_creator, packet_getter
from mediapipe.python._framework_bindings import calculator_graph, image_frame
from mediapipe.python.solutions.face_mesh import FaceMesh

F32 = npt.NDArray[np.float32]
U8 = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Seen:
    """One picture. square: a NormalizedRect. landmarks_px: [478, 3], or None below a presence of 0.5."""

    square: Any
    presence: float
    landmarks_px: F32 | None


class MediaPipeStreams:
    """Follows one face, as FaceMesh(refine_landmarks=True) does."""

    def __init__(self) -> None:
        with FaceMesh(refine_landmarks=True, max_num_faces=1) as mesh:
            self.config: str = mesh._graph.text_config
        self._graph = calculator_graph.CalculatorGraph(graph_config=self.config)
        self._seen: dict[str, Any] = {}
        self._watch("face_rect", packet_getter.get_proto)
        self._watch("facelandmarkcpu__face_presence_score", packet_getter.get_float)
        self._watch("multi_face_landmarks", packet_getter.get_proto_list)
        sides = {"with_attention": True, "use_prev_landmarks": True}
        packets = {name: packet_creator.create_bool(value) for name, value in sides.items()}
        self._graph.start_run({"num_faces": packet_creator.create_int(1), **packets})
        self._time_us = 0

    def _watch(self, stream: str, read: Any) -> None:
        self._graph.observe_output_stream(
            stream, lambda _name, packet: self._seen.__setitem__(stream, read(packet))
        )

    def run(self, rgb: U8) -> Seen | None:
        """What MediaPipe makes of the next picture; None where it looks for no landmarks."""
        self._seen.clear()
        self._time_us += 33_333
        packet = packet_creator.create_image_frame(rgb, image_format=image_frame.ImageFormat.SRGB)
        self._graph.add_packet_to_input_stream(stream="image", packet=packet.at(self._time_us))
        self._graph.wait_until_idle()
        if "face_rect" not in self._seen:
            return None
        height, width = rgb.shape[:2]
        faces = self._seen.get("multi_face_landmarks") or []
        points = [[p.x * width, p.y * height, p.z * width] for face in faces[:1] for p in face.landmark]
        return Seen(
            self._seen["face_rect"],
            self._seen["facelandmarkcpu__face_presence_score"],
            np.array(points, np.float32) if points else None,
        )

    def close(self) -> None:
        self._graph.close()


def crop(rgb: U8, square: Any) -> F32:
    """[1, 3, 192, 192], as MediaPipe's ImageToTensorCalculator makes it on a processor."""
    height, width = rgb.shape[:2]
    centre = (square.x_center * width, square.y_center * height)
    size = (square.width * width, square.height * height)
    corners = cv2.boxPoints((centre, size, float(np.degrees(square.rotation))))
    side = MESH_SIDE_PX
    crop_from_picture = cv2.getPerspectiveTransform(
        corners, np.array([[0, side], [0, 0], [side, 0], [side, side]], np.float32)
    )
    pixels = cv2.warpPerspective(
        rgb, crop_from_picture, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)[None], dtype=np.float32) / np.float32(255)


def in_picture(points: F32, square: Any, shape: tuple[int, ...]) -> F32:
    """Landmarks [478, 3] of the crop in the picture, as MediaPipe's LandmarkProjectionCalculator does."""
    height, width = shape[:2]
    x, y = (points[:, :2] / MESH_SIDE_PX - 0.5).T
    c, s = np.cos(square.rotation), np.sin(square.rotation)
    return np.stack(
        [
            ((c * x - s * y) * square.width + square.x_center) * width,
            ((s * x + c * y) * square.height + square.y_center) * height,
            points[:, 2] / MESH_SIDE_PX * square.width * width,
        ],
        axis=1,
    )
