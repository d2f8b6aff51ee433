"""The card of a stage that a stream and a clock feed."""

from services.pulse.records import Heard
from shared.contracts.card import Call, Function, Schedule, Stage, Stream
from shared.contracts.events import PhotoMatched

STAGE = Stage(
    name="pulse",
    purpose="Remembers what it heard, and when it looked.",
    functions=(
        Function(
            name="listen",
            purpose="Remembers photos that came by the stream.",
            fed_by=Stream(hears=(PhotoMatched,)),
            keeps=(Heard,),
            calls=(Call(actions=("dynamodb:PutItem",), on="table"),),
        ),
        Function(name="look", purpose="Looks at the clock.", fed_by=Schedule(minutes=60)),
    ),
)
