-- +goose Up

-- A LogoutRequest names a person by the NameID of its sender, and comes without
-- a cookie.
CREATE INDEX participants_subject ON participants (subject, relying_party);
