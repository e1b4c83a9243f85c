"""Speech from text by espeak-ng, through the library and voices of the package `espeakng-loader`.

espeak-ng carries the phase of its oscillators and its random numbers from one text to the next, so that the same text
sounds different the second time, in samples if not in words. Here every text is spoken by a library loaded anew, which
takes 3.5 ms, from a fixed random seed: on one platform, text, voice and version decide the samples, whatever was said
before.
"""

from __future__ import annotations

import _ctypes
import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from bimodal.errors import UsageError

# espeak-ng/speak_lib.h
_SYNCHRONOUS = 2
_UTF8 = 1
_FROM_CHARACTER = 1
_OK = 0
_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
_SEED = 1


@lru_cache(maxsize=1)
def version() -> str:
    """The version of espeak-ng, as it says itself; raises UsageError without the package."""
    with _library() as (library, _):
        library.espeak_Info.restype = ctypes.c_char_p
        return str(library.espeak_Info(None).decode())


def synthesise(text: str, voice: str) -> tuple[NDArray[np.int16], int]:
    """Speak a text.

    Args:
        text: what is said; may hold nothing that sounds (then there are no samples).
        voice: a name of `espeak-ng --voices`: `en`, `en-us`, `de`, `fr`, `cmn`, ...

    Returns:
        Samples [samples] and the sample rate in Hz.

    Raises:
        UsageError: no such voice, or the package `espeakng-loader` is missing.
    """
    with _library() as (library, sample_rate_hz):
        if library.espeak_SetVoiceByName(voice.encode()) != _OK:
            raise UsageError(
                f"espeak-ng has no voice {voice!r}. Voices are named by language: en, en-us, de, fr, es, it, pt, cmn, "
                "ja, ru, ...; `espeak-ng --voices` lists them all."
            )
        pieces: list[NDArray[np.int16]] = []

        def keep(samples: ctypes._Pointer[ctypes.c_short], count: int, events: int | None) -> int:
            if samples and count > 0:
                pieces.append(np.ctypeslib.as_array(samples, (count,)).copy())
            return 0

        callback = _Callback(keep)  # a name of its own, so that it lives as long as the synthesis
        library.espeak_SetSynthCallback(callback)
        content = text.encode() + b"\0"
        ctypes.CDLL(None).srand(_SEED)
        library.espeak_Synth(content, len(content), 0, _FROM_CHARACTER, 0, _UTF8, None, None)
        library.espeak_Synchronize()
    return np.concatenate(pieces) if pieces else np.zeros(0, np.int16), sample_rate_hz


@contextmanager
def _library() -> Iterator[tuple[ctypes.CDLL, int]]:
    """The library, initialised, and its sample rate; unloaded at the end, and everything it remembers with it."""
    try:
        import espeakng_loader
    except ImportError as error:
        raise UsageError(
            "Speech needs the package espeakng-loader. Install it (pip install espeakng-loader), or leave --speech out."
        ) from error
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    sample_rate_hz = int(library.espeak_Initialize(_SYNCHRONOUS, 0, espeakng_loader.get_data_path().encode(), 0))
    if sample_rate_hz <= 0:
        raise UsageError("espeak-ng does not start. Install it again: pip install --force-reinstall espeakng-loader")
    try:
        yield library, sample_rate_hz
    finally:
        library.espeak_Terminate()
        _ctypes.dlclose(library._handle)
