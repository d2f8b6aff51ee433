"""Users of a collection.

CreateUser, DeleteUser, ListUsers; AssociateFaces, DisassociateFaces; SearchUsers, SearchUsersByImage.
"""

from __future__ import annotations

from collections.abc import Sequence

from vision.collections.similarity import DEFAULT_THRESHOLD
from vision.collections.users import FoundUser, Refused, User
from vision.errors import InvalidParameterException
from vision.front.backend import Backend
from vision.front.collections import FACE_MODEL_VERSION
from vision.front.faces import MAX_FACES_IN_IMAGE, detail
from vision.front.protocol import Json

ASSOCIATION_THRESHOLD = 75.0
"""Rekognition's default UserMatchThreshold in AssociateFaces, in percent; in searches it is DEFAULT_THRESHOLD."""
MAX_PAGE = 500
DEFAULT_USERS = 80
"""MaxUsers where a search gives none. Rekognition does not say its own; it is that of MaxFaces."""


async def create_user(backend: Backend, request: Json) -> Json:
    """A new user without faces."""
    await backend.store.create_user(request["CollectionId"], request["UserId"], request.get("ClientRequestToken"))
    return {}


async def delete_user(backend: Backend, request: Json) -> Json:
    """The end of a user; her faces stay."""
    await backend.store.delete_user(request["CollectionId"], request["UserId"], request.get("ClientRequestToken"))
    return {}


async def list_users(backend: Backend, request: Json) -> Json:
    """The users of a collection, by pages."""
    limit = request.get("MaxResults", MAX_PAGE)
    page = await backend.store.users(request["CollectionId"], request.get("NextToken"), limit)
    return {"Users": [_user(user) for user in page.items], "NextToken": page.token}


async def associate_faces(backend: Backend, request: Json) -> Json:
    """Faces become a user's."""
    change = await backend.store.associate(
        *(request["CollectionId"], request["UserId"], request["FaceIds"]),
        request.get("UserMatchThreshold", ASSOCIATION_THRESHOLD),
        request.get("ClientRequestToken"),
    )
    return {
        "AssociatedFaces": [{"FaceId": face_id} for face_id in change.done],
        "UnsuccessfulFaceAssociations": [
            {**_refused(refused), "Confidence": refused.confidence} for refused in change.refused
        ],
        "UserStatus": change.status,
    }


async def disassociate_faces(backend: Backend, request: Json) -> Json:
    """Faces are a user's no more."""
    change = await backend.store.disassociate(
        *(request["CollectionId"], request["UserId"], request["FaceIds"]), request.get("ClientRequestToken")
    )
    return {
        "DisassociatedFaces": [{"FaceId": face_id} for face_id in change.done],
        "UnsuccessfulFaceDisassociations": [_refused(refused) for refused in change.refused],
        "UserStatus": change.status,
    }


async def search_users(backend: Backend, request: Json) -> Json:
    """Which users are like a face of the collection, or like another user."""
    if ("UserId" in request) == ("FaceId" in request):
        raise InvalidParameterException("A search for users has either a UserId or a FaceId.")
    name, limits = request["CollectionId"], _search_limits(request)
    if "FaceId" in request:
        found = await backend.store.search_users_by_face(name, request["FaceId"], *limits)
        searched: Json = {"SearchedFace": {"FaceId": request["FaceId"]}}
    else:
        found = await backend.store.search_users_by_user(name, request["UserId"], *limits)
        searched = {"SearchedUser": {"UserId": request["UserId"]}}
    return {**searched, "UserMatches": _matches(found), "FaceModelVersion": FACE_MODEL_VERSION}


async def search_users_by_image(backend: Backend, request: Json) -> Json:
    """Which users are like the largest face in a picture; no error if it shows none."""
    name = request["CollectionId"]
    await backend.store.describe(name)
    faces = await backend.faces(await backend.picture(request["Image"]), request.get("QualityFilter", "NONE"), embed=1)
    searched = next((face for face in faces if face.vector is not None), None)
    found = list[FoundUser]()
    if searched is not None:
        found = await backend.store.search_users(name, searched.vector or b"", *_search_limits(request))
    return {
        "UserMatches": _matches(found),
        "FaceModelVersion": FACE_MODEL_VERSION,
        "SearchedFace": {"FaceDetail": detail(searched)} if searched else None,
        "UnsearchedFaces": [
            {"FaceDetails": detail(face), "Reasons": face.reasons or ["FACE_NOT_LARGEST"]}
            for face in faces[:MAX_FACES_IN_IMAGE]
            if face is not searched
        ],
    }


def _search_limits(request: Json) -> tuple[float, int]:
    return request.get("UserMatchThreshold", DEFAULT_THRESHOLD), request.get("MaxUsers", DEFAULT_USERS)


def _matches(found: Sequence[FoundUser]) -> list[Json]:
    return [{"Similarity": each.similarity, "User": _user(each.user)} for each in found]


def _user(user: User) -> Json:
    return {"UserId": user.user_id, "UserStatus": user.status}


def _refused(refused: Refused) -> Json:
    reasons = [refused.reason] if refused.reason else []
    return {"FaceId": refused.face_id, "UserId": refused.user_id, "Reasons": reasons}
