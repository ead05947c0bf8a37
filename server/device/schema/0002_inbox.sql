-- +goose Up

-- The id of the device's inbox, so that nobody can make a room in its place. Of
-- devices that were admitted before this was kept, the server fills it in when
-- it opens.
ALTER TABLE device ADD COLUMN inbox BYTEA;
CREATE INDEX device_inbox ON device (inbox);

-- +goose Down
DROP INDEX device_inbox;
ALTER TABLE device DROP COLUMN inbox;
