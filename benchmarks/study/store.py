"""The study's database, and the one thread that writes to it.

Every vote is synchronised to the disk before it is acknowledged, so one that was acknowledged
survives a kill or a power cut. A synchronisation takes milliseconds, during which other votes
arrive: the writer commits all that wait at once, so hundreds of raters wait for one synchronisation and
not for each other's.
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

# A seat is a question's place for one rater's vote; catch trials get seats as they are given
# out. The database itself refuses a second vote of a seat, and a second seat of a rater on one
# question. ``first`` is the method's picture (of a catch trial, the right answer).
SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE pictures (id TEXT PRIMARY KEY, file TEXT NOT NULL) STRICT;
CREATE TABLE questions (
    id TEXT PRIMARY KEY,
    number INTEGER NOT NULL UNIQUE,
    kind TEXT NOT NULL CHECK (kind IN ('real', 'catch')),
    method TEXT NOT NULL,
    input TEXT NOT NULL,
    first TEXT NOT NULL,
    second TEXT NOT NULL,
    input_picture TEXT NOT NULL REFERENCES pictures (id),
    first_picture TEXT NOT NULL REFERENCES pictures (id),
    second_picture TEXT NOT NULL REFERENCES pictures (id)
) STRICT;
CREATE TABLE raters (
    id INTEGER PRIMARY KEY,
    platform TEXT NOT NULL,
    name TEXT NOT NULL,
    UNIQUE (platform, name)
) STRICT;
CREATE TABLE sessions (
    id INTEGER PRIMARY KEY,
    rater INTEGER NOT NULL REFERENCES raters (id),
    visit TEXT NOT NULL,
    token TEXT UNIQUE,
    planned INTEGER NOT NULL,
    begun INTEGER NOT NULL,
    seen INTEGER NOT NULL,
    finished INTEGER,
    UNIQUE (rater, visit)
) STRICT;
CREATE TABLE seats (
    id INTEGER PRIMARY KEY,
    question TEXT NOT NULL REFERENCES questions (id),
    seat INTEGER NOT NULL,
    position INTEGER,
    first_left INTEGER NOT NULL CHECK (first_left IN (0, 1)),
    rater INTEGER REFERENCES raters (id),
    session INTEGER REFERENCES sessions (id),
    turn INTEGER,
    UNIQUE (question, seat),
    UNIQUE (question, rater),
    CHECK ((session IS NULL) = (rater IS NULL) AND (session IS NULL) = (turn IS NULL))
) STRICT;
CREATE INDEX free_seats ON seats (position) WHERE session IS NULL AND position IS NOT NULL;
CREATE INDEX seats_of_rater ON seats (rater, question);
CREATE INDEX seats_of_session ON seats (session, turn);
CREATE TABLE votes (
    seat INTEGER PRIMARY KEY REFERENCES seats (id),
    choice TEXT NOT NULL CHECK (choice IN ('left', 'right')),
    at INTEGER NOT NULL
) STRICT;
CREATE TABLE hits (
    hit TEXT NOT NULL,
    turn INTEGER NOT NULL,
    question TEXT NOT NULL REFERENCES questions (id),
    a_first INTEGER NOT NULL CHECK (a_first IN (0, 1)),
    PRIMARY KEY (hit, turn)
) STRICT;
"""


def connect(path: Path) -> sqlite3.Connection:
    """A connection in autocommit mode; transactions are begun by name."""
    connection = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)
    connection.executescript(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
    )
    return connection


class transaction:
    """``with transaction(connection):`` all of it or nothing."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def __enter__(self) -> None:
        self.connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self.connection.execute("COMMIT" if kind is None else "ROLLBACK")


def rater_of(connection: sqlite3.Connection, platform: str, name: str) -> int:
    """The number of a rater, new or known."""
    words = platform, name
    connection.execute(
        "INSERT INTO raters (platform, name) VALUES (?, ?) ON CONFLICT DO NOTHING", words
    )
    found = connection.execute("SELECT id FROM raters WHERE platform = ? AND name = ?", words)
    return int(found.fetchone()[0])


Job = tuple[Callable[[sqlite3.Connection], Any], Future[Any]]


class Writer:
    """One thread, one connection; what waits is committed together."""

    MOST_TOGETHER = 200

    def __init__(self, path: Path) -> None:
        self._waiting: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._connection = connect(path)
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._thread.start()

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run ``work`` in a transaction; returns after the commit reached the disk.

        What ``work`` raises undoes its own changes alone. It is done even if whoever asked has left.
        """
        future: Future[T] = Future()
        self._waiting.put((work, future))
        return await asyncio.shield(asyncio.wrap_future(future))

    def close(self) -> None:
        """Finish what waits, then close the database."""
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
            except sqlite3.Error as error:  # not one of them is on the disk
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
