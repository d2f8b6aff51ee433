"""The card of the faces stage."""

from services.faces import notes, records
from shared.contracts import events
from shared.contracts.card import Call, Function, Metered, Queue, Stage, Step

STAGE = Stage(
    name="faces",
    purpose="Finds the faces in a photo and works out, from faces and bibs together, who is in it.",
    functions=(
        Function(
            name="index",
            purpose="Puts a photo's faces into the race's collection.",
            fed_by=Queue(
                hears=(events.PhotoIngested, events.PhotoWithdrawn, events.RaceConfigured),
                notes=(notes.ReviewRace, notes.ReviewPhoto),
                batch=1,
                concurrency=50,
            ),
            says=(events.FacesIndexed,),
            keeps=(records.FacesSwitch, records.IndexedPhoto),
            step=Step(name="faces", waits="faces not looked for yet", progress=records.IndexingProgress),
            calls=(
                Call(
                    (
                        "rekognition:CreateCollection",
                        "rekognition:IndexFaces",
                        "rekognition:DeleteFaces",
                        "rekognition:ListFaces",
                    ),
                    on="collections",
                ),
                Call(("s3:GetObject",), on="processed"),
                # Without it S3 answers 403 for a picture that is gone, where 404 tells that it is.
                Call(("s3:ListBucket",), on="derived-bucket"),
                Call(("dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"), on="table"),
                Call(("events:PutEvents",), on="bus"),
                Call(("sqs:SendMessage",), on="queue"),
            ),
            metered=Metered(operation="IndexFaces", a_message=1, message_s=0.8),
            timeout_s=120,
        ),
        Function(
            name="identity",
            purpose="Weighs all evidence about photos and those that match them, and says who is in them.",
            fed_by=Queue(
                hears=(
                    events.BibsRead,
                    events.FacesIndexed,
                    events.PhotoWithdrawn,
                    events.BibCorrected,
                    events.MatchCut,
                ),
                notes=(notes.ResolvePhoto, notes.TidyPhoto, notes.SearchPhoto, notes.MatchRace),
                batch=25,
                window_s=5,
            ),
            says=(events.PhotoMatched,),
            keeps=(
                records.IdentifiedPhoto,
                records.Rounds,
                records.NewPhoto,
                records.EarlyPhoto,
                records.HiddenPhoto,
            ),
            step=Step(
                name="identity",
                waits="bibs and faces looked for, but not yet worked out who is there",
                progress=records.IdentityProgress,
            ),
            calls=(
                Call(("rekognition:SearchFaces",), on="collections"),
                Call(
                    ("dynamodb:BatchGetItem", "dynamodb:BatchWriteItem", "dynamodb:PutItem", "dynamodb:Query"),
                    on="table",
                ),
                Call(("events:PutEvents",), on="bus"),
                Call(("sqs:SendMessage",), on="queue"),
            ),
            # In a pause: a face or two of each photo are searched, one after the other.
            metered=Metered(operation="SearchFaces", a_message=1.5, message_s=0.4),
            timeout_s=120,
        ),
    ),
)
