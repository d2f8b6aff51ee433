"""The embedded AWS reads each of DynamoDB's expressions once."""

from typing import Any

import pytest

from local.aws import expressions
from shared.kit.table import Table


def test_a_condition_is_read_once_for_all_items(monkeypatch: pytest.MonkeyPatch) -> None:
    from ministack.services import dynamodb

    read: list[str] = []
    tokens_of = dynamodb._tokenize

    def reading(expression: str) -> list[tuple[str, str]]:
        read.append(expression)
        return tokens_of(expression)  # type: ignore[no-any-return]

    monkeypatch.setattr(dynamodb, "_tokenize", reading)
    monkeypatch.setattr(dynamodb, "_evaluate_condition", dynamodb._evaluate_condition)  # put back afterwards
    monkeypatch.setattr(dynamodb, "_condition_syntax_error", dynamodb._condition_syntax_error)  # put back afterwards
    expressions.read_each_once()

    def holds(condition: str, number: int) -> bool:
        return bool(dynamodb._evaluate_condition(condition, {"A": {"N": str(number)}}, {":a": {"N": "1"}}, {}))

    assert [[holds(f"A {sign} :a", number) for number in range(3)] for sign in ("=", ">")] == [
        [False, True, False],
        [False, False, True],
    ]
    assert read == ["A = :a", "A > :a"]
    for _ in range(2):
        with pytest.raises(ValueError, match="Syntax error"):
            holds("A = = :a", 1)


@pytest.mark.parametrize("condition", expressions.KNOWN)
def test_known_conditions_hold_where_ministack_says_so(condition: str) -> None:
    from ministack.services import dynamodb

    told = {":pk": "p", ":prefix": "b", ":low": "b", ":high": "d\uffff"}
    values = {name: {"S": text} for name, text in told.items() if name in condition}
    ours = expressions._knowing_ours(lambda *_, **__: pytest.fail("It is left to ministack."))
    for partition in ("p", "q"):
        for sort in ("a", "b", "bb", "c", "d", "d\U0001f3c3", "e", "한"):
            item = {"PK": {"S": partition}, "SK": {"S": sort}}
            asked: tuple[Any, ...] = (condition, item, values, {})
            assert ours(*asked, slot="KeyConditionExpression") == dynamodb._evaluate_condition(
                *asked, slot="KeyConditionExpression"
            )


def test_the_tables_ask_with_known_conditions() -> None:
    asked: list[str] = []

    class Client:
        def query(self, **request: Any) -> dict[str, Any]:
            asked.append(request["KeyConditionExpression"])
            return {"Items": []}

    table = Table(Client(), "table")  # type: ignore[arg-type]
    for query in (table.query("p"), table.query("p", "b"), table.between("p", "a", "b")):
        assert list(query) == []
    assert set(asked) == set(expressions.KNOWN)
