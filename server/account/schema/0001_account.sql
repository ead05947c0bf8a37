-- +goose Up

-- The one network of this server. Both keys are private.
CREATE TABLE network (
    id      BIGINT PRIMARY KEY CHECK (id = 1),
    secrets BYTEA  NOT NULL, -- identity.NetworkSecrets
    sender  BYTEA  NOT NULL, -- P-256, with which the server proposes removals
    made    BIGINT NOT NULL
);

CREATE TABLE person (
    user_id BYTEA  PRIMARY KEY,
    name    TEXT   NOT NULL, -- as others see it
    folded  TEXT   NOT NULL, -- for searching
    sort    BYTEA  NOT NULL, -- folded, as bytes: one order in every database and locale
    joined  BIGINT NOT NULL
);
CREATE UNIQUE INDEX person_sort ON person (sort);

CREATE TABLE invite (
    token   BYTEA  PRIMARY KEY, -- SHA-256 of it
    name    TEXT   NOT NULL,    -- whom it is for; may be empty
    expires BIGINT NOT NULL,
    user_id BYTEA               -- who used it
);
CREATE INDEX invite_expires ON invite (expires);

-- +goose Down
DROP TABLE invite;
DROP TABLE person;
DROP TABLE network;
