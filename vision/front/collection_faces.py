"""Faces in a collection: IndexFaces, ListFaces, DeleteFaces, SearchFaces and SearchFacesByImage."""

from __future__ import annotations

from vision.collections.database import Found, StoredFace
from vision.collections.similarity import DEFAULT_THRESHOLD
from vision.front.backend import Backend
from vision.front.collections import FACE_MODEL_VERSION, page_size
from vision.front.faces import MAX_FACES_IN_IMAGE, bounding_box, detail, largest
from vision.front.protocol import EXTENSION, Json

DEFAULT_MATCHES = 80
"""Rekognition's default MaxFaces in SearchFaces and SearchFacesByImage."""


async def index_faces(backend: Backend, request: Json) -> Json:
    """The faces of a picture into a collection; those of them that are there already stay what they are."""
    name, external_id = request["CollectionId"], request.get("ExternalImageId", "")
    await backend.store.describe(name)  # so that no picture is looked at for a collection that is not there
    limit = min(request.get("MaxFaces", MAX_FACES_IN_IMAGE), MAX_FACES_IN_IMAGE)
    picture = await backend.picture(request["Image"])
    faces = await backend.faces(picture, request.get("QualityFilter", "AUTO"), embed=limit)
    embedded = [face for face in faces if face.vector is not None]
    attributes = request.get("DetectionAttributes", [])
    stored = await backend.store.index(name, picture, external_id, embedded)
    return {
        "FaceRecords": [
            {"Face": _face(kept), "FaceDetail": detail(face, attributes)}
            for kept, face in zip(stored, embedded, strict=True)
        ],
        "UnindexedFaces": [
            {"Reasons": face.reasons or ["EXCEEDS_MAX_FACES"], "FaceDetail": detail(face, attributes)}
            for face in faces
            if face.vector is None
        ],
        "FaceModelVersion": FACE_MODEL_VERSION,
        EXTENSION: {
            "Faces": {kept.face_id: {"Clothes": face.clothes} for kept, face in zip(stored, embedded, strict=True)}
        },
    }


async def list_faces(backend: Backend, request: Json) -> Json:
    """The faces of a collection, or of one of its users, by pages."""
    page = await backend.store.faces(
        *(request["CollectionId"], request.get("NextToken"), page_size(request)),
        only=request.get("FaceIds"),
        user_id=request.get("UserId"),
    )
    return {
        "Faces": [_face(face) for face in page.items],
        "NextToken": page.token,
        "FaceModelVersion": FACE_MODEL_VERSION,
    }


async def delete_faces(backend: Backend, request: Json) -> Json:
    """The end of some faces; those of users stay."""
    asked = list(dict.fromkeys(request["FaceIds"]))
    removal = await backend.store.remove(request["CollectionId"], asked)
    return {
        "DeletedFaces": [face_id for face_id in asked if face_id in removal.removed],
        "UnsuccessfulFaceDeletions": [
            {
                "FaceId": face_id,
                "UserId": removal.users.get(face_id),
                "Reasons": ["ASSOCIATED_TO_AN_EXISTING_USER" if face_id in removal.users else "FACE_NOT_FOUND"],
            }
            for face_id in asked
            if face_id not in removal.removed
        ],
    }


async def search_faces(backend: Backend, request: Json) -> Json:
    """Who in the collection is like one of its faces."""
    face_id = request["FaceId"]
    found = await backend.store.search_face(request["CollectionId"], face_id, *_search_limits(request))
    return {
        "SearchedFaceId": face_id,
        "FaceMatches": [_match(match) for match in found],
        "FaceModelVersion": FACE_MODEL_VERSION,
    }


async def search_faces_by_image(backend: Backend, request: Json) -> Json:
    """Who in the collection is like the largest face in a picture."""
    name = request["CollectionId"]
    await backend.store.describe(name)
    picture = await backend.picture(request["Image"])
    searched = largest(await backend.faces(picture, request.get("QualityFilter", "NONE"), embed=1), "image")
    found = await backend.store.search(name, searched.vector or b"", *_search_limits(request))
    return {
        "SearchedFaceBoundingBox": bounding_box(searched.box),
        "SearchedFaceConfidence": searched.confidence,
        "FaceMatches": [_match(match) for match in found],
        "FaceModelVersion": FACE_MODEL_VERSION,
    }


def _search_limits(request: Json) -> tuple[float, int]:
    return request.get("FaceMatchThreshold", DEFAULT_THRESHOLD), request.get("MaxFaces", DEFAULT_MATCHES)


def _face(face: StoredFace) -> Json:
    return {
        "FaceId": face.face_id,
        "BoundingBox": bounding_box(face.box),
        "ImageId": face.image_id,
        "ExternalImageId": face.external_id or None,
        "Confidence": face.confidence,
        "IndexFacesModelVersion": FACE_MODEL_VERSION,
        "UserId": face.user_id,
    }


def _match(found: Found) -> Json:
    return {"Similarity": found.similarity, "Face": _face(found.face)}
