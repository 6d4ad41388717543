-- +goose Up

-- Somebody who comes from an upstream for the first time may have a record already.
CREATE INDEX record_values_mail ON record_values (lower(value)) WHERE name = 'mail';
