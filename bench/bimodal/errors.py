"""Errors a user can act on: what was wrong, the value got, what is allowed, the fix.

Everything raised on purpose at a user's border derives from `UserError`; the command line prints its message
without a traceback (unless `--debug`) and exits with its `exit_code`. Anything else is a bug and keeps its traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(ValueError):
    """Something the user can put right; `str(error)` says how."""

    exit_code = 2


class UsageError(UserError):
    """A wrong name, flag or setting."""


class DataError(UserError):
    """Data that cannot be used; the message names the file (and line, where there are lines)."""


class CheckpointError(UserError):
    """A checkpoint that is missing, cut short or made for another model."""

    exit_code = 1


def unknown_name(kind: str, name: str, allowed: Iterable[str]) -> UsageError:
    """The error for a name that does not exist: `unknown task 'captoning': did you mean 'captioning'? ...`."""
    names = sorted(allowed)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return UsageError(f"Unknown {kind} {name!r}.{hint} Available: {', '.join(names) or 'none'}.")
