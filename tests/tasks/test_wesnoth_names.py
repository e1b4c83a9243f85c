"""wesnoth: words, the table of names, its rules, and the agreement with a reader."""

from collections import Counter
from importlib import resources

import pytest

from bimodal.errors import DataError
from bimodal.tags import tagged_example
from bimodal_tasks.wesnoth.agreement import Reading, agreement, digest_of, read_readings
from bimodal_tasks.wesnoth.names import Name, Names, read_names
from bimodal_tasks.wesnoth.tagging import with_novelty
from bimodal_tasks.wesnoth.words import split_words

TABLE = Names.of(
    [
        Name.of("Ada", "PER"),
        Name.of("Ada’s Ford", "LOC"),
        Name.of("Hammer", "MISC", "mid"),
        Name.of("Rook", "LOC", "in:Liberty after:in,to"),
        Name.of("Rook", "PER"),
        Name.of("King Ada", "-"),
    ]
)


def tagged(text: str, campaign: str = "Liberty") -> str:
    return " ".join(TABLE.tags(split_words(text), campaign))


def test_punctuation_and_the_s_of_a_name_are_words_of_their_own() -> None:
    assert split_words("“Kapou’e’s son, Li’sar... don’t!”") == (
        *("“", "Kapou’e", "’s", "son", ",", "Li’sar", "...", "don’t", "!", "”"),
    )


def test_the_longest_name_wins() -> None:
    assert tagged("Ada is at Ada’s Ford") == "B-PER O O B-LOC I-LOC I-LOC"


def test_a_word_is_a_name_by_its_capital_only_where_no_sentence_begins() -> None:
    assert tagged("Hammer it. The Hammer! Hammer it.") == "O O O O B-MISC O O O O"


def test_the_first_row_whose_rule_holds_decides() -> None:
    assert tagged("Rook went to Rook") == "B-PER O O B-LOC"
    assert tagged("Rook went to Rook", "Dead_Water") == "B-PER O O B-PER"


def test_what_is_no_name_hides_the_name_in_it() -> None:
    assert tagged("King Ada, Ada") == "O O O B-PER"


@pytest.mark.parametrize(("kind", "rule"), [("PERSON", ""), ("PER", "sometimes"), ("PER", "near:a")])
def test_a_type_or_rule_that_does_not_exist_is_an_error(kind: str, rule: str) -> None:
    with pytest.raises(ValueError, match=r"Name 'Ada' has the (type|rule) .*(allowed|its parts are)"):
        Name.of("Ada", kind, rule)


def test_the_table_has_every_name_once_for_each_rule_and_says_of_the_undecided_why() -> None:
    names = read_names()
    keys = Counter((row.words, row.mid, row.campaigns, row.after) for row in names.rows)
    assert max(keys.values()) == 1
    assert len({row.words for row in names.rows if row.type != "-"}) > 500
    lines = (resources.files("bimodal_tasks.wesnoth") / "names.tsv").read_text(encoding="utf-8").splitlines()
    assert lines[0].split("\t") == ["name", "type", "rule", "note"]
    for line in lines[1:]:
        _name, kind, rule, note = line.split("\t")
        assert note or not (kind == "-" or rule)


def test_a_name_that_training_lacks_is_new() -> None:
    def example(identifier: str, name: str):
        return tagged_example(identifier, ["Hail", name], ["O", "B-PER"])

    plain = tagged_example("c", ["Hail"], ["O"])
    parts = with_novelty(
        {"train": (example("a", "Ada"),), "validation": (plain,), "test": (example("b", "Bo"), example("d", "Ada"))}
    )
    assert [row.meta["names"] for rows in parts.values() for row in rows] == ["known", "none", "some new", "known"]


def test_agreement_counts_names_and_words() -> None:
    rows = [
        tagged_example("1", ["Ada", "met", "Bo", "Rook"], ["B-PER", "O", "B-PER", "O"]),
        tagged_example("2", ["So", "be", "it", "."], ["O"] * 4),
    ]
    readings = [
        Reading("1", digest_of("Ada met Bo Rook"), ((0, 1, "PER"), (2, 4, "PER"))),
        Reading("2", digest_of("So be it ."), ()),
    ]
    found = agreement(rows, readings)
    assert (found.turns, found.names, found.entity_f1.value) == (2, 2, 0.5)
    # Seven of eight words agree; by chance (2 * 2 + 6 * 5) / 64 would.
    assert found.kappa == pytest.approx((7 / 8 - 34 / 64) / (1 - 34 / 64))


def test_agreement_is_of_the_texts_that_were_read() -> None:
    with pytest.raises(DataError, match=r"the turn 1 is not as it was .* bench data get wesnoth --force"):
        agreement([tagged_example("1", ["No"], ["O"])], [Reading("1", digest_of("Yes"), ())])


def test_two_hundred_turns_were_read() -> None:
    readings = read_readings()
    assert len({reading.id for reading in readings}) == 200
    assert sum(len(reading.names) for reading in readings) > 100
