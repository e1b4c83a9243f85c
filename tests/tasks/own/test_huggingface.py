"""Hugging Face datasets: what of a table becomes an example, folders of save_to_disk, and addresses of the hub."""

from pathlib import Path
from typing import Any

import own_folders
import pytest

from bimodal.errors import DataError, UsageError
from bimodal.types import Dataset
from bimodal_tasks.own import hub

datasets = pytest.importorskip("datasets", reason="pip install 'bimodal[hf]'")
SPLITS = ("train", "validation", "test")


@pytest.fixture
def saved(tmp_path: Path, load):
    """`saved(rows, features, **options)`: loaded from save_to_disk; `rows(n)` is what row n has in each column."""

    def saved(rows: Any, features: Any = None, **options: object) -> Dataset:
        numbers = {"train": range(4), "validation": range(4, 6), "test": range(6, 8)}
        made = {
            name: datasets.Dataset.from_list([rows(n) for n in numbers[name]], features=features) for name in SPLITS
        }
        datasets.DatasetDict(made).save_to_disk(tmp_path / "saved")
        return load(tmp_path / "saved", **options)

    return saved


def test_embedded_pictures_become_files_of_the_cache(own, load, tmp_path: Path) -> None:
    example = load(own("huggingface")).examples("test")[0]
    assert (example.id, example.text, example.target) == ("test:0:0", "", "A plate number 9.")
    assert example.image is not None
    assert example.image.is_relative_to(tmp_path / "cache/folder/embedded")
    assert example.image.suffix == ".png"
    assert example.image.read_bytes() == own_folders.png(9)


def test_embedded_sounds_become_files_of_the_cache(tmp_path: Path, load) -> None:
    import pyarrow

    features = datasets.Features({"audio": datasets.Audio(), "sentence": datasets.Value("string")})
    rows = []
    for number in range(12):
        own_folders.sound(tmp_path / "one.wav", value=number)
        rows.append(
            {"audio": {"bytes": (tmp_path / "one.wav").read_bytes(), "path": None}, "sentence": f"Said {number}"}
        )
    table = pyarrow.Table.from_pylist(rows, schema=features.arrow_schema)
    datasets.Dataset(table).save_to_disk(tmp_path / "saved")  # without splits: they are drawn
    dataset = load(tmp_path / "saved")
    assert dataset.record.modalities == ("audio",)
    assert dataset.record.splits == {"train": 10, "validation": 1, "test": 1}
    example = dataset.examples("test")[0]
    assert example.audio is not None
    assert (example.audio.suffix, example.target.split()[0]) == (".wav", "Said")


def test_pictures_that_are_files_of_the_folder_are_used_as_they_are(tmp_path: Path, load) -> None:
    # The layout `imagefolder` of the library: pictures with a metadata.jsonl.
    for split, numbers in (("train", range(4)), ("validation", range(4, 6)), ("test", range(6, 8))):
        folder = tmp_path / "pictures" / split
        for number in numbers:
            own_folders.picture(folder / f"{number}.png", number)
        lines = (f'{{"file_name": "{number}.png", "caption": "Plate {number}"}}\n' for number in numbers)
        own_folders.write(folder / "metadata.jsonl", "".join(lines))
    example = load(tmp_path / "pictures", format="huggingface").examples("test")[0]
    assert (example.image, example.target) == (tmp_path / "pictures/test/6.png", "Plate 6")


def test_class_labels_are_the_tags_of_the_words(saved) -> None:
    features = datasets.Features(
        {
            "tokens": datasets.List(datasets.Value("string")),
            "ner_tags": datasets.List(datasets.ClassLabel(names=["O", "B-PER", "I-PER"])),
        }
    )
    dataset = saved(lambda n: {"tokens": ["Ann", f"Lee{n}", "sings"], "ner_tags": [1, 2, 0]}, features, task="ner")
    example = dataset.examples("test")[0]
    assert (example.text, example.tags) == ("Ann Lee6 sings", ("B-PER", "I-PER", "O"))


def test_a_class_label_that_is_the_target_is_written_by_its_name(saved) -> None:
    features = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["calm", "angry"])}
    )
    dataset = saved(
        lambda n: {"text": f"Call {n}", "label": n % 2},
        features,
        task="captioning",
        columns={"target": "label", "text": "text"},
    )
    assert [(row.text, row.target) for row in dataset.examples("test")] == [("Call 6", "calm"), ("Call 7", "angry")]


def test_a_translation_feature_has_source_and_target(saved) -> None:
    features = datasets.Features({"translation": datasets.Translation(languages=["de", "en", "fr"])})

    def rows(n: int) -> dict[str, Any]:
        return {"translation": {"de": f"Hund {n}", "en": f"dog {n}", "fr": f"chien {n}"}}

    example = saved(rows, features, task="translation", language="fr").examples("test")[0]
    assert (example.text, example.target, example.language) == ("dog 6", "chien 6", "fr")


def test_columns_named_by_languages_are_a_translation(saved) -> None:
    example = saved(lambda n: {"en": f"dog {n}", "de": f"Hund {n}"}, task="translation").examples("test")[0]
    assert (example.text, example.target, example.language) == ("dog 6", "Hund 6", "de")


def test_turns_are_texts_or_objects_with_content(saved) -> None:
    def messages(n: int) -> dict[str, Any]:
        said = ((f"Hi {n}", "user"), (f"Yes {n}?", "assistant"), (f"Bye {n}", "user"))
        return {"messages": [{"role": role, "content": text} for text, role in said]}

    rows = saved(messages, task="dialogue").examples("test")
    assert [(row.text, row.target, row.meta["speaker"]) for row in rows[:2]] == [
        ("A: Hi 6", "Yes 6?", "B"),
        ("A: Hi 6\nB: Yes 6?", "Bye 6", "A"),
    ]


def test_without_the_package_it_says_what_to_install(own, load, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = own("huggingface")
    monkeypatch.setitem(__import__("sys").modules, "datasets", None)
    with pytest.raises(UsageError, match=r"needs a package: pip install 'bimodal\[hf\]'"):
        load(folder)


@pytest.fixture
def hub_cache(own, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The hub's cache with the folder above as `owner/plates`, as huggingface_hub lays it out; and no network."""
    import huggingface_hub.constants as constants

    cache, revision = tmp_path / "hub", "1" * 40
    repository = cache / "datasets--owner--plates"
    snapshot = repository / "snapshots" / revision
    for number, path in enumerate(sorted(own("huggingface").rglob("*.parquet"))):
        blob, link = repository / "blobs" / str(number), snapshot / "data" / path.name
        blob.parent.mkdir(parents=True, exist_ok=True)
        link.parent.mkdir(parents=True, exist_ok=True)
        path.rename(blob)
        link.symlink_to(blob)
    own_folders.write(repository / "refs/main", revision)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return cache


def test_a_data_set_of_the_hub_is_read_from_its_cache_without_network(hub_cache: Path, load) -> None:
    dataset = load("hf:owner/plates")
    assert dataset.record.splits == {"train": 12, "validation": 6, "test": 6}
    assert dataset.record.source == f"hf:owner/plates at revision {'1' * 40}, format huggingface"
    assert load(f"hf:owner/plates@{'1' * 40}").record.fingerprint == dataset.record.fingerprint


def test_a_data_set_of_the_hub_that_cannot_be_fetched_says_what_to_do(hub_cache: Path, load) -> None:
    with pytest.raises(
        DataError, match=r"--data hf:owner/cups: it is not in the hub's cache on this machine, and .* or pass"
    ):
        load("hf:owner/cups")


@pytest.mark.parametrize("address", ["hf:plates", "hf:a/b/c", "hf:owner/pl ates"])
def test_what_is_no_address_of_the_hub_is_refused(address: str) -> None:
    with pytest.raises(UsageError, match=f"--data {address}: "):
        hub.snapshot(address)
