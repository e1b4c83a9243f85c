"""The process of one contestant that is measured: it loads a checkpoint, then sleeps until it is asked.

The parent starts `python -m bimodal.measure CELL_DIR REPLIES_FD` and writes one JSON object per line to its
standard input; every one is answered by one line on the replies' pipe. Nothing runs in between: what one contestant
leaves running would be in the times of the next. If the parent dies, its end of standard input closes and this ends.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bimodal.errors import UserError
from bimodal.garbage import nothing_collected, present_objects_left_alone


def _main(cell: Path, replies: int) -> int:
    # Ctrl-C reaches the whole process group; the parent decides what becomes of this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def say(reply: Mapping[str, Any]) -> None:
        os.write(replies, (json.dumps(reply) + "\n").encode())

    try:
        with nothing_collected():
            from bimodal.measure.worker import Worker

        worker = Worker(cell)
        questions: dict[str, Callable[..., dict[str, Any]]] = {
            "answer": worker.answer,
            "batch": worker.batch,
            "memory": worker.memory,
        }
        with present_objects_left_alone():
            say(worker.ready())
            for line in sys.stdin:
                question = json.loads(line)
                say(questions[question.pop("ask")](**question))
    except BrokenPipeError:
        return 1  # nobody listens any more
    except Exception as error:
        traceback.print_exc()
        say({"error": str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"})
        return 1
    return 0


if __name__ == "__main__":
    code = _main(Path(sys.argv[1]), int(sys.argv[2]))
    sys.stdout.flush()
    sys.stderr.flush()
    # Tearing torch down touches another 120 MB of its libraries, which nobody needs who answers requests.
    os._exit(code)
