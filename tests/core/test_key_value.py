"""KEY=VALUE of the command line."""

from __future__ import annotations

import pytest

from benchtool.core.errors import UserError
from benchtool.core.key_value import values


def test_values_are_read_as_in_recipes() -> None:
    given = ["eps=1e-8", "blocks=2", "grey=true", "sizes=[8, 16]", "name=clahe", "path=a=b"]
    assert values(given) == {"eps": 1e-8, "blocks": 2, "grey": True, "sizes": [8, 16], "name": "clahe", "path": "a=b"}


@pytest.mark.parametrize(
    ("text", "said"),
    [("eps", "give NAME=VALUE"), ("eps=", "--set eps=: give NAME=VALUE"), ("=2", "--set =2: give"), ("a=[2", "--set a=[2: not valid YAML")],
)
def test_what_is_no_value(text: str, said: str) -> None:
    with pytest.raises(UserError) as error:
        values([text])
    assert said in str(error.value) and "\n" not in str(error.value)
