"""Work that can be shared goes in; threads that join the calling one take part in it."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor


class Crew:
    """Threads that sleep until they are called to join; they end with this object."""

    def __init__(self) -> None:
        self._enlist()

    def call(self, join: Callable[[int], None], count: int) -> None:
        """Let so many threads run ``join`` with their numbers, 1 to ``count``, when they can.

        Nobody waits for them: they may come late, when the work is done, or not at all, where no
        thread can be started.
        """
        if self._process != os.getpid():  # a fork leaves the threads behind
            self._enlist()
        # One pool for each: so a number is never used by two threads at once.
        while len(self._pools) < count:
            self._pools.append(ThreadPoolExecutor(1))
            self._last.append(None)
        for i in range(count):
            last = self._last[i]
            if last is not None and not (last.running() or last.done()):
                continue  # it is about to come
            try:
                self._last[i] = self._pools[i].submit(join, i + 1)
            except RuntimeError:  # no threads any more: the interpreter ends
                return

    def _enlist(self) -> None:
        self._pools: list[ThreadPoolExecutor] = []
        self._last: list[Future[None] | None] = []
        self._process = os.getpid()
