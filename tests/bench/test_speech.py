"""speech: clips for the texts of a data set, the same each time, and a record that says who spoke what."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bimodal import espeak
from bimodal.errors import DataError, UsageError
from bimodal.schema import DatasetRecord, SpeechConfig
from bimodal.speech import clips, spoken
from bimodal.types import Dataset, Example

ESPEAK = SpeechConfig(engine="espeak")


def silent(what: str, done: int, total: int) -> None:
    pass


@pytest.fixture
def dataset() -> Dataset:
    words = ("version", "variant", "description", "licence", "licence_url", "attribution", "source", "fingerprint")
    record = DatasetRecord(**{**dict.fromkeys(words, "x"), "name": "d", "modalities": (), "splits": {"train": 2}})  # type: ignore[arg-type]
    rows = (Example("a", "good morning", "guten Morgen", meta={"last_turn": "hello"}), Example("b", "", "nichts"))
    return Dataset(record, {"train": rows})


def test_a_text_sounds_the_same_whatever_was_said_before() -> None:
    first, rate_hz = espeak.synthesise("a woman farmer", "en")
    espeak.synthesise("something else altogether", "en")
    again, _ = espeak.synthesise("a woman farmer", "en")
    assert rate_hz == 22_050
    assert 0.5 < len(first) / rate_hz < 3.0
    assert np.array_equal(first, again)


def test_voices_differ() -> None:
    english, german = (espeak.synthesise("a woman farmer", voice)[0] for voice in ("en", "de"))
    assert len(english) != len(german)


def test_an_unknown_voice_is_refused() -> None:
    with pytest.raises(UsageError, match=r"no voice 'klingonese'\. Voices are named by language: en, "):
        espeak.synthesise("nuqneH", "klingonese")


def test_a_clip_is_made_once_and_kept_by_text_voice_and_version(tmp_path: Path) -> None:
    (path,) = clips(["good morning"], "en", tmp_path, silent).values()
    assert path.parent == tmp_path / f"espeak-ng-{espeak.version()}" / "en"
    written = path.stat().st_mtime_ns
    assert clips(["good morning", "good morning"], "en", tmp_path, silent) == {"good morning": path}
    assert path.stat().st_mtime_ns == written
    samples, _ = soundfile.read(path, dtype="int16")
    assert np.array_equal(samples, espeak.synthesise("good morning", "en")[0])


def test_what_has_no_sound_has_no_clip(tmp_path: Path) -> None:
    assert clips(["", "  "], "en", tmp_path, silent) == {}


@pytest.mark.parametrize(
    ("field", "heard"), [("text", "good morning"), ("target", "guten Morgen"), ("last_turn", "hello")]
)
def test_the_field_that_was_chosen_is_spoken(dataset: Dataset, tmp_path: Path, field: str, heard: str) -> None:
    found = spoken(dataset, ESPEAK.model_copy(update={"field": field}), tmp_path, silent)
    path = found.examples("train")[0].audio
    assert path == clips([heard], "en", tmp_path / "d" / "speech", silent)[heard]


def test_the_record_says_that_there_is_speech_and_whose(dataset: Dataset, tmp_path: Path) -> None:
    record = spoken(dataset, ESPEAK, tmp_path, silent).record
    assert record.modalities == ("audio",)
    assert record.fingerprint != dataset.record.fingerprint
    assert record.fingerprint == spoken(dataset, ESPEAK, tmp_path / "elsewhere", silent).record.fingerprint
    assert record.speech is not None
    assert record.speech.condition == (
        f"The sound is the text, spoken by espeak-ng {espeak.version()} (voice en): the words are in the text, too."
    )


def test_a_spoken_target_is_called_speech_recognition(dataset: Dataset, tmp_path: Path) -> None:
    record = spoken(dataset, ESPEAK.model_copy(update={"field": "target", "voice": "de"}), tmp_path, silent).record
    assert record.speech is not None
    assert record.speech.condition.endswith("who hears it does speech recognition.")


def test_a_data_set_that_sounds_already_is_refused(dataset: Dataset, tmp_path: Path) -> None:
    sounding = replace(dataset, record=dataset.record.model_copy(update={"modalities": ("audio",)}))
    with pytest.raises(DataError, match="has sound of its own: leave --speech out"):
        spoken(sounding, ESPEAK, tmp_path, silent)


def test_a_field_with_nothing_to_say_is_refused(dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nothing to speak in 'caption'\. Choose another"):
        spoken(dataset, ESPEAK.model_copy(update={"field": "caption"}), tmp_path, silent)
