"""The card of the tally stage."""

from services.tally.questions import TallyApi
from services.tally.records import PhotoTally
from shared.contracts.api import Api
from shared.contracts.card import Call, Function, Queue, Stage
from shared.contracts.events import PhotoMatched

STAGE = Stage(
    name="tally",
    purpose="Counts the runners that were found in a race's photos.",
    functions=(
        Function(
            name="count",
            purpose="Keeps how many runners each photo has.",
            fed_by=Queue(hears=(PhotoMatched,)),
            keeps=(PhotoTally,),
            calls=(Call(actions=("dynamodb:GetItem", "dynamodb:PutItem"), on="table"),),
        ),
        Function(
            name="api",
            purpose="Answers how many there are.",
            fed_by=Api(TallyApi),
            calls=(Call(actions=("dynamodb:Query",), on="table"),),
            timeout_s=25,
        ),
    ),
)
