"""`--margin`: the smallest difference worth paying for, declared by the user instead of by the task."""

from __future__ import annotations

import math
from collections.abc import Sequence

from bimodal.errors import UsageError
from bimodal.schema import TaskRecord


def declared(tasks: Sequence[TaskRecord], margins: Sequence[str]) -> tuple[TaskRecord, ...]:
    """The tasks with the margins asked for: `0.5`, or `captioning=0.5` where a run has several tasks.

    Raises:
        UsageError: not a number above 0, an unknown task, a task named twice, or no task named where there are several.
    """
    asked: dict[str, float] = {}
    names = [task.name for task in tasks]
    for text in margins:
        name, equals, number = text.rpartition("=")
        if not equals and len(names) > 1:
            raise UsageError(f"--margin {text} does not say of which task. Write for instance {names[0]}={text}.")
        name = name.strip() or names[0]
        if name not in names:
            raise UsageError(f"--margin names the task {name!r}, which does not run. Allowed: {', '.join(names)}.")
        if name in asked:
            raise UsageError(f"--margin gives the task {name!r} two margins: {asked[name]:g} and {number}.")
        asked[name] = _positive(number)
    return tuple(
        task.model_copy(update={"margin": asked[task.name], "own_margin": task.margin}) if task.name in asked else task
        for task in tasks
    )


def _positive(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0.0 < number < math.inf:
        raise UsageError(
            f"--margin must be a number above 0 in the unit of the task's primary metric, got {text!r}; try 0.5."
        )
    return number
