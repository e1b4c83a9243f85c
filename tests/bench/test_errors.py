"""errors: names that do not exist."""

from bimodal.errors import unknown_name


def test_the_nearest_name_is_suggested_and_all_are_listed() -> None:
    error = unknown_name("task", "captoning", ["ner", "captioning"])
    assert str(error) == "Unknown task 'captoning'. Did you mean 'captioning'? Available: captioning, ner."


def test_nothing_is_suggested_when_nothing_is_near() -> None:
    assert str(unknown_name("task", "xyzzy", ["ner"])) == "Unknown task 'xyzzy'. Available: ner."
