"""What holds for the records and notes of all stages, found where they lie."""

from __future__ import annotations

import importlib
import inspect
import string
from collections.abc import Iterator
from itertools import combinations

import msgspec
import pytest

from catalogue.records import records_of
from services import cards
from shared.contracts.card import Queue
from shared.contracts.notes import Note, tag_of
from shared.contracts.records import Record

RECORDS = [(card.name, record) for card in cards() for record in records_of(card.name)]
each_record = pytest.mark.parametrize(
    ("stage", "record"), RECORDS, ids=[f"{stage}.{record.__name__}" for stage, record in RECORDS]
)


def _keys(record: type[Record]) -> list[str]:
    """The fields that its sort key is made of."""
    return [field for _, field, _, _ in string.Formatter().parse(record.SORT_KEY) if field]


def _literal(record: type[Record]) -> str:
    """How all of its sort keys begin."""
    return record.SORT_KEY.partition("{")[0]


@each_record
def test_a_sort_key_is_made_of_fields_or_properties(stage: str, record: type[Record]) -> None:
    known = set(record.__struct_fields__) | {
        name for name, _ in inspect.getmembers(record, lambda each: isinstance(each, property))
    }
    assert set(_keys(record)) <= known


@each_record
def test_what_comes_from_an_event_is_a_field(stage: str, record: type[Record]) -> None:
    for said, fields in record.FROM.items():
        assert set(fields) <= set(record.__struct_fields__), said


@each_record
def test_what_is_stored_besides_is_a_property(stage: str, record: type[Record]) -> None:
    assert all(isinstance(getattr(record, name), property) for name in record.ALSO_STORED)


def _views() -> Iterator[tuple[str, type[Record]]]:
    return ((stage, record) for stage, record in RECORDS if record.VIEW)


@pytest.mark.parametrize(("stage", "view"), _views(), ids=lambda each: getattr(each, "__name__", each))
def test_a_view_reads_what_the_record_of_the_same_key_stores(stage: str, view: type[Record]) -> None:
    (whole,) = (each for name, each in RECORDS if name == stage and not each.VIEW and each.SORT_KEY == view.SORT_KEY)
    stored = {field.encode_name: field.type for field in msgspec.structs.fields(whole)}
    for field in msgspec.structs.fields(view):
        assert field.encode_name in {*stored, *whole.ALSO_STORED}
        assert stored.get(field.encode_name, field.type) == field.type


def test_what_is_kept_is_on_a_card_and_what_is_on_a_card_is_kept_here() -> None:
    for card in cards():
        assert set(card.keeps) == {record for record in records_of(card.name) if not record.VIEW}


def test_no_two_records_of_a_stage_share_a_beginning_of_their_sort_keys() -> None:
    """Else a query for the ones would find the others, and a record could lie where another does."""
    for card in cards():
        for one, other in combinations(card.keeps, 2):
            begin, end = sorted((_literal(one), _literal(other)), key=len)
            apart = (one.TABLE, one.PARTITION) != (other.TABLE, other.PARTITION)
            assert apart or not end.startswith(begin), (one, other)


def test_the_tags_of_notes_are_unique_among_all_stages() -> None:
    tags = [tag_of(note) for card in cards() for note in _notes(card.name)]
    assert len(set(tags)) == len(tags) > 0


def test_a_stage_has_no_notes_but_those_on_its_card() -> None:
    for card in cards():
        queues = [function.fed_by for function in card.functions if isinstance(function.fed_by, Queue)]
        assert {note for queue in queues for note in queue.notes} == set(_notes(card.name))


def _notes(stage: str) -> list[type[Note]]:
    try:
        module = importlib.import_module(f"services.{stage}.notes")
    except ModuleNotFoundError:
        return []
    declared = [each for each in vars(module).values() if inspect.isclass(each) and issubclass(each, Note)]
    return [each for each in declared if each is not Note]
