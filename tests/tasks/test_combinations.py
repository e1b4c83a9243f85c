import pytest

from bimodal_tasks.openmoji.combinations import Combination, parse, parse_all


@pytest.mark.parametrize(
    ("code_points", "concept", "tone", "gender"),
    [
        ("1F34E", "1F34E", "none", "none"),  # red apple
        ("1F44D-1F3FF", "1F44D", "dark", "none"),  # thumbs up
        ("1F469-1F3FB-200D-1F33E", "1F9D1-1F33E", "light", "woman"),  # woman farmer
        ("1F9D1-200D-1F33E", "1F9D1-1F33E", "none", "person"),  # farmer
        ("1F46E-1F3FD-200D-2642", "1F46E", "medium", "man"),  # man police officer
        ("1F478-1F3FE", "1FAC5", "medium-dark", "woman"),  # princess
        ("1F385", "1F9D1-1F384", "none", "man"),  # Santa Claus
        ("1F46D-1F3FB", "1F9D1-1F91D-1F9D1", "light", "woman+woman"),  # women holding hands
        ("1F469-1F3FB-200D-1F91D-200D-1F469-1F3FF", "1F9D1-1F91D-1F9D1", "light+dark", "woman+woman"),
        ("1F468-1F3FD-200D-2764-200D-1F468-1F3FD", "1F9D1-2764-1F9D1", "medium", "man+man"),  # same tone twice
        ("1F46F-200D-2640", "1F9D1-1F430-1F9D1", "none", "woman+woman"),  # one sign speaks for both
        ("1F9DC-1F3FB-200D-2640", "1F9DC", "light", "woman"),  # mermaid
        ("1FAF1-1F3FB-200D-1FAF2-1F3FF", "1F91D", "light+dark", "none"),  # handshake, spelled as two hands
        ("2640", "2640", "none", "none"),  # the sign itself is no gender
    ],
)
def test_takes_an_emoji_apart(code_points: str, concept: str, tone: str, gender: str) -> None:
    assert parse(code_points) == Combination(concept, tone, gender)


def test_a_base_without_sign_is_a_person_where_its_concept_has_genders() -> None:
    parts = parse_all(["1F46E", "1F46E-200D-2640", "1F34E"])
    assert parts["1F46E"].gender == "person"
    assert parts["1F34E"].gender == "none"


def test_spellings_of_one_combination_are_one_concept() -> None:
    assert parse("1F491-1F3FB").concept == parse("1F9D1-1F3FB-200D-2764-200D-1F9D1-1F3FC").concept
