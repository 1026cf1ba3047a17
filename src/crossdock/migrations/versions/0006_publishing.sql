-- Publishing: what a channel must be told is worked out in memory from levels and rules, so that the table keeps only what
-- it was told. A number that may or may not have arrived is null: the channel is told again, whatever the number is then.

DELETE FROM channel_stock WHERE told IS NULL AND problem = '';
ALTER TABLE channel_stock
    DROP COLUMN wanted,
    DROP COLUMN wanted_sequence,
    DROP COLUMN wanted_at,
    DROP COLUMN dirty,
    DROP COLUMN dirty_since,
    ALTER COLUMN not_before DROP NOT NULL,
    ALTER COLUMN not_before DROP DEFAULT;
-- Until now `told` was what is on hand; from now on it is what may be sold, and every channel is told that once.
UPDATE channel_stock SET told = NULL, not_before = NULL, told_sequence = coalesce(told_sequence, 0);
ALTER TABLE channel_stock
    ALTER COLUMN told_sequence SET NOT NULL,
    ALTER COLUMN told_sequence SET DEFAULT 0;
-- What is to be told again because nobody knows what the channel shows: looked for every second or two.
CREATE INDEX channel_stock_unknown ON channel_stock (system) WHERE told IS NULL AND problem = '';
COMMENT ON COLUMN channel_stock.told IS 'the number the channel shows; null: not known, it is told again';
COMMENT ON COLUMN channel_stock.not_before IS 'when a number that the channel refused is told again; null: it was not refused';

-- Everything about levels up to this place in the outbox is compared with what the channel was told.
ALTER TABLE publication
    ADD COLUMN channel text NOT NULL DEFAULT '',
    ADD COLUMN reason text NOT NULL DEFAULT '',
    ADD COLUMN followed_xid xid8 NOT NULL DEFAULT '0',
    ADD COLUMN followed_id bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN publication.waiting IS 'numbers the channel has not acknowledged yet, those it refused among them';
COMMENT ON COLUMN publication.problems IS 'of these, numbers that the channel refused';
COMMENT ON COLUMN publication.reason IS 'why the last call told nothing; empty when it did';
COMMENT ON COLUMN publication.fewest_calls IS 'calls that full batches would have needed, a number waiting a second for company';

-- Calls under way: what they tell is not known to have arrived until the row is gone.
CREATE TABLE publication_call (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    system text NOT NULL,
    sequence bigint NOT NULL,
    skus text[] NOT NULL,
    locations text[] NOT NULL
);
CREATE INDEX publication_call_system ON publication_call (system);
