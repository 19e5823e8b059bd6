"""The study's database, and the one thread that writes to it.

Every vote is synchronised to disk before it is acknowledged, so acknowledged votes survive a kill
or a power cut. During a synchronisation, which takes milliseconds, other votes arrive. The writer
commits all waiting votes together, so hundreds of raters wait for one synchronisation only.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

SCHEMA = Path(__file__).with_name("schema.sql")


def connect(path: Path) -> sqlite3.Connection:
    """Open a connection in autocommit mode; transactions are begun explicitly."""
    connection = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)
    connection.executescript(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
    )
    return connection


class transaction:
    """A context manager that commits its body, or rolls all of it back on an exception."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def __enter__(self) -> None:
        self.connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self.connection.execute("COMMIT" if kind is None else "ROLLBACK")


def rater_of(connection: sqlite3.Connection, platform: str, name: str) -> int:
    """Return the id of a rater, who is added if new."""
    words = platform, name
    connection.execute(
        "INSERT INTO raters (platform, name) VALUES (?, ?) ON CONFLICT DO NOTHING", words
    )
    found = connection.execute("SELECT id FROM raters WHERE platform = ? AND name = ?", words)
    return int(found.fetchone()[0])


Job = tuple[Callable[[sqlite3.Connection], Any], Future[Any]]


class Writer:
    """Runs jobs in one thread with one connection; waiting jobs are committed together."""

    MOST_TOGETHER = 200

    def __init__(self, path: Path) -> None:
        self._waiting: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._connection = connect(path)
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._thread.start()

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run ``work`` in a transaction and return its result after the commit reached the disk. An
        exception undoes only its own changes. It runs even if the client has disconnected."""
        future: Future[T] = Future()
        self._waiting.put((work, future))
        return await asyncio.shield(asyncio.wrap_future(future))

    def close(self) -> None:
        """Finish waiting jobs, then close the database."""
        self._waiting.put(None)
        self._thread.join()
        self._connection.close()

    def _run(self) -> None:
        closing = False
        while not closing:
            jobs, closing = self._collect()
            try:
                with transaction(self._connection):
                    done = [self._attempt(work) for work, _ in jobs]
            except sqlite3.Error as error:  # none of them reached the disk
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                done = [(None, error)] * len(jobs)
            for (_, future), (outcome, wrong) in zip(jobs, done, strict=True):
                future.set_result(outcome) if wrong is None else future.set_exception(wrong)

    def _collect(self) -> tuple[list[Job], bool]:
        jobs: list[Job] = []
        job = self._waiting.get()
        while job is not None:
            jobs.append(job)
            if len(jobs) == self.MOST_TOGETHER or self._waiting.empty():
                return jobs, False
            job = self._waiting.get_nowait()
        return jobs, True

    def _attempt(self, work: Callable[[sqlite3.Connection], Any]) -> tuple[Any, Exception | None]:
        self._connection.execute("SAVEPOINT job")
        outcome, wrong = None, None
        try:
            outcome = work(self._connection)
        except sqlite3.OperationalError:
            raise  # disk full, locked: the transaction cannot be trusted
        except Exception as error:
            self._connection.execute("ROLLBACK TO job")
            wrong = error
        self._connection.execute("RELEASE job")
        return outcome, wrong
