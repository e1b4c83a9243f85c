"""Line-aligned files: the same line of `train.en` and `train.de` says the same in two languages."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from bimodal.types import Reject
from bimodal_tasks.own.reading import counted, files, num_lines, numbered_lines, place, problem, split_of

_NO_LANGUAGES = frozenset({"txt", "tsv", "csv", "jpg", "png", "wav", "mp3", "po", "mo", "md", "zip", "gz"})


def aligned_files(folder: Path, *subfolders: str) -> dict[str, dict[str, Path]]:
    """The files of each stem that exists in two or more languages, by language: `{"train": {"en": ..., "de": ...}}`.

    Training and validation files are in it even if they are alone, so that `split_files` can say what they lack.
    The language is the last part of the name: `train.en`, `newstest2014.de-en.de`, `test_2016_flickr.fr`.
    """
    found: dict[str, dict[str, Path]] = defaultdict(dict)
    for path in files(folder, "*.*", *(f"{name}/*.*" for name in subfolders)):
        language = path.suffix[1:]
        if re.fullmatch("[a-z]{2,3}", language) and language not in _NO_LANGUAGES:
            found[path.stem][language] = path
    known = {language for languages in found.values() if len(languages) > 1 for language in languages}
    return {
        stem: dict(sorted(languages.items()))
        for stem, languages in found.items()
        if len(languages) > 1 or (split_of(Path(stem)) in ("train", "validation") and languages.keys() <= known)
    }


def languages_of(aligned: dict[str, dict[str, Path]], wanted: str | None, folder: Path) -> tuple[str, str]:
    """Source and target language: English and the other one, or the two that are there; `wanted` is the target.

    Raises:
        DataError: there is no such pair, or no way to tell which is meant.
    """
    return language_pair(sorted({one for languages in aligned.values() for one in languages}), wanted, folder.name)


def language_pair(known: Sequence[str], wanted: str | None, where: str) -> tuple[str, str]:
    """Source and target of the languages that are there, as `languages_of`; raises DataError."""
    others = [language for language in known if language != "en"]
    if wanted is not None and wanted not in known:
        raise problem(where, f"nothing in the language {wanted!r}.", f"There are: {', '.join(known)}.")
    if wanted is not None:
        sources = [language for language in known if language != wanted]
        return ("en" if "en" in sources else sources[0]), wanted
    if "en" in known and len(others) == 1:
        return "en", others[0]
    fix = "Say which with --set data.language=..., for example the target " + (others or known)[0] + "."
    raise problem(where, f"several target languages ({', '.join(others)}).", fix)


def aligned_lines(source: Path, target: Path, reject: Reject) -> Iterator[tuple[int, str, str]]:
    """Line number, source and target, for every pair of lines; empty ones are rejected.

    Raises:
        DataError: the files have different numbers of lines, so that nobody knows which belong together.
    """
    left, right = dict(numbered_lines(source, reject)), dict(numbered_lines(target, reject))
    ends = num_lines(source), num_lines(target)
    if ends[0] != ends[1]:
        what = f"{counted(ends[0], 'line')}, but {target.name} has {ends[1]}."
        raise problem(place(source), what, "Line-aligned files need as many lines each: find where they drift apart.")
    for number in sorted(left.keys() & right.keys()):
        if number > ends[0]:
            continue
        texts = left[number].strip(), right[number].strip()
        if all(texts):
            yield number, *texts
        else:
            empty = source if not texts[0] else target
            reject(problem(place(empty, number), "the line is empty.", "Fill it, or remove it from both files."))


def split_files(aligned: dict[str, dict[str, Path]], source: str, target: str) -> Iterator[tuple[str, Path, Path]]:
    """Stem and both files, for those stems that have both languages; with several tests, the first only.

    Raises:
        DataError: training or validation files are there in one of the two languages only.
    """
    seen_test = False
    for stem, languages in sorted(aligned.items()):
        if split_of(Path(stem)) in ("train", "validation"):
            for here, other in ((source, target), (target, source)):
                if here in languages and other not in languages:
                    name = languages[here].name
                    what = f"no {stem}.{other} beside it."
                    raise problem(place(languages[here]), what, f"Add it, or remove {name}.")
        if source in languages and target in languages:
            is_test = split_of(Path(stem)) == "test"
            if is_test and seen_test:
                continue
            seen_test |= is_test
            yield stem, languages[source], languages[target]
