"""Every format, on a folder written as its corpus is published."""

import own_folders
import pytest

from bimodal import registry
from bimodal.errors import DataError, UsageError
from bimodal.schema import DataConfig
from bimodal_tasks.datasets.folder import format_of

COUNTS = {
    # Training, validation and test; where a format has no such split, groups are drawn from training.
    "coco": (14, 2, 8),
    "flickr30k": (20, 2, 2),
    "karpathy": (8, 2, 2),
    "conll2003": (4, 2, 2),
    "wnut": (4, 2, 2),
    "mner": (4, 2, 2),
    "multi30k": (4, 2, 2),
    "wmt": (4, 2, 2),
    "tsv": (4, 2, 2),
    "gettext": (10, 1, 1),
    "dailydialog": (8, 4, 4),
    "personachat": (14, 2, 8),
    "ljspeech": (10, 1, 1),
    "commonvoice": (4, 2, 2),
    "jsonl": (4, 2, 2),
    "huggingface": (12, 6, 6),
}


def test_every_format_has_a_folder_here() -> None:
    assert set(COUNTS) == set(own_folders.FOLDERS) == set(registry.summaries("format"))


@pytest.mark.parametrize("name", COUNTS)
def test_the_format_of_a_folder_is_found_out(own, name: str) -> None:
    assert format_of(DataConfig(name="folder", path=str(own(name)))).name == name


@pytest.mark.parametrize("name", COUNTS)
def test_every_row_is_read_into_its_split(own, load, name: str) -> None:
    folder = own(name)
    dataset = load(folder)
    assert tuple(dataset.record.splits[split] for split in ("train", "validation", "test")) == COUNTS[name]
    assert dataset.record.skipped == 0
    assert load(folder) == dataset


EXPECTED = {
    "coco": ("", "A plate number 8 seen 0 times.", "000000000008.jpg"),
    "karpathy": ("", "A man with 10 red helmets.", "COCO_val2014_000000000010.jpg"),
    "conll2003": ("EU rejects German call6", "[ORG EU] rejects [MISC German] call6", None),
    "wnut": ("@paulwalk6 view Empire State", "@paulwalk6 view [location Empire State]", None),
    "mner": ("RT @DailyMirror Ann Lee6", "RT [OTHER @DailyMirror] [PER Ann Lee6]", "1109799.jpg"),
    "multi30k": ("A dog number 6 runs.", "Ein Hund Nummer 6 rennt.", "6.jpg"),
    "wmt": ("Resumption of session 6", "Wiederaufnahme der Sitzung 6", None),
    "tsv": ("dog 6", "Hund 6", "6.png"),
    "dailydialog": ("A: Say , Jim 6 , beers ?", "You know 6 .", None),
    "personachat": ("A: hi 8 , how are you ?", "fine 8 .", None),
    "commonvoice": ("", "Wieder ist ein Jahr 6 vorbei.", "cv_de_6.wav"),
    "jsonl": ("dog 6", "Hund 6", "6.png"),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_the_first_test_example_is_what_the_files_say(own, load, name: str) -> None:
    task = "translation" if name == "jsonl" else None
    example = load(own(name), task=task).examples("test")[0]
    media = example.image or example.audio
    assert (example.text, example.target, media.name if media else None) == EXPECTED[name]


@pytest.mark.parametrize("name", ["flickr30k", "gettext", "ljspeech"])
def test_drawn_splits_hold_everything_once_and_keep_groups_together(own, load, name: str) -> None:
    dataset = load(own(name))
    rows = [(split, row) for split, part in dataset.splits.items() for row in part]
    assert len({row.id for _, row in rows}) == len(rows)
    owners: dict[object, set[str]] = {}
    for split, row in rows:
        owners.setdefault(row.image or row.audio or row.text, set()).add(split)
    assert all(len(splits) == 1 for splits in owners.values())


def test_iob1_of_conll_2003_becomes_bio(own, load) -> None:
    (example, *_) = load(own("conll2003")).examples("train")
    assert example.tags == ("B-ORG", "O", "B-MISC", "O")


def test_a_dialogue_shows_who_speaks_and_who_answers(own, load) -> None:
    second = load(own("dailydialog")).examples("test")[1]
    assert second.text == "A: Say , Jim 6 , beers ?\nB: You know 6 ."
    assert (second.meta["speaker"], second.meta["last_turn"], second.target) == ("A", "You know 6 .", "What 6 ?")


def test_fuzzy_and_untranslated_messages_are_left_out(own, load) -> None:
    texts = {row.text for part in load(own("gettext")).splits.values() for row in part}
    assert len(texts) == 12
    assert not texts & {"Close", "Untranslated"}


def test_a_compiled_catalogue_gives_the_same_examples(own, load, tmp_path) -> None:
    import polib

    folder = own("gettext")
    (tmp_path / "compiled").mkdir()
    polib.pofile(str(folder / "de.po")).save_as_mofile(str(tmp_path / "compiled" / "de.mo"))
    from_po, from_mo = (load(path).splits for path in (folder, tmp_path / "compiled"))
    pairs = [{(r.text, r.target) for part in splits.values() for r in part} for splits in (from_po, from_mo)]
    assert pairs[0] == pairs[1]


def test_the_target_language_of_several_can_be_chosen_and_must_be(own, load) -> None:
    folder = own("wmt")
    for path in sorted(folder.glob("*.de")):
        path.with_suffix(".fr").write_text(path.read_text().replace("Wiederaufnahme", "Reprise"))
    with pytest.raises(DataError, match=r"several target languages \(de, fr\)\. Say which with --set data\.language"):
        load(folder)
    assert load(folder, language="fr").examples("test")[0].target == "Reprise der Sitzung 6"
    with pytest.raises(DataError, match=r"nothing in the language 'it'\. There are: de, en, fr"):
        load(folder, language="it")


def test_jsonl_serves_tagging_and_dialogue(load, tmp_path) -> None:
    folder = tmp_path / "mine"
    row = '{"text": "Ann%s likes Rome", "tags": ["B-PER", "O", "B-LOC"], "target": "so", "speaker": "Zoe"}\n'
    own_folders.write(folder / "all.jsonl", "".join(row % n for n in range(10)))
    tagged = load(folder, task="ner").examples("train")[0]
    assert tagged.tags == ("B-PER", "O", "B-LOC")
    assert load(folder, task="dialogue").examples("train")[0].meta == {"speaker": "Zoe"}


def test_a_folder_in_no_known_format_is_refused(tmp_path) -> None:
    with pytest.raises(UsageError, match=r"is in no format that is known\. Say which with --format; there are: coco"):
        format_of(DataConfig(name="folder", path=str(tmp_path)))


def test_a_folder_in_two_formats_needs_a_choice(own) -> None:
    folder = own("jsonl")
    own_folders.tsv(folder)
    with pytest.raises(UsageError, match=r"is in several formats \(jsonl, tsv\)\. Say which with --format"):
        format_of(DataConfig(name="folder", path=str(folder)))
    assert format_of(DataConfig(name="folder", path=str(folder), format="tsv")).name == "tsv"


def test_a_format_that_does_not_serve_the_task_is_refused(own) -> None:
    with pytest.raises(UsageError, match="'coco' does not serve the task 'ner'; it serves: captioning"):
        format_of(DataConfig(name="folder", path=str(own("coco")), task="ner"))


def test_an_unknown_format_suggests_the_nearest(own) -> None:
    with pytest.raises(UsageError, match=r"Unknown format 'cocoa'\. Did you mean 'coco'\?"):
        format_of(DataConfig(name="folder", path=str(own("coco")), format="cocoa"))


def test_a_missing_folder_is_named() -> None:
    with pytest.raises(DataError, match="--data nowhere: there is no such folder"):
        format_of(DataConfig(name="folder", path="nowhere"))


@pytest.mark.parametrize("name", [name for name in COUNTS if name != "huggingface"])
def test_a_byte_order_mark_and_windows_line_ends_change_nothing(own, load, name: str) -> None:
    folder = own(name)
    plain = load(folder, format=name)
    for path in folder.rglob("*"):
        if path.is_file() and path.suffix not in (".png", ".jpg", ".wav"):
            path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert load(folder) == plain
