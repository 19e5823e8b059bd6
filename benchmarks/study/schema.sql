-- A seat is a question's slot for one rater's vote; seats of catch trials are created on assignment.
-- Constraints allow one vote per seat, and one seat per rater and question.
-- "first" is the method's picture (in a catch trial, the right answer).
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
