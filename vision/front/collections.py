"""Collections: CreateCollection, DeleteCollection, DescribeCollection and ListCollections."""

from __future__ import annotations

from vision.collections.store import after_name
from vision.front.backend import Backend
from vision.front.protocol import Json

FACE_MODEL_VERSION = "7.0"
MAX_PAGE = 4096


async def create_collection(backend: Backend, request: Json) -> Json:
    """A new, empty collection."""
    name = request["CollectionId"]
    await backend.store.create(name, request.get("Tags", {}))
    return {"StatusCode": 200, "CollectionArn": arn(name), "FaceModelVersion": FACE_MODEL_VERSION}


async def delete_collection(backend: Backend, request: Json) -> Json:
    """The end of a collection and of all its faces."""
    await backend.store.delete(request["CollectionId"])
    return {"StatusCode": 200}


async def describe_collection(backend: Backend, request: Json) -> Json:
    """How many faces, and since when."""
    collection = await backend.store.describe(request["CollectionId"])
    return {
        "FaceCount": collection.faces,
        "FaceModelVersion": FACE_MODEL_VERSION,
        "CollectionARN": arn(collection.name),
        "CreationTimestamp": round(collection.created, 3),
        "UserCount": 0,
    }


async def list_collections(backend: Backend, request: Json) -> Json:
    """The names of all collections, by pages."""
    limit = page_size(request)
    names = await backend.store.names(after_name(request.get("NextToken", "")), limit + 1)
    page = names[:limit]
    return {
        "CollectionIds": page,
        "FaceModelVersions": [FACE_MODEL_VERSION] * len(page),
        "NextToken": page[-1] if len(names) > limit else None,
    }


def page_size(request: Json) -> int:
    """How many things a page of a list holds at most."""
    return request.get("MaxResults") or MAX_PAGE


def arn(name: str) -> str:
    """The collection's Amazon Resource Name; its region and account are always these."""
    return f"arn:aws:rekognition:us-east-1:000000000000:collection/{name}"
