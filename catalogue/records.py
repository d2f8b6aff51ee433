"""docs/records.md: what each stage keeps in its table, and which event each part comes from."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator

import msgspec

from catalogue.markdown import code, in_one_line, table, type_name
from services import cards
from shared.contracts.card import Stage
from shared.contracts.records import Record

HEAD = """# What the stages keep

Made from the stages' `records.py` by `python -m catalogue`; a test keeps it true. A stage has one table, if it keeps
anything, and others for what expires. The partition key is the race's unless it is named, the sort key is as given
here. Fields without an event are the stage's own. A view reads a part of another record's items.
"""


def pages() -> dict[str, str]:
    """The page."""
    return {"docs/records.md": HEAD + "".join(f"\n{part}" for card in cards() for part in _stage(card))}


def records_of(stage: str) -> list[type[Record]]:
    """All kinds of items that a stage's `records.py` declares, views too, in their order there."""
    try:
        module = importlib.import_module(f"services.{stage}.records")
    except ModuleNotFoundError:
        return []
    declared = [each for each in vars(module).values() if inspect.isclass(each) and issubclass(each, Record)]
    return [each for each in declared if each.__module__ == module.__name__ and hasattr(each, "SORT_KEY")]


def views(record: type[Record], stage: str) -> list[type[Record]]:
    """The views of a record."""
    return [each for each in records_of(stage) if each.VIEW and each.SORT_KEY == record.SORT_KEY]


def _stage(card: Stage) -> Iterator[str]:
    if card.keeps:
        yield f"## {card.name}\n"
    for record in card.keeps:
        kept_by = ", ".join(function.name for function in card.functions if record in function.keeps)
        yield f"### {card.name}: {record.__name__}\n\n{inspect.getdoc(record)}\n"
        yield f"{code(record.SORT_KEY)}{_where(record)}, kept by {kept_by}.\n"
        yield table(("field", "type", "from"), _fields(record))
        for view in views(record, card.name):
            read = ", ".join(map(code, view.__struct_encode_fields__))
            yield f"Read in part as {code(view.__name__)} ({read}):\n{in_one_line(view)}\n"


def _where(record: type[Record]) -> str:
    """Where a record is, when it is not in the race's partition of the stage's own table."""
    partition = f" in the partition {code(record.PARTITION)}" if record.PARTITION else ""
    return partition + (f" in the table {code(record.TABLE.name)}" if record.TABLE else "")


def _fields(record: type[Record]) -> Iterator[tuple[str, str, str]]:
    for field in msgspec.structs.fields(record):
        told = [said.__name__ for said, fields in record.FROM.items() if field.name in fields]
        yield code(field.name), type_name(field.type), ", ".join(told)
    for name in record.ALSO_STORED:
        yield code(name), "follows from the others", ""
