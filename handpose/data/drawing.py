"""Rendered hands by several processes: the same pictures in the same order, on all cores.

Each process is given the whole task through a pipe and sends back every n-th result. Python's own pools would run the
script that calls them once more in each process, which a script without a guard does not survive.
"""

import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import IO, Any, cast

import cv2

from handpose.data.common import DataError

COMMAND = "from handpose.data import drawing; drawing.work()"
BUFFER = 2**20  # bytes a process may be ahead of its reader: some pictures


def cores() -> int:
    """Processors that this program may use; of several that torchrun started on a machine, each has its share."""
    found = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, found // int(os.environ.get("LOCAL_WORLD_SIZE", 1)))


def several(task: Callable[[int], object], number: int, processes: int) -> Iterator[Any]:
    """``task(0)``, ``task(1)``, ... up to `number`, in order, worked out by several processes.

    Args:
        task: a function of the package, or a `functools.partial` of one, so that it can be sent.

    Raises:
        Exception: whatever the task raised.
        DataError: a process was lost, as when the memory is full.
    """
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    workers = [
        # In a session of its own: Ctrl-C is for this process, which ends the others.
        subprocess.Popen([sys.executable, "-c", COMMAND], env=environment, stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE, pipesize=BUFFER, start_new_session=True)
        for _ in range(processes)
    ]  # fmt: skip
    try:
        for first, worker in enumerate(workers):
            assert worker.stdin  # a pipe
            with worker.stdin as pipe:
                pickle.dump((task, range(first, number, processes)), pipe)
        for i in range(number):
            try:
                fine, result = pickle.load(cast(IO[bytes], workers[i % processes].stdout))
            except (EOFError, pickle.UnpicklingError):
                raise DataError("a process that drew hands was lost; is the memory full?") from None
            if not fine:
                raise result
            yield result
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
            cast(IO[bytes], worker.stdout).close()


def work() -> None:
    """What each process does."""
    cv2.setNumThreads(1)
    task, numbers = pickle.load(sys.stdin.buffer)
    for i in numbers:
        try:
            answer = True, task(i)
        except Exception as error:  # to be raised where it was asked for
            answer = False, error
        try:
            pickle.dump(answer, sys.stdout.buffer, protocol=pickle.HIGHEST_PROTOCOL)
            sys.stdout.buffer.flush()
        except BrokenPipeError:  # whoever asked has gone
            os._exit(1)
