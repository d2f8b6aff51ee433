"""The operations of Rekognition that this server offers, each from a checked request to an answer, by subject.

text              DetectText
faces             DetectFaces, CompareFaces
collections       collections themselves, and their tags
collection_faces  indexing, listing, deleting and searching the faces of a collection
users             people in a collection, each of several faces
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable

from vision.errors import UnknownOperationException
from vision.front import collection_faces, collections, faces, text, users
from vision.front.backend import Backend
from vision.front.protocol import Json

OPERATIONS: dict[str, Callable[[Backend, Json], Awaitable[Json]]] = {
    "AssociateFaces": users.associate_faces,
    "CompareFaces": faces.compare_faces,
    "CreateCollection": collections.create_collection,
    "CreateUser": users.create_user,
    "DeleteCollection": collections.delete_collection,
    "DeleteFaces": collection_faces.delete_faces,
    "DeleteUser": users.delete_user,
    "DescribeCollection": collections.describe_collection,
    "DetectFaces": faces.detect_faces,
    "DetectText": text.detect_text,
    "DisassociateFaces": users.disassociate_faces,
    "IndexFaces": collection_faces.index_faces,
    "ListCollections": collections.list_collections,
    "ListFaces": collection_faces.list_faces,
    "ListTagsForResource": collections.list_tags_for_resource,
    "ListUsers": users.list_users,
    "SearchFaces": collection_faces.search_faces,
    "SearchFacesByImage": collection_faces.search_faces_by_image,
    "SearchUsers": users.search_users,
    "SearchUsersByImage": users.search_users_by_image,
    "TagResource": collections.tag_resource,
    "UntagResource": collections.untag_resource,
}


class Rekognition:
    """The operations over a backend. `requests` counts what was asked, by operation."""

    def __init__(self, backend: Backend) -> None:
        self.requests: Counter[str] = Counter()
        self._backend = backend

    async def perform(self, operation: str, request: Json) -> Json:
        """The answer of one of OPERATIONS. Raises ServiceError."""
        self.requests[operation] += 1
        return await OPERATIONS[operation](self._backend, request)


def check_offered(operation: str) -> None:
    """Raises UnknownOperationException for an operation that Rekognition has and this server has not."""
    if operation not in OPERATIONS:
        raise UnknownOperationException(f"This server does not offer {operation}. It offers {', '.join(OPERATIONS)}.")
