"""What may run a network on this machine. Imports nothing heavy, so that the front may ask, too."""

from __future__ import annotations

import importlib.util
from typing import Literal, get_args

Hardware = Literal["cuda", "openvino", "opencv"]
"""An NVIDIA GPU by onnxruntime, one thread of the processor by OpenVINO, or one by OpenCV."""
HARDWARE: tuple[Hardware, ...] = get_args(Hardware)
"""The fastest first. What needs a package of its own may not be there; OpenCV always is."""
CUDA = "CUDAExecutionProvider"
"""What onnxruntime calls an NVIDIA GPU. Its package onnxruntime-gpu knows it, onnxruntime does not."""


def hardware_named(name: str) -> Hardware:
    """Raises ValueError for a name that is none of HARDWARE."""
    for hardware in HARDWARE:
        if hardware == name:
            return hardware
    raise ValueError(f"{name!r} is none of {', '.join(HARDWARE)}")


def offered(hardware: Hardware) -> bool:
    """Whether the package for it is installed. It may still fail to start, as on a machine without the GPU."""
    match hardware:
        case "cuda":
            import onnxruntime

            return CUDA in onnxruntime.get_available_providers()
        case "openvino":
            return importlib.util.find_spec("openvino") is not None
        case "opencv":
            return True
