"""Faces in pictures, without a collection: DetectFaces and CompareFaces; and a face as answers describe it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vision.collections.similarity import DEFAULT_THRESHOLD, similarity
from vision.engine.messages import Box, Face
from vision.errors import InvalidParameterException
from vision.front.backend import Backend
from vision.front.protocol import Json

MAX_FACES_IN_IMAGE = 100
"""Rekognition indexes and compares the 100 largest faces."""

ATTRIBUTES = {"FaceOccluded": "FACE_OCCLUDED", "Sunglasses": "SUNGLASSES"}
"""Members of a FaceDetail that are not default, by the names that ask for them; ALL asks for each."""


async def detect_faces(backend: Backend, request: Json) -> Json:
    """The faces in a picture."""
    faces = await backend.faces(await backend.picture(request["Image"]))
    attributes = request.get("Attributes", [])
    return {"FaceDetails": [detail(face, attributes) for face in faces[:MAX_FACES_IN_IMAGE]]}


async def compare_faces(backend: Backend, request: Json) -> Json:
    """The largest face of one picture with all faces of another."""
    quality = request.get("QualityFilter", "NONE")
    threshold = request.get("SimilarityThreshold", DEFAULT_THRESHOLD)
    sources = await backend.faces(await backend.picture(request["SourceImage"]), quality, embed=1)
    source = largest(sources, "source image")
    picture = await backend.picture(request["TargetImage"])
    targets = await backend.faces(picture, quality, embed=MAX_FACES_IN_IMAGE)
    largest(targets, "target image")
    scored = [(_alike(source, face), face) for face in targets if face.vector is not None]
    scored.sort(key=lambda pair: -pair[0])
    return {
        "SourceImageFace": {"BoundingBox": bounding_box(source.box), "Confidence": source.confidence},
        "FaceMatches": [
            {"Similarity": percent, "Face": detail(face)} for percent, face in scored if percent >= threshold
        ],
        "UnmatchedFaces": [detail(face) for percent, face in scored if percent < threshold],
    }


def largest(faces: list[Face], where: str) -> Face:
    """The first face with a vector. Raises InvalidParameterException where there is none."""
    for face in faces:
        if face.vector is not None:
            return face
    raise InvalidParameterException(f"There are no faces in the {where}. Should be at least 1.")


def bounding_box(box: Box) -> Json:
    """The box as a BoundingBox."""
    return {"Width": box.width, "Height": box.height, "Left": box.left, "Top": box.top}


def detail(face: Face, attributes: Sequence[str] = ()) -> Json:
    """The face as a FaceDetail: its default attributes, and which of `attributes` can be judged."""
    judged = {"FaceOccluded": face.occluded, "Sunglasses": face.sunglasses}
    return {
        "BoundingBox": bounding_box(face.box),
        "Landmarks": [{"Type": name, "X": place.x, "Y": place.y} for name, place in face.landmarks.items()],
        "Pose": {"Roll": face.roll, "Yaw": face.yaw, "Pitch": face.pitch},
        "Quality": {"Brightness": face.brightness, "Sharpness": face.sharpness},
        "Confidence": face.confidence,
        **{
            member: _verdict(likely)
            for member, likely in judged.items()
            if likely is not None and ("ALL" in attributes or ATTRIBUTES[member] in attributes)
        },
    }


def _verdict(likely: float) -> Json:
    """Yes or no to something that is so likely (percent), and how sure that is."""
    return {"Value": likely >= 50, "Confidence": max(likely, 100 - likely)}


def _alike(one: Face, other: Face) -> float:
    a, b = (np.frombuffer(face.vector or b"", dtype="<f4").astype(np.float64) for face in (one, other))
    return similarity(float(np.linalg.norm(a - b)))
