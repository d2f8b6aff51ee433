"""The card of the ingest stage."""

from services.ingest.notes import RedatePhotos, ReleaseWaiting, TakeUpload
from services.ingest.records import KeyRecord, KeyState, RaceRecord, UploadedPhoto, Waiting
from shared.contracts.card import Call, Function, Queue, Stage, Step, Uploads
from shared.contracts.events import PhotoIngested, PhotoRejected, PhotoWithdrawn, RaceConfigured
from shared.contracts.metrics import REJECTED, UPLOADED

STAGE = Stage(
    name="ingest",
    purpose="Turns every upload into a picture that can be looked at and shown, or says why it cannot.",
    functions=(
        Function(
            name="intake",
            purpose="Checks, turns upright, strips and renders a photo; keeps which key holds which photo.",
            fed_by=Queue(
                hears=(RaceConfigured,),
                uploads=Uploads(deleted=True),
                notes=(TakeUpload, ReleaseWaiting, RedatePhotos),
                batch=5,
            ),
            says=(PhotoIngested, PhotoRejected, PhotoWithdrawn),
            keeps=(RaceRecord, KeyRecord, UploadedPhoto, Waiting),
            step=Step(name="ingest", waits="not taken in yet", progress=KeyState),
            calls=(
                Call(("s3:GetObject", "s3:GetObjectVersion"), on="photos"),
                # Without these S3 answers 403 for an object or a version that is gone, where 404 tells that it is.
                Call(("s3:ListBucket", "s3:ListBucketVersions"), on="photo-bucket"),
                Call(("s3:PutObject", "s3:DeleteObject"), on="processed"),
                Call(("s3:PutObject", "s3:DeleteObject"), on="previews"),
                Call(("s3:DeleteObject",), on="originals"),
                Call(
                    ("dynamodb:BatchGetItem", "dynamodb:DeleteItem", "dynamodb:PutItem", "dynamodb:Query"), on="table"
                ),
                Call(("events:PutEvents",), on="bus"),
                Call(("sqs:SendMessage",), on="queue"),
            ),
            measures=(UPLOADED, REJECTED),
            layers=("base", "pictures"),
            memory_mb=2048,
            timeout_s=120,
        ),
    ),
)
