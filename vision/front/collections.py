"""Collections and their tags.

CreateCollection, DeleteCollection, DescribeCollection, ListCollections; TagResource, UntagResource,
ListTagsForResource.
"""

from __future__ import annotations

import re

from vision.errors import InvalidParameterException
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
    """The end of a collection and of all its faces and users."""
    await backend.store.delete(request["CollectionId"])
    return {"StatusCode": 200}


async def describe_collection(backend: Backend, request: Json) -> Json:
    """How many faces and users, and since when."""
    collection = await backend.store.describe(request["CollectionId"])
    return {
        "FaceCount": collection.faces,
        "FaceModelVersion": FACE_MODEL_VERSION,
        "CollectionARN": arn(collection.name),
        "CreationTimestamp": round(collection.created, 3),
        "UserCount": collection.users,
    }


async def list_collections(backend: Backend, request: Json) -> Json:
    """The names of all collections, by pages."""
    page = await backend.store.names(request.get("NextToken"), page_size(request))
    return {
        "CollectionIds": page.items,
        "FaceModelVersions": [FACE_MODEL_VERSION] * len(page.items),
        "NextToken": page.token,
    }


async def tag_resource(backend: Backend, request: Json) -> Json:
    """More tags, or other values of those that are there."""
    await backend.store.tag(_tagged(request), request["Tags"], [])
    return {}


async def untag_resource(backend: Backend, request: Json) -> Json:
    """The end of some tags; those that are not there are passed over."""
    await backend.store.tag(_tagged(request), {}, request["TagKeys"])
    return {}


async def list_tags_for_resource(backend: Backend, request: Json) -> Json:
    """All tags."""
    return {"Tags": await backend.store.tags(_tagged(request))}


def page_size(request: Json) -> int:
    """How many things a page of a list holds at most."""
    return request.get("MaxResults") or MAX_PAGE


def _tagged(request: Json) -> str:
    """The collection that a ResourceArn names, in any region and account. Raises InvalidParameterException."""
    named = re.fullmatch(r"arn:aws[a-z-]*:rekognition:[a-z0-9-]+:\d{12}:collection/([^/]+)", request["ResourceArn"])
    if named is None:
        raise InvalidParameterException(f"{request['ResourceArn'][:100]} is no ARN of a collection.")
    return named[1]


def arn(name: str) -> str:
    """The collection's Amazon Resource Name; its region and account are always these."""
    return f"arn:aws:rekognition:us-east-1:000000000000:collection/{name}"
