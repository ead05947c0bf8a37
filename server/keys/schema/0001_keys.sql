-- +goose Up

-- Key packages that can be claimed. A device has at most one of last resort,
-- which is handed out when the others are gone, and stays.
CREATE TABLE key_package (
    ref         BYTEA   PRIMARY KEY, -- SHA-256 of the message
    device_id   BYTEA   NOT NULL,
    entry       BYTEA   NOT NULL,    -- the log entry its credential names
    last_resort BOOLEAN NOT NULL,
    used        BOOLEAN NOT NULL,    -- last resort only: it was handed out
    expires     BIGINT  NOT NULL,
    message     BYTEA   NOT NULL
);
CREATE INDEX key_package_device ON key_package (device_id, last_resort, expires);
CREATE INDEX key_package_expires ON key_package (expires);

-- Key packages that were claimed: a device that lost the answer to its publish
-- publishes them again, and they must not be handed out twice.
CREATE TABLE claimed (
    ref     BYTEA  PRIMARY KEY,
    expires BIGINT NOT NULL
);
CREATE INDEX claimed_expires ON claimed (expires);

-- +goose Down
DROP TABLE claimed;
DROP TABLE key_package;
