"""The card of the search stage."""

from shared.contracts.card import Call, Function, Route, Stage
from shared.contracts.events import PhotoIngested, PhotoMatched, PhotoWithdrawn, RaceConfigured

STAGE = Stage(
    name="search",
    purpose="Keeps the gallery and answers who is in which photo, by bib, by selfie and by time.",
    functions=(
        Function(
            name="gallery",
            purpose="Keeps the gallery table: a race's photos, and each runner's.",
            hears=(RaceConfigured, PhotoIngested, PhotoMatched, PhotoWithdrawn),
            calls=(
                Call(
                    actions=("dynamodb:BatchGetItem", "dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem"),
                    on="table",
                ),
            ),
            batch=50,
            window_s=5,
            concurrency=2,
        ),
        Function(
            name="api",
            purpose="Answers runners and machines.",
            serves=(
                Route(method="GET", path="/"),
                Route(method="GET", path="/page/{file}"),
                Route(method="GET", path="/races/{organizer_id}/{event_id}"),
                Route(method="GET", path="/races/{organizer_id}/{event_id}/photos"),
                Route(method="GET", path="/races/{organizer_id}/{event_id}/photos/{photo_id}"),
                Route(method="POST", path="/selfie"),
            ),
            calls=(
                Call(actions=("rekognition:DetectFaces",), on="any"),
                Call(actions=("rekognition:SearchFacesByImage",), on="collections"),
                Call(actions=("s3:GetObject",), on="derived"),
                Call(actions=("dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Query"), on="table"),
            ),
            timeout_s=29,
            memory_mb=1024,
        ),
    ),
)
