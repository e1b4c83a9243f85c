"""Entity metrics, held against two independent implementations and counted by hand."""

import random

import numpy as np
import pytest
from nervaluate import Evaluator
from seqeval.metrics import f1_score, precision_score, recall_score

from bimodal.metrics import CORPUS_METRICS, tag_metrics
from bimodal.statistics import bootstrap_interval
from bimodal.tags import marked, tagged_example
from bimodal.types import Example, Prediction

TAGS = ("O", "O", "B-PER", "I-PER", "B-LOC", "I-LOC", "B-ORG", "I-ORG")


def pairs(true: list[list[str]], predicted: list[list[str]]) -> tuple[list[Prediction], list[Example]]:
    words = [[f"w{i}" for i in range(len(tags))] for tags in true]
    examples = [tagged_example(str(n), words[n], tags) for n, tags in enumerate(true)]
    return [Prediction(str(n), marked(words[n], tags), 2.0, tuple(tags)) for n, tags in enumerate(predicted)], examples


def random_tags(seed: int) -> tuple[list[list[str]], list[list[str]]]:
    """References that are well formed, and predictions that agree in most places and break the rules in some."""
    draw = random.Random(seed)
    true: list[list[str]] = []
    for _ in range(40):
        tags = [draw.choice(TAGS) for _ in range(draw.randint(1, 12))]
        for at, tag in enumerate(tags):
            if tag.startswith("I-") and (at == 0 or tags[at - 1][2:] != tag[2:]):
                tags[at] = "B-" + tag[2:]
        true.append(tags)
    return true, [[tag if draw.random() < 0.7 else draw.choice(TAGS) for tag in tags] for tags in true]


@pytest.mark.parametrize("seed", range(5))
def test_micro_and_macro_scores_agree_with_seqeval(seed: int) -> None:
    true, predicted = random_tags(seed)
    found = tag_metrics(*pairs(true, predicted))
    assert found["entity_f1"].value == pytest.approx(f1_score(true, predicted), abs=1e-12)
    assert found["entity_precision"].value == pytest.approx(precision_score(true, predicted), abs=1e-12)
    assert found["entity_recall"].value == pytest.approx(recall_score(true, predicted), abs=1e-12)
    assert found["entity_f1_macro"].value == pytest.approx(f1_score(true, predicted, average="macro"), abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_scores_of_each_type_and_of_boundaries_agree_with_nervaluate(seed: int) -> None:
    true, predicted = random_tags(seed)
    other = Evaluator(true, predicted, tags=["PER", "LOC", "ORG"], loader="list").evaluate()
    found = tag_metrics(*pairs(true, predicted))
    assert found["entity_f1"].value == pytest.approx(other["overall"]["strict"].f1, abs=1e-12)
    assert found["span_f1"].value == pytest.approx(other["overall"]["exact"].f1, abs=1e-12)
    for kind in ("PER", "LOC", "ORG"):
        assert found[f"entity_f1_{kind}"].value == pytest.approx(other["entities"][kind]["strict"].f1, abs=1e-12)


def test_counts_by_hand() -> None:
    # PER right; LOC with a wrong end (spurious and missed); one ORG taken for a PER.
    true = [["B-PER", "O", "B-LOC", "I-LOC"], ["B-ORG"]]
    predicted = [["B-PER", "O", "B-LOC", "O"], ["B-PER"]]
    found = tag_metrics(*pairs(true, predicted))
    assert found["entity_f1"].value == pytest.approx(1 / 3)
    assert found["span_f1"].value == pytest.approx(2 / 3)
    assert found["entity_f1_PER"].value == pytest.approx(2 / 3)
    assert found["token_accuracy"].value == pytest.approx(3 / 5)
    assert found["bits_per_tag"].value == pytest.approx(4 / 5)
    assert found["bits_per_tag"].unit == "bits/tag"


def test_the_token_report_is_that_of_scikit_learn() -> None:
    # B-PER: precision 1/2, recall 1, F1 2/3; B-LOC: 0.
    found = tag_metrics(*pairs([["B-PER", "B-LOC", "O"]], [["B-PER", "B-PER", "O"]]))
    assert found["token_f1_macro"].value == pytest.approx(1 / 3)
    assert "scikit-learn" in found["token_f1_macro"].signature


def test_nothing_to_find_and_nothing_found_is_a_zero_not_an_error() -> None:
    assert tag_metrics(*pairs([["O"], ["O"]], [["O"], ["O"]]))["entity_f1"].value == 0.0


@pytest.mark.parametrize("name", ["entity_f1", "entity_f1_macro", "span_f1", "token_accuracy"])
def test_scores_follow_from_sums_and_can_be_resampled(name: str) -> None:
    predictions, examples = pairs(*random_tags(7))
    metric = CORPUS_METRICS[name]
    statistics = metric.statistics(predictions, examples)
    halves = metric.statistics(predictions[:20], examples[:20]).sum(0) + metric.statistics(
        predictions[20:], examples[20:]
    ).sum(0)
    assert np.array_equal(statistics.sum(0), halves)
    low, high = bootstrap_interval(statistics, metric.aggregate, seed=0, resamples=500) or (0, 0)
    assert low < metric.aggregate(statistics.sum(0)) < high


def test_a_type_that_a_resample_lacks_is_no_part_of_the_macro_average() -> None:
    metric = CORPUS_METRICS["entity_f1_macro"]
    statistics = metric.statistics(*pairs([["B-PER"], ["B-LOC"]], [["B-PER"], ["O"]]))
    assert float(metric.aggregate(2 * statistics[0])) == 1.0


def test_bits_per_tag_need_bits() -> None:
    predictions, examples = pairs([["B-PER"]], [["B-PER"]])
    assert "bits_per_tag" not in tag_metrics([Prediction("0", "", tags=("B-PER",))], examples)
    assert "bits_per_tag" in tag_metrics(predictions, examples)


def test_predictions_without_tags_are_refused() -> None:
    with pytest.raises(ValueError, match="Prediction '0' has no tags: entity metrics need them"):
        tag_metrics([Prediction("0", "x")], pairs([["O"]], [["O"]])[1])
