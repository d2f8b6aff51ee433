"""From a face and its landmarks to 128 numbers that tell people apart."""

from __future__ import annotations

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from vision.engine.networks import Network
from vision.engine.pictures import Pixels

CHIP = 112
"""Side of the upright face that the network takes, in pixels."""

# Where the network was trained to have eyes, nose and mouth corners in its chip, from the picture's left to its right:
# the template of ArcFace (Deng et al. 2019), which OpenCV's FaceRecognizerSF uses too.
_TEMPLATE = np.array(
    [(38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041)]
)

Places = NDArray[np.float64]
"""Five landmarks as rows of x and y in pixels, in the template's order."""


def upright(pixels: Pixels, places: Places) -> Pixels:
    """The face turned, scaled and moved so that its landmarks lie as in the template: CHIP x CHIP x RGB."""
    matrix = _onto_template(places)
    # A large face is sampled finely first and then averaged, or every seventh pixel or so would stand for all.
    fine = max(1, round(1 / float(np.hypot(*matrix[:, 0]))))
    matrix *= fine
    matrix[:, 2] += (fine - 1) / 2  # places are counted from the first pixel's middle
    chip = cv2.warpAffine(pixels, matrix, (CHIP * fine, CHIP * fine))
    return np.asarray(cv2.resize(chip, (CHIP, CHIP), interpolation=cv2.INTER_AREA), dtype=np.uint8)


class Embedded(msgspec.Struct, frozen=True):
    """A face's `vector`: 128 little-endian float32 of length 1.

    `detail` is how long the network's own vectors were, about 12 for a portrait. Where it finds little to tell people
    apart by, because a face is blurred, dark, turned away or covered, they are shorter.
    """

    vector: bytes
    detail: float


class Embedder:
    """Turns upright faces into vectors, by a network from `vision.engine.networks`."""

    def __init__(self, network: Network) -> None:
        self._network = network

    def embed(self, chip: Pixels) -> Embedded:
        """The mean of the face's embedding and its mirror image's.

        Both count the same, whatever their lengths: the network's training looked at directions only.
        """
        face, mirrored = self.embeddings(chip)
        return Embedded(
            vector=_unit(_unit(face) + _unit(mirrored)).astype("<f4").tobytes(),
            detail=float(np.linalg.norm([face, mirrored], axis=1).mean()),
        )

    def embeddings(self, chip: Pixels) -> NDArray[np.float64]:
        """What the network makes of the face and of its mirror image, as 2 x 128 numbers, at whatever length."""
        views = np.stack([chip, chip[:, ::-1]]).transpose(0, 3, 1, 2)
        return self._network(np.ascontiguousarray(views, dtype=np.float32)).astype(np.float64)


def _unit(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(vector / np.linalg.norm(vector))


def _onto_template(places: Places) -> NDArray[np.float64]:
    """The 2 x 3 matrix of the turn, scale and shift with the least squared distance to the template.

    As complex numbers a turn and a scale are one factor, so this is the least-squares fit of a line.
    """
    source = places @ np.array([1, 1j])
    target = _TEMPLATE @ np.array([1, 1j])
    centered = source - source.mean()
    factor = np.vdot(centered, target - target.mean()) / np.vdot(centered, centered).real
    shift = target.mean() - factor * source.mean()
    return np.array([[factor.real, -factor.imag, shift.real], [factor.imag, factor.real, shift.imag]])
