-- API keys of consumers, by digest, and how much of each day's quota is used.

CREATE TABLE api_key (
    name text PRIMARY KEY,
    digest bytea NOT NULL,
    consumer text NOT NULL,
    plan text NOT NULL DEFAULT '',
    scopes text[] NOT NULL DEFAULT '{}',
    note text NOT NULL DEFAULT '',
    made_by text NOT NULL DEFAULT '',
    made_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    revoked_at timestamptz,
    revoked_by text NOT NULL DEFAULT '',
    replaced_by text NOT NULL DEFAULT '',
    used_at timestamptz
);
COMMENT ON COLUMN api_key.name IS 'the twelve hex digits in the key by which it is found';
COMMENT ON COLUMN api_key.digest IS 'SHA-256 of the whole key, whose secret is 256 random bits; the key itself is not kept';
COMMENT ON COLUMN api_key.plan IS '"": that of the consumer';
COMMENT ON COLUMN api_key.scopes IS 'empty: all of the consumer';
COMMENT ON COLUMN api_key.used_at IS 'when a request came with it last, within some seconds';
CREATE INDEX api_key_consumer ON api_key (consumer, made_at);

-- Grows with every change, so that gateways know that what they remember is old.
CREATE TABLE api_key_version (value bigint NOT NULL);
INSERT INTO api_key_version (value) VALUES (0);

CREATE TABLE api_usage (
    consumer text NOT NULL,
    plan text NOT NULL,
    day date NOT NULL,
    requests bigint NOT NULL,
    PRIMARY KEY (consumer, plan, day)
);
COMMENT ON TABLE api_usage IS 'requests of a UTC day from all gateways, each adding its own every second';
