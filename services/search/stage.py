"""The card of the search stage."""

from services.search.questions import SearchApi
from services.search.records import BibEntry, GalleryPhoto, GalleryProgress, Race, TimeEntry
from shared.contracts.api import Api
from shared.contracts.card import Call, Function, Queue, Stage, Step
from shared.contracts.events import PhotoIngested, PhotoMatched, PhotoWithdrawn, RaceConfigured
from shared.contracts.metrics import (
    INFERENCES,
    LATE,
    SEARCHABLE,
    SECONDS_TO_SEARCHABLE,
    SELFIES_FOUND,
    SELFIES_NOT_FOUND,
)

STAGE = Stage(
    name="search",
    purpose="Keeps the gallery and answers who is in which photo, by bib, by selfie and by time.",
    functions=(
        Function(
            name="gallery",
            purpose="Keeps the gallery table: a race's photos, and each runner's.",
            fed_by=Queue(
                hears=(RaceConfigured, PhotoIngested, PhotoMatched, PhotoWithdrawn), batch=50, window_s=5, concurrency=2
            ),
            keeps=(Race, GalleryPhoto, BibEntry, TimeEntry),
            step=Step(
                name="gallery", waits="worked out who is there, but not yet in the gallery", progress=GalleryProgress
            ),
            calls=(
                Call(
                    ("dynamodb:BatchGetItem", "dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem"), on="table"
                ),
            ),
            measures=(SEARCHABLE, LATE, SECONDS_TO_SEARCHABLE, INFERENCES),
        ),
        Function(
            name="api",
            purpose="Answers runners and machines.",
            fed_by=Api(SearchApi),
            calls=(
                Call(("rekognition:DetectFaces",), on="any"),
                Call(("rekognition:SearchFacesByImage",), on="collections"),
                Call(("s3:GetObject",), on="previews"),
                Call(("s3:GetObject",), on="photos"),
                # Without these S3 answers 403 for what is not there, where 404 tells that it is not.
                Call(("s3:ListBucket",), on="photo-bucket"),
                Call(("s3:ListBucket",), on="derived-bucket"),
                Call(("s3:GetObject", "s3:PutObject", "s3:PutObjectTagging"), on="originals"),
                Call(("dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Query"), on="table"),
            ),
            measures=(SELFIES_FOUND, SELFIES_NOT_FOUND),
            timeout_s=25,
            memory_mb=1024,
            reserved_concurrency=100,
        ),
    ),
)
