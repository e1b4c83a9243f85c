"""Spoken text for any data set: clips by (text, voice, version of espeak-ng), made once and kept.

    <cache>/<data set>/speech/espeak-ng-1.52.0/en/<sha256 of the text>.flac

A data set that brings no sound of its own gets some with `--speech espeak`; what was spoken, and by whom, is in its
record. Speech tells what is written: when it speaks the target, the task becomes speech recognition, and says so.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from bimodal import espeak
from bimodal.errors import DataError
from bimodal.files import write_bytes
from bimodal.schema import DatasetRecord, SpeechConfig, SpeechRecord, Split
from bimodal.types import Dataset, Example, Progress

_TELL_EVERY = 50


def spoken(dataset: Dataset, config: SpeechConfig, cache_dir: Path, progress: Progress) -> Dataset:
    """The data set with a clip for every example whose `config.field` says something.

    Args:
        dataset: one without sound.
        config: which text is spoken, in which voice.
        cache_dir: the folder that data sets share; clips go under the data set's own.
        progress: told about the synthesis.

    Raises:
        UsageError: no such voice, or the package is missing.
        DataError: the data set has sound already, or nothing to speak in that field.
    """
    record = dataset.record
    if "audio" in record.modalities:
        raise DataError(f"Data set {record.name!r} has sound of its own: leave --speech out.")
    texts = {example.id: text_of(example, config.field) for rows in dataset.splits.values() for example in rows}
    if not any(texts.values()):
        raise DataError(
            f"Data set {record.name!r} has nothing to speak in {config.field!r}. "
            "Choose another: --set data.speech.field=text, or target (then the task becomes speech recognition)."
        )
    found = clips(texts.values(), config.voice, cache_dir / record.name / "speech", progress)
    splits: dict[Split, tuple[Example, ...]] = {
        split: tuple(replace(example, audio=found.get(texts[example.id])) for example in rows)
        for split, rows in dataset.splits.items()
    }
    return Dataset(_spoken_record(record, config, splits, found), splits)


def text_of(example: Example, field: str) -> str:
    """What is spoken of an example: its text, its target, or an entry of its meta data."""
    if field == "text":
        return example.text
    return example.target if field == "target" else example.meta.get(field, "")


def clips(texts: Iterable[str], voice: str, folder: Path, progress: Progress) -> dict[str, Path]:
    """A sound file for each text that can be heard, made where it is not there yet.

    Raises:
        UsageError: no such voice, or the package is missing.
        StorageError: the disk is full.
    """
    home = folder / f"espeak-ng-{espeak.version()}" / voice
    wanted = {text: home / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.flac" for text in texts if text.strip()}
    missing = [text for text, path in wanted.items() if not path.exists()]
    for done, text in enumerate(missing):
        if done % _TELL_EVERY == 0:
            progress("speak", done, len(missing))
        if content := _flac(text, voice):
            write_bytes(wanted[text], content)
    if missing:
        progress("speak", len(missing), len(missing))
    return {text: path for text, path in wanted.items() if path.exists()}


def speech_record(config: SpeechConfig) -> SpeechRecord:
    """Who speaks what, for a data set's record."""
    engine = f"espeak-ng {espeak.version()}"
    return SpeechRecord(engine=engine, voice=config.voice, language=config.language, field=config.field)


def _flac(text: str, voice: str) -> bytes:
    """The spoken text as a FLAC file; nothing if the text has no sound."""
    import soundfile

    samples, sample_rate_hz = espeak.synthesise(text, voice)
    if not samples.size:
        return b""
    content = io.BytesIO()
    soundfile.write(content, samples, sample_rate_hz, format="FLAC")
    return content.getvalue()


def _spoken_record(
    record: DatasetRecord, config: SpeechConfig, splits: Mapping[Split, tuple[Example, ...]], found: Mapping[str, Path]
) -> DatasetRecord:
    speech = speech_record(config)
    digest = hashlib.sha256(record.fingerprint.encode())
    for text in sorted(found):
        digest.update(hashlib.sha256(found[text].read_bytes()).digest())
    for rows in splits.values():
        for example in rows:
            digest.update(f"{example.id}\t{example.audio.name if example.audio else ''}\n".encode())
    return record.model_copy(
        update={
            "modalities": (*record.modalities, "audio"),
            "fingerprint": digest.hexdigest(),
            "speech": speech,
            "source": f"{record.source}; speech by {speech.engine}, voice {speech.voice}",
        }
    )
