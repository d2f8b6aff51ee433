"""Why an upload or a race's file cannot be used: the closed list of reasons, each with what it means and what to do.

A rejection carries its reason as a code and as a sentence about that very file. What stands here is true of every file
with the reason, for pages and lists that are not about one file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

KeyReason = Literal["key_wrong_depth", "key_bad_id", "key_wrong_folder", "key_nested"]

PictureReason = Literal[
    "empty", "too_large", "not_an_image", "unsupported_format", "raw_format", "too_many_pixels", "too_small",
    "truncated", "corrupt", "too_many_copies", "archived", "encrypted",
]  # fmt: skip

RaceReason = Literal["race_too_large", "race_not_json", "race_invalid", "race_encrypted"]

RosterReason = Literal[
    "roster_too_large", "roster_not_text", "roster_spreadsheet", "roster_encoding", "roster_not_csv",
    "roster_no_bib_column", "roster_which_bib_column", "roster_too_wide", "roster_too_long",
    "roster_too_many_problems", "roster_empty", "roster_archived", "roster_encrypted",
]  # fmt: skip

Reason = KeyReason | PictureReason | RaceReason | RosterReason


class Explanation(NamedTuple):
    """Which stage says a reason, what the reason means, and what whoever sent the file can do: sentences."""

    stage: Literal["ingest", "races"]
    meaning: str
    remedy: str


_ELSEWHERE = "Upload it to {organizer_id}/{event_id}/raw_photos/{filename}."
_AS_CSV = "Save it as CSV (UTF-8) and upload that."

_INGEST: Mapping[KeyReason | PictureReason, tuple[str, str]] = {
    "key_wrong_depth": ("The folder raw_photos is not the third part of the key.", _ELSEWHERE),
    "key_bad_id": (
        "The organizer's or the race's id in the key is not well-formed.",
        "Use 1 to 64 letters, digits, '_', '.' or '-', with a letter or digit at both ends.",
    ),
    "key_wrong_folder": ("The folder is nearly, but not quite, called raw_photos.", _ELSEWHERE),
    "key_nested": (
        "The file lies in a folder below raw_photos.",
        "Move it up with snaprace strays, or upload it with snaprace upload, whose names keep the folders.",
    ),
    "empty": ("The file has no bytes.", "Upload it again."),
    "too_large": ("The file has more bytes than are taken.", "Save it with a higher compression."),
    "not_an_image": ("The file is not a picture.", "Upload photos as JPEG or PNG."),
    "unsupported_format": ("The file is of a known kind that is not read.", "Export it as JPEG and upload that."),
    "raw_format": (
        "The file is a camera's RAW file, as NEF, CR2, CR3, ARW or DNG, which no browser shows.",
        "Export it as JPEG and upload that.",
    ),
    "too_many_pixels": (
        "The picture has more pixels than are taken, or than can be decoded in its format.",
        "Save it smaller, as a baseline (not progressive) JPEG.",
    ),
    "too_small": ("The picture is too small, or so thin that nothing could be seen of it.", "Upload a larger one."),
    "truncated": ("The file ends in the middle of the picture.", "Upload it again."),
    "corrupt": ("The picture is damaged.", "Export it anew and upload that."),
    "archived": (
        "Nobody read the file for 90 days, for its race was not there; S3 has moved it to an archive.",
        "Upload it again.",
    ),
    "encrypted": (
        "The file is encrypted in S3 with a key that SnapRace does not have.",
        "Upload it again without a key of your own.",
    ),
    "too_many_copies": ("The same picture is already there under many names.", "Delete copies you do not need."),
}

_RACES: Mapping[RaceReason | RosterReason, tuple[str, str]] = {
    "race_too_large": ("race.json has more bytes than are read.", "Leave out what does not belong there."),
    "race_not_json": ("race.json is not JSON.", "Mend it where the rejection says."),
    "race_invalid": (
        "A field of race.json is missing, unknown or not what it should be.",
        "Mend the field that the rejection names.",
    ),
    "race_encrypted": (
        "race.json is encrypted in S3 with a key that SnapRace does not have.",
        "Upload it again without a key of your own.",
    ),
    "roster_too_large": (
        "roster.csv has more bytes than are read.",
        "Keep the columns bib and name and save it again.",
    ),
    "roster_not_text": ("roster.csv is not a text file.", _AS_CSV),
    "roster_spreadsheet": (
        "roster.csv is a spreadsheet's own file under another name.",
        "Import it with snaprace roster import, which reads .xlsx, .xls and .ods, or save it as CSV (UTF-8).",
    ),
    "roster_encoding": (
        "roster.csv is not UTF-8, and its letters do not tell which encoding it has.",
        "Save it as CSV (UTF-8), or import it with snaprace roster import --encoding NAME.",
    ),
    "roster_not_csv": (
        "roster.csv is text, but not CSV, as where a quote is not closed.",
        "Mend the line that the rejection names, or save it as CSV (UTF-8) and upload that.",
    ),
    "roster_no_bib_column": (
        "No column of roster.csv is called 'bib', or has another name that bibs are known to have.",
        "Write bib above that column, or import it with snaprace roster import --bib-column NAME.",
    ),
    "roster_which_bib_column": (
        "Several columns of roster.csv could have the bibs.",
        "Leave the others out, or import it with snaprace roster import --bib-column NAME.",
    ),
    "roster_too_wide": ("roster.csv has more columns than are read.", "Keep the columns bib and name."),
    "roster_too_long": ("roster.csv has more lines or runners than are read.", "Leave out who does not run."),
    "roster_too_many_problems": (
        "Too many rows of roster.csv cannot be used.",
        "Mend the rows, beginning with the one that is named.",
    ),
    "roster_archived": ("Nobody read roster.csv for 90 days; S3 has moved it to an archive.", "Upload it again."),
    "roster_encrypted": (
        "roster.csv is encrypted in S3 with a key that SnapRace does not have.",
        "Upload it again without a key of your own.",
    ),
    "roster_empty": ("roster.csv is empty, or no row of it can be used.", "Write one runner a line, with her bib."),
}

REASONS: Mapping[Reason, Explanation] = {
    **{reason: Explanation("ingest", *words) for reason, words in _INGEST.items()},
    **{reason: Explanation("races", *words) for reason, words in _RACES.items()},
}
