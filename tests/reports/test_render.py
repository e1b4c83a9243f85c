from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest

from bimodal.schema import CellResult, Comparison, Manifest, Reference
from bimodal_reports import compare, render
from bimodal_reports.render import embedded_json

from .factories import (
    FakeRun,
    make_config,
    make_dataset,
    make_failed,
    make_manifest,
    make_result,
    make_rows,
    make_run,
)

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&<!--"


class Outline(HTMLParser):
    """Tags with their attributes, the visible text, and the text of each script by id."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.scripts: dict[str, str] = {}
        self._inside: str | None = None
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self._inside = dict(attrs).get("id") or tag

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style"):
            self._inside = None

    def handle_data(self, data: str) -> None:
        if self._inside is None:
            self.text += data
        else:
            self.scripts[self._inside] = self.scripts.get(self._inside, "") + data


def rendered(run: FakeRun) -> str:
    comparison = compare(run.manifest, run.results, run.predictions, run.probes)
    return render(run.manifest, run.results, comparison, run.pictures, curves=run.curves)


@pytest.fixture(scope="module")
def run() -> FakeRun:
    return make_run(14, keep=(0.3, 0.9, 0.3))


@pytest.fixture(scope="module")
def html(run: FakeRun) -> str:
    return rendered(run)


@pytest.fixture(scope="module")
def hostile() -> str:
    gpt, multimodal = make_config("gpt"), make_config(f"m{HOSTILE}")
    rows = make_rows([HOSTILE, "a b c d"], [HOSTILE, "a b c d"])
    run = FakeRun(
        make_manifest(
            [gpt, multimodal, make_config("broken")],
            run_id=HOSTILE,
            command=HOSTILE,
            datasets=(make_dataset(description=HOSTILE, licence_url="javascript:alert(3)", attribution=HOSTILE),),
        ),
        (make_result(gpt, rows), make_result(multimodal, rows), make_failed(make_config("broken"), HOSTILE)),
        {gpt.cell: rows, multimodal.cell: rows},
        {},
        {},
        {gpt.cell: [{"step": 1, "validation_bits": 1.0}]},
    )
    return rendered(run)


def test_the_headline_is_the_verdict_with_its_number(html: str, run: FakeRun) -> None:
    gpt, multimodal = (result.metrics["bleu"].value for result in run.results)
    assert f"<h1>Seeing the picture raised BLEU by {multimodal - gpt:.1f} points.</h1>" in html
    assert html.index("<h1>") < html.index("<table")


def test_the_quotable_sentence_is_visible(html: str, run: FakeRun) -> None:
    comparison = compare(run.manifest, run.results, run.predictions, run.probes)
    assert comparison.tasks[0].pairs[0].verdict.sentence in Outline(html).text


@pytest.mark.parametrize(
    ("name", "read"),
    [("manifest", Manifest.model_validate), ("comparison", Comparison.model_validate)],
)
def test_embedded_records_read_back(html: str, run: FakeRun, name: str, read: type) -> None:
    record = read(json.loads(Outline(html).scripts[f"data-{name}"]))
    comparison = compare(run.manifest, run.results, run.predictions, run.probes)
    assert record == {"manifest": run.manifest, "comparison": comparison}[name]


def test_embedded_results_and_pictures_read_back(html: str, run: FakeRun) -> None:
    scripts = Outline(html).scripts
    results = tuple(CellResult.model_validate(value) for value in json.loads(scripts["data-results"]))
    pictures = {name: base64.b64decode(text) for name, text in json.loads(scripts["data-pictures"]).items()}
    assert (results, pictures) == (run.results, run.pictures)


def test_nothing_is_loaded_from_anywhere(html: str) -> None:
    loading = {"src", "srcset", "href", "xlink:href", "action", "data", "poster"}
    found = {
        (tag, value)
        for tag, attributes in Outline(html).tags
        for name, value in attributes.items()
        if name in loading and tag != "a" and not (value or "").startswith(("data:", "#"))
    }
    assert found == set()
    assert "@import" not in html
    assert re.findall(r"url\((?!#|data:)", html) == []


def test_the_policy_allows_the_pages_own_script_only(html: str) -> None:
    outline = Outline(html)
    policy = next(a["content"] for tag, a in outline.tags if a.get("http-equiv") == "Content-Security-Policy")
    digest = base64.b64encode(hashlib.sha256(outline.scripts["script"].encode()).digest()).decode()
    assert policy is not None
    assert f"script-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'")


def test_hostile_text_makes_no_element(hostile: str) -> None:
    outline = Outline(hostile)
    assert [tag for tag, _ in outline.tags if tag in ("img", "iframe", "object")] == []
    assert len([tag for tag, _ in outline.tags if tag == "script"]) == 5
    assert not any(name.startswith("on") for _, attributes in outline.tags for name in attributes)
    assert "alert(1)</script>" in outline.text


def test_embedded_json_has_no_character_that_html_reads() -> None:
    value = {HOSTILE: ["<!--<script>", "\u2028\u2029", "é"]}
    text = embedded_json(value)
    assert not set("<>&\u2028\u2029") & set(text)
    assert json.loads(text) == value


def test_hostile_text_survives_in_the_data(hostile: str) -> None:
    comparison = json.loads(Outline(hostile).scripts["data-comparison"])
    assert comparison["tasks"][0]["samples"][0]["target"] == HOSTILE


def test_only_web_addresses_become_links(hostile: str, html: str) -> None:
    assert [a["href"] for tag, a in Outline(hostile).tags if tag == "a"] == ["#main"]
    assert "https://creativecommons.org/licenses/by-sa/4.0/" in [a["href"] for t, a in Outline(html).tags if t == "a"]


def test_charts_take_their_colours_from_the_theme(html: str) -> None:
    charts = re.findall(r"<svg.*?</svg>", html, flags=re.DOTALL)
    assert len(charts) == 5
    for chart in charts:
        painted = set(re.findall(r'(?:fill|stroke)="([^"]+)"', chart))
        assert painted <= {"none", "transparent", *(c for c in painted if c.startswith("var(--"))}
        assert "var(--c1)" in painted


def test_charts_say_their_numbers_to_screen_readers(html: str, run: FakeRun) -> None:
    labels = [a["aria-label"] or "" for tag, a in Outline(html).tags if tag == "svg"]
    assert f"gpt {run.results[0].metrics['bleu'].value:.1f}" in " ".join(labels)


def test_each_contestant_keeps_its_colour(html: str) -> None:
    colors = re.findall(r'style="--who: (var\(--c\d\))">([^<]+)</span>', html)
    assert set(colors) == {("var(--c0)", "gpt"), ("var(--c1)", "multimodal")}


def test_every_score_is_shown_with_its_interval(html: str, run: FakeRun) -> None:
    text = Outline(html).text
    for result in run.results:
        metric = result.metrics["chrf"]
        assert metric.ci95 is not None
        assert f"{metric.value:.1f}" in text
        assert f"{metric.ci95[0]:.1f} to {metric.ci95[1]:.1f}" in text


def test_what_could_not_be_measured_is_unavailable_not_zero(html: str) -> None:
    assert Outline(html).text.count("unavailable") == 9


def test_credit_is_given_to_the_data(html: str) -> None:
    text = Outline(html).text
    assert "CC BY-SA 4.0" in text
    assert "All emojis designed by OpenMoji" in text


def test_the_command_is_shown(html: str) -> None:
    assert "<code>bench run --task captioning --model both --preset small</code>" in html


def test_a_failed_cell_is_shown_with_its_error_and_log(run: FakeRun) -> None:
    broken = make_config("audio-gpt")
    manifest = make_manifest([*run.manifest.cells, broken])
    results = (*run.results, make_failed(broken))
    text = Outline(rendered(FakeRun(manifest, results, run.predictions, run.probes, {}, {}))).text
    assert "DivergedError: the loss is not finite at step 12" in text
    assert f"cells/{broken.cell}/log.txt" in text


def test_missing_pictures_are_counted(run: FakeRun) -> None:
    one = dict(list(run.pictures.items())[:1])
    text = Outline(rendered(FakeRun(run.manifest, run.results, run.predictions, run.probes, one, {}))).text
    assert "13 of 14 pictures are missing" in text


def test_one_contestant_is_shown_without_a_verdict(run: FakeRun) -> None:
    single = FakeRun(make_manifest(run.manifest.cells[:1]), run.results[:1], run.predictions, {}, run.pictures, {})
    text = Outline(rendered(single)).text
    assert "No comparison." in text
    assert "With one contestant there is nothing to compare." in text


def test_a_run_without_any_result_is_shown(run: FakeRun) -> None:
    results = tuple(make_failed(cell) for cell in run.manifest.cells)
    text = Outline(rendered(FakeRun(run.manifest, results, {}, {}, {}, {}))).text
    assert "No contestant has a result." in text
    assert text.count("DivergedError") == 2


def test_the_same_run_renders_to_the_same_bytes(html: str, run: FakeRun) -> None:
    assert rendered(run) == html


def test_a_run_of_several_tasks_begins_with_a_way_to_each_and_its_verdict() -> None:
    run = make_run(12)
    comparison = compare(run.manifest, run.results, run.predictions, run.probes)
    twice = comparison.model_copy(update={"tasks": comparison.tasks * 2})
    one, two = (render(run.manifest, run.results, found, run.pictures) for found in (comparison, twice))
    assert '<nav class="tasks"' not in one
    index = two[two.index('<nav class="tasks"') : two.index("</nav>")]
    assert two.index("</nav>") < two.index('<article class="task"')
    for number in (0, 1):
        assert f'href="#task-{number}"' in index
        assert f'id="task-{number}"' in two
    outcome = comparison.tasks[0].pairs[0].verdict.outcome
    assert index.count(f'class="outcome {outcome}"') == 2


def test_a_reference_is_a_column_of_its_own_that_nobody_is_compared_with() -> None:
    run = make_run(12)
    bits = run.results[0].metrics["bits_per_byte"].model_copy(update={"value": 2.138})
    reference = Reference(name="5-gram Kneser-Ney", description="n-grams", metrics={"bits_per_byte": bits})
    results = [result.model_copy(update={"references": (reference,)}) for result in run.results]
    html = render(run.manifest, results, compare(run.manifest, results, run.predictions, run.probes), run.pictures)
    assert html.count(">5-gram Kneser-Ney<small>reference<") == 1
    assert "2.138" in html
