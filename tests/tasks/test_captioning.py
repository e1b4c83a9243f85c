from bimodal.types import Example, Prediction
from bimodal_tasks.captioning import TASK

EXAMPLES = (
    Example(id="1", text="", target="man farmer dark skin tone"),
    Example(id="2", text="", target="woman playing water polo"),
)


def score(*texts: str) -> dict[str, float]:
    predictions = [Prediction(example.id, text) for example, text in zip(EXAMPLES, texts, strict=True)]
    return {name: metric.value for name, metric in TASK.score(predictions, EXAMPLES).items()}


def test_the_targets_themselves_score_the_maximum() -> None:
    scores = score(*(example.target for example in EXAMPLES))
    assert scores[TASK.primary_metric] == 100.0
    assert scores["exact_match"] == 100.0


def test_other_words_score_less() -> None:
    wrong = score("woman farmer dark skin tone", "man playing water polo")
    assert 0.0 < wrong["bleu"] < 100.0
    assert wrong["exact_match"] == 0.0


def test_both_contestants_read_nothing() -> None:
    assert [TASK.prompt(example) for example in EXAMPLES] == ["", ""]


def test_the_margin_is_declared() -> None:
    record = TASK.record
    assert (record.primary_metric, record.margin) == ("bleu", 2.0)
