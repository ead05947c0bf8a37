-- +goose Up

-- A log: a room's, or a device's inbox. What generation, epoch and pending say
-- is the room's; an inbox has zeros.
CREATE TABLE log (
	id         BYTEA  NOT NULL PRIMARY KEY,
	last       BIGINT NOT NULL, -- place of its newest entry
	hash       BYTEA  NOT NULL, -- running hash after it
	generation BIGINT NOT NULL,
	epoch      BIGINT NOT NULL,
	pending    BIGINT NOT NULL, -- proposals that the next commit must take in
	expires    BIGINT NOT NULL  -- no message in it is due before
);
CREATE INDEX log_expires ON log (expires);

-- When its message is due, an entry keeps log, seq and digest; all else is
-- zeroed, and message is null.
CREATE TABLE entry (
	log        BYTEA  NOT NULL,
	seq        BIGINT NOT NULL,
	kind       BIGINT NOT NULL, -- 0: gone
	generation BIGINT NOT NULL,
	epoch      BIGINT NOT NULL,
	sender     BYTEA  NOT NULL,
	append_id  BYTEA  NOT NULL,
	time       BIGINT NOT NULL,
	keep       BIGINT NOT NULL,
	expires    BIGINT NOT NULL,
	message    BYTEA,
	digest     BYTEA  NOT NULL,
	PRIMARY KEY (log, seq)
);

-- Which part of a log a device may read, and how much of it the device has.
CREATE TABLE log_window (
	log      BYTEA  NOT NULL,
	device   BYTEA  NOT NULL,
	person   BYTEA  NOT NULL,
	from_seq BIGINT NOT NULL,
	to_seq   BIGINT NOT NULL, -- 0: open
	closed   BIGINT NOT NULL, -- when, or 0
	taken    BIGINT NOT NULL, -- acknowledged up to here
	before   BYTEA  NOT NULL, -- running hash just before from_seq
	PRIMARY KEY (log, device)
);
CREATE INDEX log_window_device ON log_window (device, log);
CREATE INDEX log_window_closed ON log_window (closed) WHERE closed > 0;

-- What was appended, by a hash of who and which, so that a repeat gets the
-- first answer and the table tells nobody who wrote where.
CREATE TABLE appended (
	key  BYTEA  NOT NULL PRIMARY KEY,
	seq  BIGINT NOT NULL,
	time BIGINT NOT NULL
);

-- +goose Down
DROP TABLE appended;
DROP TABLE log_window;
DROP TABLE entry;
DROP TABLE log;
