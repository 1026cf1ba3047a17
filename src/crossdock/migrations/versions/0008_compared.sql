-- Which systems a comparison looked at in whole, so that the next one of such a system knows what was done before.

ALTER TABLE reconciliation ADD COLUMN systems text[] NOT NULL DEFAULT '{}';
COMMENT ON COLUMN reconciliation.systems IS 'asked for all they have, and answered; empty: only some SKUs were compared';
