"""The card of the races stage."""

from services.races.records import RaceHeld, RaceOutcome, RefusedBibs, RosterHeld, RosterOutcome
from shared.contracts.card import Call, Function, Queue, Stage, Uploads
from shared.contracts.events import BibsRefused, RaceConfigured, RaceRejected, RosterImported, RosterRejected
from shared.contracts.keys import RACE_FILE, ROSTER_FILE

STAGE = Stage(
    name="races",
    purpose="Takes in race.json and roster.csv, checks them, and tells every stage what holds now.",
    functions=(
        Function(
            name="intake",
            purpose="Reads the uploaded file, keeps the outcome and which bibs the rules refuse, says it.",
            fed_by=Queue(uploads=Uploads(suffixes=(f"/{RACE_FILE}", f"/{ROSTER_FILE}")), concurrency=2),
            says=(RaceConfigured, RaceRejected, RosterImported, RosterRejected, BibsRefused),
            keeps=(RaceHeld, RosterHeld, RaceOutcome, RosterOutcome, RefusedBibs),
            calls=(
                Call(("s3:GetObject", "s3:GetObjectVersion"), on="photos"),
                # Without these S3 answers 403 for an object or a version that is gone, where 404 tells that it is.
                Call(("s3:ListBucket", "s3:ListBucketVersions"), on="photo-bucket"),
                Call(("s3:GetObject", "s3:PutObject"), on="rosters"),
                Call(("dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:PutItem"), on="table"),
                Call(("events:PutEvents",), on="bus"),
            ),
        ),
    ),
)
