"""The description of the search API. `python -m tests.contracts.openapi` writes its schemas anew from the types."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import yaml

from services.search import answers

FILE = Path(__file__).parents[2] / "docs" / "openapi-search.yaml"
ANSWERS = {
    "race": answers.RaceAnswer,
    "photos": answers.PhotosAnswer,
    "photo": answers.OnePhotoAnswer,
    "selfie": answers.SelfieAnswer,
}
_MARK = "  schemas:\n"


def document() -> dict[str, Any]:
    """The description as it stands."""
    loaded: dict[str, Any] = yaml.safe_load(FILE.read_text("utf-8"))
    return loaded


def schemas() -> dict[str, Any]:
    """What the types say the schemas are."""
    types = [*ANSWERS.values(), answers.ErrorAnswer]
    components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")[1]
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(components))  # defaults, too, as they are in JSON
    for schema in plain.values():
        schema["description"] = " ".join(schema["description"].split())
    return plain


def main() -> None:
    before = FILE.read_text("utf-8").partition(_MARK)[0]
    text: str = yaml.safe_dump({"schemas": schemas()}, sort_keys=False, width=110, allow_unicode=True)
    FILE.write_text(before + "".join(f"  {line}\n" for line in text.splitlines()), "utf-8")


if __name__ == "__main__":
    main()
