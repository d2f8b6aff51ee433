"""The network that tells faces apart, run by what the machine has.

All are given the same weights in float32 and answer the same vectors to a millionth, so a collection does not depend on
which of them ran (tests/vision/test_networks.py).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.engine.face_models import embedder_file
from vision.engine.folding import folded
from vision.engine.hardware import CUDA, HARDWARE, Hardware, offered

VIEWS = 2
"""Faces that the network is given at once: a face and its mirror image."""

Chips = NDArray[np.float32]
"""VIEWS x 3 x 112 x 112: red, green and blue, from 0 to 255."""
Embeddings = NDArray[np.float32]
"""VIEWS x 128, at whatever length."""


class Network(Protocol):
    """Turns chips into embeddings."""

    def __call__(self, chips: Chips) -> Embeddings:
        """What the network makes of each view."""


class OnOpenCV:
    """On the processor. OpenCV 5's new engine takes half of the time of its classic one."""

    def __init__(self, model: bytes) -> None:
        self._network = cv2.dnn.readNetFromONNX(np.frombuffer(model, dtype=np.uint8), cv2.dnn.ENGINE_NEW)

    def __call__(self, chips: Chips) -> Embeddings:
        """See Network."""
        self._network.setInput(chips)
        return np.array(self._network.forward(), dtype=np.float32)


class OnOpenVINO:
    """On the processor, in float32 also where it has something shorter, in a third of the classic OpenCV's time."""

    def __init__(self, model: bytes) -> None:
        import openvino

        core = openvino.Core()
        settings = {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32"}
        self._request = core.compile_model(core.read_model(model), "CPU", settings).create_infer_request()

    def __call__(self, chips: Chips) -> Embeddings:
        """See Network."""
        (embeddings,) = self._request.infer([chips]).to_tuple()
        return np.array(embeddings, dtype=np.float32)


class OnONNXRuntime:
    """On an NVIDIA GPU, or whatever else onnxruntime calls a provider."""

    def __init__(self, model: bytes, provider: str = CUDA) -> None:
        import onnxruntime

        # TensorFloat-32 would keep 10 bits of what is multiplied: other vectors than elsewhere.
        settings = {"use_tf32": "0"} if provider == CUDA else {}
        self._session = onnxruntime.InferenceSession(model, providers=[(provider, settings)])
        if self._session.get_providers()[0] != provider:  # onnxruntime takes the processor then, and only logs it
            raise RuntimeError(f"onnxruntime cannot use {provider}")
        (self._name,) = (each.name for each in self._session.get_inputs())

    def __call__(self, chips: Chips) -> Embeddings:
        """See Network."""
        (embeddings,) = self._session.run(None, {self._name: chips})
        return np.asarray(embeddings, dtype=np.float32)


_NETWORKS: dict[Hardware, Callable[[bytes], Network]] = {
    "cuda": OnONNXRuntime,
    "openvino": OnOpenVINO,
    "opencv": OnOpenCV,
}


def load_embedder(wanted: Hardware | None = None) -> tuple[Hardware, Network]:
    """SFace and what it runs on: `wanted`, or the fastest that works here.

    Raises what the wanted one's package raises.
    """
    model = folded(embedder_file(), VIEWS)
    if wanted is not None:
        return wanted, _NETWORKS[wanted](model)
    *others, last = HARDWARE
    for hardware in filter(offered, others):
        try:
            return hardware, _NETWORKS[hardware](model)
        except Exception as error:  # noqa: BLE001 - the trouble of a driver or processor has many names
            print(f"vision worker: cannot use {hardware} ({error}).", file=sys.stderr)  # noqa: T201
    return last, _NETWORKS[last](model)
