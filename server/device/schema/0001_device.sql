-- +goose Up

-- Device logs: how far each goes, and its entries.
CREATE TABLE device_log (
    user_id  BYTEA  PRIMARY KEY,
    length   BIGINT NOT NULL,
    head     BYTEA  NOT NULL,
    recovery BYTEA  NOT NULL -- id of the recovery key that speaks for it
);
CREATE INDEX device_log_recovery ON device_log (recovery);

CREATE TABLE log_entry (
    user_id BYTEA  NOT NULL,
    place   BIGINT NOT NULL, -- from 0
    entry   BYTEA  NOT NULL,
    PRIMARY KEY (user_id, place)
);

-- Every device that any log ever admitted: a device is one person's.
CREATE TABLE device (
    device_id BYTEA PRIMARY KEY,
    user_id   BYTEA NOT NULL
);

-- Devices that a log removed and that other duties have not yet let go of.
CREATE TABLE removal (
    device_id BYTEA PRIMARY KEY,
    user_id   BYTEA NOT NULL
);

CREATE TABLE token (
    token     BYTEA  PRIMARY KEY, -- SHA-256 of it
    user_id   BYTEA  NOT NULL,
    device_id BYTEA  NOT NULL,
    expires   BIGINT NOT NULL
);
CREATE INDEX token_device ON token (device_id);
CREATE INDEX token_expires ON token (expires);

-- Offers of new devices.
CREATE TABLE link (
    rendezvous BYTEA  PRIMARY KEY,
    device_id  BYTEA  NOT NULL,
    user_id    BYTEA  NOT NULL, -- whose device it wants to be
    admission  BYTEA  NOT NULL,
    expires    BIGINT NOT NULL
);
CREATE INDEX link_expires ON link (expires);

-- +goose Down
DROP TABLE link;
DROP TABLE token;
DROP TABLE removal;
DROP TABLE device;
DROP TABLE log_entry;
DROP TABLE device_log;
