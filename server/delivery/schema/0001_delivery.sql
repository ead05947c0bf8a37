-- +goose Up

CREATE TABLE room (
	id         BYTEA  NOT NULL PRIMARY KEY, -- of its log
	kind       BIGINT NOT NULL,
	pair       BYTEA  UNIQUE,               -- hash of the people of a direct or self room
	maker      BYTEA  NOT NULL,             -- hash of the request that made it
	group_info BYTEA  NOT NULL              -- of the present epoch
);

CREATE TABLE participant (
	room   BYTEA NOT NULL,
	person BYTEA NOT NULL,
	PRIMARY KEY (room, person)
);
CREATE INDEX participant_person ON participant (person, room);

-- The public state of the room's present MLS group, in the pieces in which
-- mls.PublicGroup gives it.
CREATE TABLE group_record (
	room  BYTEA NOT NULL,
	key   BYTEA NOT NULL,
	value BYTEA NOT NULL,
	PRIMARY KEY (room, key)
);

-- Proposals of the present epoch as they were sent, for who joins by external
-- commit.
CREATE TABLE proposal (
	room    BYTEA  NOT NULL,
	seq     BIGINT NOT NULL,
	message BYTEA  NOT NULL,
	PRIMARY KEY (room, seq)
);

-- Devices that must leave the group and have not: the server proposes it in
-- every epoch until somebody commits it.
CREATE TABLE eviction (
	room   BYTEA NOT NULL,
	device BYTEA NOT NULL,
	PRIMARY KEY (room, device)
);

-- Ratchet trees for those who were sent a Welcome, and who those are: it stays
-- as long as that entry of their inbox.
CREATE TABLE tree (
	hash BYTEA NOT NULL PRIMARY KEY,
	tree BYTEA NOT NULL
);
CREATE TABLE tree_reader (
	hash   BYTEA  NOT NULL,
	device BYTEA  NOT NULL,
	inbox  BYTEA  NOT NULL,
	seq    BIGINT NOT NULL,
	PRIMARY KEY (hash, device)
);
CREATE INDEX tree_reader_inbox ON tree_reader (inbox, seq);

-- +goose Down
DROP TABLE tree_reader;
DROP TABLE tree;
DROP TABLE eviction;
DROP TABLE proposal;
DROP TABLE group_record;
DROP TABLE participant;
DROP TABLE room;
