"""A data set's card as one HTML file: samples with their pictures, and sounds that can be played."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, StrictUndefined

from bimodal.card import facts_of
from bimodal.schema import DatasetRecord, Split
from bimodal.types import Dataset, Example

_MEDIA_TYPES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".wav": "audio/wav",
    ".flac": "audio/flac",
    ".ogg": "audio/ogg",
    ".mp3": "audio/mpeg",
}
"""What browsers show and play; other files are named."""

_TEMPLATE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{{ record.name }}</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 960px; margin: 2rem auto; padding: 0 1rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1.2rem; }
dt { opacity: .65; } dd { margin: 0; overflow-wrap: anywhere; }
article { border-top: 1px solid #8886; padding: .8rem 0; display: grid; gap: 1rem; grid-template-columns: 128px 1fr; }
img { max-width: 128px; max-height: 128px; background: #fff; } audio { width: 100%; }
.text { white-space: pre-wrap; margin: 0; } small { opacity: .65; overflow-wrap: anywhere; }
</style>
</head>
<body>
<h1>{{ record.name }}</h1>
<p>{{ record.description }}</p>
<dl>{% for name, value in facts %}<dt>{{ name }}</dt><dd>{{ value }}</dd>{% endfor %}</dl>
{% for split, samples in splits %}
<h2>{{ split }}</h2>
{% for sample in samples %}
<article>
<div>{% if sample.picture %}<img alt="Picture of {{ sample.example.id }}" src="{{ sample.picture }}">{% endif %}</div>
<div>
<small>{{ sample.example.id }}</small>
{% if sample.example.text %}<p class="text">{{ sample.example.text }}</p>{% endif %}
<p class="text"><b>{{ sample.example.target }}</b></p>
{% if sample.sound %}<audio controls preload="none" src="{{ sample.sound }}"></audio>{% endif %}
</div>
</article>
{% endfor %}
{% endfor %}
</body>
</html>
"""


@dataclass(frozen=True, slots=True)
class _Sample:
    example: Example
    picture: str
    sound: str


def card_html(dataset: Dataset, samples: int) -> str:
    """The card with the first few examples of each split; needs no other file and no network.

    Everything from the data is escaped, and the page's policy runs no script.
    """
    record: DatasetRecord = dataset.record
    splits: list[tuple[Split, list[_Sample]]] = [
        (split, [_sample(example) for example in dataset.examples(split)[:samples]]) for split in record.splits
    ]
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    return environment.from_string(_TEMPLATE).render(record=record, facts=facts_of(record), splits=splits)


def _sample(example: Example) -> _Sample:
    return _Sample(example, _data_url(example.image), _data_url(example.audio))


def _data_url(path: Path | None) -> str:
    """A file as an address that holds it; empty for none, and for what no browser shows."""
    kind = _MEDIA_TYPES.get(path.suffix.lower()) if path is not None else None
    if path is None or kind is None:
        return ""
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"
