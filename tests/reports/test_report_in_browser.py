"""Opens the report from the file system in headless Chromium with the network off."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bimodal_reports import compare, render

from .factories import make_dataset, make_run

pytestmark = pytest.mark.browser

_CANDIDATES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def chromium() -> str:
    found = next((path for name in _CANDIDATES if (path := shutil.which(name))), None)
    if found is None and os.environ.get("BIMODAL_BROWSER") == "required":
        pytest.fail(f"BIMODAL_BROWSER=required, but none of {', '.join(_CANDIDATES)} is on PATH.")
    return found or pytest.skip(f"No browser: none of {', '.join(_CANDIDATES)} is on PATH.")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = make_run(30, keep=(0.3, 0.9, 0.3))
    comparison = compare(run.manifest, run.results, run.predictions, run.probes)
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(render(run.manifest, run.results, comparison, run.pictures, curves=run.curves), "utf-8")
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    executable = chromium()
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=_FLAGS)
        yield browser
        browser.close()


class Opened:
    """A page with what it said and asked for."""

    def __init__(self, browser: Any, report: Path, *, width: int = 1280, scheme: str = "light") -> None:
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True, reduced_motion="reduce"
        )
        self.page = context.new_page()
        self.said: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(report.as_uri())

    def cards(self) -> int:
        return int(self.page.locator(".cards > li .target").count())

    def gains(self) -> list[float]:
        """Score of multimodal minus that of gpt, for each card, as shown."""
        scores = [
            [float(text.removeprefix("✓ ")) for text in card.locator(".score").all_inner_texts()]
            for card in self.page.locator(".cards > li").all()
        ]
        return [multimodal - gpt for gpt, multimodal, _ in scores]

    def background(self) -> str:
        return str(self.page.evaluate("getComputedStyle(document.body).backgroundColor"))


def test_the_console_stays_empty_and_nothing_is_requested(browser: Any, report: Path) -> None:
    opened = Opened(browser, report)
    opened.page.get_by_role("button", name="Next").click()
    others = [url for url in opened.requests if not url.startswith("data:") and url != report.as_uri()]
    assert (opened.said, others) == ([], [])


@pytest.mark.parametrize("width", [390, 768, 1280])
def test_the_page_never_scrolls_sideways(browser: Any, report: Path, width: int) -> None:
    opened = Opened(browser, report, width=width)
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_verdict_is_above_the_fold(browser: Any, report: Path) -> None:
    box = Opened(browser, report).page.locator("h1").bounding_box()
    figures = Opened(browser, report).page.locator(".figures").bounding_box()
    assert box["y"] < 300
    assert figures["y"] + figures["height"] < 900


def test_filters_show_as_many_examples_as_they_say(browser: Any, report: Path) -> None:
    opened = Opened(browser, report)
    output = opened.page.locator(".pages output")
    for name in ("all", "helped", "hurt", "right", "wrong"):
        face = opened.page.locator(f".filter label:has(input[value={name}])")
        count = int(face.locator("i").inner_text())
        face.click()
        assert opened.cards() == min(count, 12)
        assert output.inner_text().endswith(f"of {count}" if count else "0 examples")


def test_better_and_worse_mean_the_contestants_score(browser: Any, report: Path) -> None:
    opened = Opened(browser, report)
    opened.page.locator(".filter label:has(input[value=helped])").click()
    assert min(opened.gains()) >= 0
    opened.page.locator(".filter label:has(input[value=hurt])").click()
    assert max(opened.gains()) <= 0


def test_another_order_starts_at_the_first_page(browser: Any, report: Path) -> None:
    opened = Opened(browser, report)
    opened.page.get_by_role("button", name="Next").click()
    opened.page.get_by_label("Order").select_option("gain")
    assert opened.page.locator(".pages output").inner_text() == "1 to 12 of 30"


def test_filters_can_be_chosen_with_the_keyboard(browser: Any, report: Path) -> None:
    opened = Opened(browser, report)
    opened.page.locator(".filter input[value=all]").focus()
    opened.page.keyboard.press("ArrowRight")
    assert opened.page.locator(".filter input[value=helped]").is_checked()


def test_search_finds_words_of_references_and_outputs(browser: Any, report: Path) -> None:
    opened = Opened(browser, report)
    opened.page.get_by_label("Search").fill("SURFING")
    texts = opened.page.locator(".cards > li").all_inner_texts()
    assert texts
    assert all("surfing" in text for text in texts)
    opened.page.get_by_label("Search").fill("no such words")
    assert "No example fits" in opened.page.locator(".cards").inner_text()


def test_order_by_gain_puts_the_largest_first(browser: Any, report: Path) -> None:
    opened = Opened(browser, report)
    opened.page.get_by_label("Order").select_option("gain")
    # Scores are shown rounded, so neighbours may seem swapped by one.
    shown = opened.gains()
    assert all(first >= second - 1.01 for first, second in itertools.pairwise(shown))
    opened.page.get_by_label("Order").select_option("loss")
    assert opened.gains()[0] < shown[0]


def test_pages_are_turned(browser: Any, report: Path) -> None:
    opened = Opened(browser, report)
    first = opened.page.locator(".cards .target").first.inner_text()
    assert opened.page.get_by_role("button", name="Previous").is_disabled()
    opened.page.get_by_role("button", name="Next").click()
    assert opened.page.locator(".pages output").inner_text() == "13 to 24 of 30"
    opened.page.get_by_role("button", name="Previous").click()
    assert opened.page.locator(".cards .target").first.inner_text() == first


def test_pictures_are_shown(browser: Any, report: Path) -> None:
    widths = Opened(browser, report).page.eval_on_selector_all(".cards img", "all => all.map(i => i.naturalWidth)")
    assert widths == [64] * 12


def test_the_theme_follows_the_system_and_the_button(browser: Any, report: Path) -> None:
    light, dark = Opened(browser, report), Opened(browser, report, scheme="dark")
    assert light.background() != dark.background()
    ink = light.page.evaluate("getComputedStyle(document.querySelector('.chart svg text')).fill")
    light.page.locator("#theme").click()
    assert light.background() == dark.background()
    assert light.page.evaluate("getComputedStyle(document.querySelector('.chart svg text')).fill") != ink
    light.page.reload()
    assert light.background() == dark.background()


def test_charts_are_painted_in_the_contestants_colours(browser: Any, report: Path) -> None:
    page = Opened(browser, report).page
    strokes = set(
        page.eval_on_selector_all(".chart svg [stroke^='var(--c']", "all => all.map(e => getComputedStyle(e).stroke)")
    )
    assert strokes == {"rgb(31, 108, 176)", "rgb(194, 80, 12)"}


def test_text_is_readable_in_both_themes(browser: Any, report: Path) -> None:
    contrast = """() => {
      const parse = (color) => color.match(/[\\d.]+/g).slice(0, 3).map((v) => {
        const c = v / 255; return c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; });
      const luminance = (c) => 0.2126 * c[0] + 0.7152 * c[1] + 0.0722 * c[2];
      const page = luminance(parse(getComputedStyle(document.body).backgroundColor));
      return [...document.querySelectorAll('h1, p, td, th, dd, dt, small, .who, .outcome, figcaption, .score, .gain')]
        .filter((e) => e.textContent.trim())
        .map((e) => { const own = luminance(parse(getComputedStyle(e).color));
          return [(Math.max(own, page) + 0.05) / (Math.min(own, page) + 0.05), e.className + e.tagName]; })
        .filter(([ratio]) => ratio < 4.5);
    }"""
    for scheme in ("light", "dark"):
        assert Opened(browser, report, scheme=scheme).page.evaluate(contrast) == []


def test_samples_without_pictures_use_the_whole_card(
    browser: Any, report: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    def share(path: Path) -> float:
        page = Opened(browser, path).page
        card, target = page.locator(".cards > li").first, page.locator(".cards .target").first
        return float(target.bounding_box()["width"] / card.bounding_box()["width"])

    run = make_run(30)
    manifest = run.manifest.model_copy(update={"datasets": (make_dataset(modalities=("audio",)),)})
    comparison = compare(manifest, run.results, run.predictions, run.probes)
    plain = tmp_path_factory.mktemp("plain") / "report.html"
    plain.write_text(render(manifest, run.results, comparison, {}), "utf-8")
    assert share(report) < 0.9
    assert share(plain) == pytest.approx(1.0)
