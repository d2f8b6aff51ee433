"""Why somebody is, or is not, in a photo, in sentences for a person. Pure: what is known comes from ops.look.photo."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from ops.look.photo import PhotoReport
from ops.look.status import UploadState
from ops.reach.words import counted
from services.search.records import ExplainedRunner
from shared.contracts.events import Bibs, Box, Evidence, Why

_NAMED = 3  # photos that a sentence names; the evidence has them all


class WhyHere(msgspec.Struct, frozen=True, kw_only=True):
    """A runner in the photo; `face` counts from the left from 1, None where she is known by her bib alone."""

    bib: str
    status: str
    confidence: float
    read: bool
    face: int | None
    because: tuple[str, ...]
    against: tuple[str, ...]
    evidence: tuple[Evidence, ...]


class SeenFace(msgspec.Struct, frozen=True, kw_only=True):
    """A face; `number` counts from the left from 1, `bib` is whose it is, None where nobody knows."""

    number: int
    bib: str | None
    box: Box
    confidence: float


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """All there is to say of a photo. `summary` is one sentence, other texts are several.

    `taken_at_sure` is whether the camera itself says when it was taken; `taken_at_notes` say more of the time.
    """

    photo_id: str | None
    filename: str
    taken_at: str | None
    taken_at_sure: bool
    taken_at_notes: tuple[str, ...]
    uploads: tuple[UploadState, ...]
    summary: str
    read: tuple[str, ...]
    faces: tuple[SeenFace, ...]
    faces_summary: str
    runners: tuple[WhyHere, ...]
    strangers: tuple[str, ...]
    said: tuple[str, ...]
    waits: tuple[str, ...]


def explain(photo: PhotoReport) -> Explanation:
    """Explain a photo."""
    runners = photo.answer.runners if photo.answer else ()
    return Explanation(
        photo_id=photo.photo_id,
        filename=photo.filename,
        taken_at=photo.answer.taken_at if photo.answer else None,
        taken_at_sure=_is_sure(photo),
        taken_at_notes=tuple(_time_notes(photo)),
        uploads=photo.uploads,
        summary=_summary(photo.uploads[0]),
        read=tuple(_read(photo)),
        faces=tuple(_faces(photo)),
        faces_summary=_faces_summary(photo),
        runners=tuple(_why_here(runner, photo) for runner in runners),
        strangers=tuple(_strangers(photo)),
        said=tuple(_said(photo)),
        waits=tuple(_waits(photo)),
    )


def explain_upload(upload: UploadState) -> Explanation:
    """Explain an upload that is of no race."""
    return Explanation(
        photo_id=None,
        filename=upload.filename,
        taken_at=None,
        taken_at_sure=False,
        taken_at_notes=(),
        uploads=(upload,),
        summary=_summary(upload),
        read=(),
        faces=(),
        faces_summary="",
        runners=(),
        strangers=(),
        said=(),
        waits=(),
    )


def _summary(upload: UploadState) -> str:
    match upload.state:
        case "searchable":
            return "Searchable: runners find it."
        case "rejected":
            return f"Rejected ({upload.reason}): {upload.message}"
        case "dead-lettered":
            return "Given up: what is said about it below could not be handled (snaprace dlq)."
        case "waiting":
            return "Waiting for its race to be created (snaprace race create)."
        case "in progress":
            return "In progress."


_STANDS_IN = {
    "DateTimeDigitized": "DateTimeDigitized, when the picture was stored",
    "DateTime": "DateTime, when the file was last changed",
}


def _is_sure(photo: PhotoReport) -> bool:
    capture = photo.taken_in.capture if photo.taken_in else None
    return capture is not None and capture.field is None


def _time_notes(photo: PhotoReport) -> Iterator[str]:
    """Why the photo has no time although its file has one, or why its time is less sure."""
    if photo.taken_in is None or photo.taken_in.look is None:
        return
    claimed = photo.taken_in.look.capture
    if no_time := photo.taken_in.look.no_time:
        yield f"The file says '{no_time}' where the time should be, so the photo has none. Set the camera's clock."
    elif claimed and photo.taken_in.clock_ahead:
        yield (
            f"The camera says {claimed.local}, which was still to come when the photo was uploaded, so it has no time. "
            "Set the camera's clock."
        )
    elif claimed and claimed.field:
        yield f"The camera does not say when it took the photo: the time is {_STANDS_IN[claimed.field]}, and less sure."


def _read(photo: PhotoReport) -> Iterator[str]:
    if photo.read is None:
        return
    if photo.read.unreadable:
        yield f"No bib can be read: {photo.read.unreadable}"
        return
    bibs = photo.read.bibs or Bibs()
    yield f"{counted(len(photo.read.words), 'word')} read, of which {counted(len(bibs.readings), 'bib')}."
    for reading in bibs.readings:
        roster = "on the roster" if reading.verified else "no roster says whether that bib exists"
        spelt = "" if reading.text == reading.bib else f" (printed {reading.text})"
        name = ", and her name stands by it" if reading.named else ""
        few = ", which has few bibs like it: by itself it is read less surely" if reading.by_roster else ""
        yield f"Bib {reading.bib}{spelt}, {reading.confidence:.1f}% sure, {roster}{few}{name}."
    for suggestion in bibs.suggestions:
        sight = f"'{suggestion.text}', {suggestion.confidence:.1f}% sure"
        if suggestion.guess == "weak":
            yield f"{sight}, is a bib of the roster, but read less surely than the race asks for."
        else:
            yield f"{sight}, is no bib of the roster, but one character off {suggestion.bib}."
    for partial in bibs.partials or ():
        fits = f"only {partial.bib} on the roster fits" if partial.bib else "alone it does not say which"
        yield f"'{partial.text}', {partial.confidence:.1f}% sure, is a part of a bib ({partial.pattern}): {fits}."


def _faces(photo: PhotoReport) -> Iterator[SeenFace]:
    owners = {photo.face_number(runner.bib): runner.bib for runner in photo.identified.runners}
    for number, face in enumerate(photo.faces, start=1):
        yield SeenFace(number=number, bib=owners.get(number), box=face.box, confidence=face.confidence)


def _strangers(photo: PhotoReport) -> Iterator[str]:
    """The faces of which nobody knows whose they are, and why not."""
    for seen, face in zip(_faces(photo), photo.faces, strict=True):
        if seen.bib is not None:
            continue
        matches = photo.identified.matches.get(face.face_id, {}).values()
        alike = sorted(matches, key=lambda other: -other.similarity)
        if alike:
            listed = _listed([(other.photo_id, f"{other.similarity:.1f}% alike") for other in alike], photo)
            others = counted(len(alike), "other photo")
            where = f"also in {others} ({listed}), which do not say either, or not surely enough"
        elif photo.unmatched:
            where = "not compared with the other photos yet"
        else:
            where = "in no other photo"
        yield f"Nobody knows whose face {seen.number} is: no bib of hers is read here, and it is {where}."


def _faces_summary(photo: PhotoReport) -> str:
    if photo.faces_on is None:
        return "not looked for yet" if photo.photo_id else ""
    if not photo.faces_on:
        return "switched off for this race: nothing biometric is computed"
    if photo.faceless:
        return f"cannot be looked for: {photo.faceless}"
    number = len(photo.faces)
    return counted(number, "face") + (", counted from the left" if number > 1 else "") if number else "none found"


def _why_here(runner: ExplainedRunner, photo: PhotoReport) -> WhyHere:
    supporting = [each for each in runner.evidence if each.bib == runner.bib]
    contrary = [each for each in runner.evidence if each.bib != runner.bib]
    face = photo.face_number(runner.bib)
    because = list(_reasons(supporting, photo, "below this face" if face else "here, below no face"))
    if runner.read and not any(each.kind == "reading" for each in supporting):
        because.append("Her bib is read here.")
    return WhyHere(
        bib=runner.bib,
        status=runner.status,
        confidence=runner.confidence,
        read=runner.read,
        face=face,
        because=tuple(because),
        against=tuple(_reasons(contrary, photo, "below this face")),
        evidence=runner.evidence,
    )


def _reasons(evidence: Iterable[Evidence], photo: PhotoReport, place: str) -> Iterator[str]:
    """One sentence for each reason; matches of the same bib share one. `place` is where in the photo a bib is read."""
    matches: dict[str, list[Evidence]] = defaultdict(list)
    for each in evidence:
        match each.kind:
            case "organizer":
                yield f"An organizer says that {each.bib} is here."
            case "reading":
                name = ", and her name stands by it" if each.named else ""
                yield f"Bib {each.bib} is read {place}{name}, {each.score:.1f}% sure."
            case "suggestion":
                yield f"{_guessed(each, place)}, {each.score:.1f}% sure."
            case "match":
                matches[each.bib].append(each)
    for bib, found in matches.items():
        where = f"another photo, where she wears {bib}" if len(found) == 1 else f"{len(found)} photos with bib {bib}"
        best = [(each.photo_id, _alike(each)) for each in sorted(found, key=lambda other: -other.score)]
        yield f"This face is also in {where}: {_listed(best, photo)}."


def _guessed(guess: Evidence, place: str) -> str:
    """What is read of a bib that is only guessed."""
    if guess.pattern:
        return f"A part of a number that {guess.bib} fits ({guess.pattern}) is read {place}"
    if guess.guess == "weak":
        return f"Bib {guess.bib} is read {place}, but weakly"
    return f"A number one character off {guess.bib} is read {place}"


def _listed(best: Sequence[tuple[str | None, str]], photo: PhotoReport) -> str:
    """Photos by name with how alike they are, the first few of them."""
    listed = [f"{photo.name_of(photo_id)}, {alike}" for photo_id, alike in best[:_NAMED]]
    return "; ".join(listed) + (f"; and {len(best) - _NAMED} more" if len(best) > _NAMED else "")


_WHY: dict[Why, str] = {
    "covered": "something covers a face",
    "blurred": "the faces are blurred",
    "clothes_alike": "the clothes are alike",
    "clothes_unlike": "the clothes differ",
    "seconds_apart": "one camera took both within seconds",
}


def _alike(match: Evidence) -> str:
    if not match.worth or round(match.worth, 1) == round(match.score, 1):
        return f"{match.score:.1f}% alike"
    why = ", ".join(_WHY[each] for each in match.why or ())
    return f"{match.score:.1f}% alike (counts as {match.worth:.1f}%{': ' if why else ''}{why})"


def _said(photo: PhotoReport) -> Iterator[str]:
    for correction in photo.identified.corrections:
        number = photo.face_at(correction.box) if correction.box else None
        face = f", face {number}" if number else ""
        yield f"An organizer said: {correction.bib} is {'' if correction.here else 'not '}in this photo{face}."
    for cut in photo.identified.cuts:
        if cut.cut:
            number = photo.face_at(cut.box)
            face = f"face {number}" if number else "a face"
            yield f"An organizer said: {face} here and one in {photo.name_of(cut.other_photo_id)} are different people."


def _waits(photo: PhotoReport) -> Iterator[str]:
    for upload in photo.uploads:
        if upload.waits_for and upload.state != "waiting":
            yield f"{upload.filename}: {upload.why}."
    for letter in photo.dead_letters:
        yield f"{letter.what} lies in {letter.queue.name}: {letter.reason}, {letter.error}."
    if photo.unmatched:
        yield "Its faces are compared with all others when uploads make a pause."
