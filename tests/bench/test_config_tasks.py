"""config.plan: several tasks, languages, and speech that would give an answer away."""

import pytest

from bimodal import registry
from bimodal.config import Request, plan
from bimodal.errors import UsageError

ESPEAK = "data.speech.engine=espeak"


def test_all_is_every_task_on_its_own_data_set() -> None:
    cells = plan(Request("all", preset="smoke"))
    assert [cell.task for cell in cells[::2]] == sorted(registry.summaries("task"))
    assert all(cell.data.name == registry.load_task(cell.task).default_dataset for cell in cells)
    assert all(cell.data.task == cell.task for cell in cells)


def test_all_takes_no_data_set() -> None:
    with pytest.raises(UsageError, match="--task all takes each task's own data set: leave --dataset openmoji out"):
        plan(Request("all", dataset="openmoji"))


@pytest.mark.parametrize(("task", "language"), [("captioning", "en"), ("translation", "de")])
def test_a_language_left_open_is_the_data_sets_default_for_the_task(task: str, language: str) -> None:
    assert {cell.data.language for cell in plan(Request(task, preset="smoke"))} == {language}


def test_a_language_can_be_chosen_and_an_unknown_one_is_refused() -> None:
    cells = plan(Request("translation", preset="smoke", settings=["data.language=ja"]))
    assert {cell.data.language for cell in cells} == {"ja"}
    with pytest.raises(UsageError, match="Unknown language of openmoji for translation 'xx'"):
        plan(Request("translation", preset="smoke", settings=["data.language=xx"]))


def test_a_caption_may_be_spoken_and_a_translation_may_not() -> None:
    spoken = [ESPEAK, "data.speech.field=target", "data.speech.voice=fr"]
    assert all(cell.data.speech.field == "target" for cell in plan(Request("captioning", settings=spoken)))
    with pytest.raises(UsageError, match=r"the target may not be spoken: whoever hears it has the answer\."):
        plan(Request("translation", settings=spoken))


@pytest.mark.parametrize(("language", "voice"), [("de", "de"), ("zh", "cmn"), ("pt", "pt-br")])
def test_a_translation_may_not_be_accompanied_by_its_own_language(language: str, voice: str) -> None:
    settings = [ESPEAK, f"data.language={language}", f"data.speech.voice={voice}"]
    with pytest.raises(UsageError, match=rf"nothing may be spoken in the target's language \({language}\)"):
        plan(Request("translation", settings=settings))
    assert plan(Request("translation", settings=[ESPEAK, f"data.language={language}", "data.speech.voice=en"]))
