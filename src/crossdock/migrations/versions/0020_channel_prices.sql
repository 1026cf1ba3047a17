-- What channels show of prices: what each is to show, and what it was told last.

-- `wanted` null: there is no price any more, and what was told last stays until there is one. `told` null: nobody knows
-- what the channel shows; it is told again.
CREATE TABLE channel_price (
    channel text NOT NULL,
    sku text NOT NULL,
    wanted numeric,
    currency text NOT NULL,
    unit text NOT NULL,
    list text NOT NULL DEFAULT '',
    wanted_at timestamptz NOT NULL,
    told numeric,
    told_sequence bigint NOT NULL DEFAULT 0,
    told_at timestamptz,
    problem text NOT NULL DEFAULT '',
    refusals integer NOT NULL DEFAULT 0,
    not_before timestamptz,
    PRIMARY KEY (channel, sku)
);
COMMENT ON COLUMN channel_price.list IS 'the price list that says so; empty: the product''s own price';
COMMENT ON COLUMN channel_price.wanted_at IS 'when the change was heard of that led to what is wanted';
COMMENT ON COLUMN channel_price.not_before IS 'when a price that failed or was refused is told again; null: it was not';
-- What is to be told: what nobody has tried first, the oldest change of it first.
CREATE INDEX channel_price_to_tell ON channel_price (channel, not_before NULLS FIRST, wanted_at, sku)
    WHERE wanted IS NOT NULL AND told IS DISTINCT FROM wanted;
CREATE INDEX channel_price_sku ON channel_price (sku);

-- How telling a channel its prices goes. Whoever changes a channel's prices locks its row here first: one lock order.
CREATE TABLE price_publication (
    channel text PRIMARY KEY,
    system text NOT NULL,
    calls bigint NOT NULL DEFAULT 0,
    reason text NOT NULL DEFAULT '',
    lag_p50 float8 NOT NULL DEFAULT 0,
    lag_p95 float8 NOT NULL DEFAULT 0,
    lag_p99 float8 NOT NULL DEFAULT 0,
    followed_version bigint NOT NULL DEFAULT -1,
    followed_stamp bigint NOT NULL DEFAULT -1,
    at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN price_publication.reason IS 'why the last call told nothing; empty when it did';
COMMENT ON COLUMN price_publication.followed_version IS 'the catalog_version that what is wanted follows';
COMMENT ON COLUMN price_publication.followed_stamp IS 'the price_version that what is wanted follows';
-- Prices that a channel was told and that have gone since.
CREATE INDEX channel_price_withdrawn ON channel_price (channel) WHERE wanted IS NULL AND told IS NOT NULL;
