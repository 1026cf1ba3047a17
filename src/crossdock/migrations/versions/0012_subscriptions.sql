-- Webhooks out: who wants to hear of which events where, and what of that was not delivered yet.

CREATE TABLE subscription (
    id text PRIMARY KEY,
    consumer text NOT NULL,
    url text NOT NULL,
    types text[] NOT NULL,
    channels text[],
    customers text[],
    note text NOT NULL DEFAULT '',
    state text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'disabled')),
    state_reason text NOT NULL DEFAULT '',
    state_at timestamptz NOT NULL,
    secret text NOT NULL,
    previous_secret text NOT NULL DEFAULT '',
    previous_until timestamptz,
    xid xid8 NOT NULL,
    event_id bigint NOT NULL,
    created_at timestamptz NOT NULL,
    last_success_at timestamptz,
    last_failure_at timestamptz,
    failing_since timestamptz,
    failures integer NOT NULL DEFAULT 0,
    rest_until timestamptz,
    last_status integer NOT NULL DEFAULT 0,
    last_error text NOT NULL DEFAULT '',
    delivered bigint NOT NULL DEFAULT 0,
    given_up bigint NOT NULL DEFAULT 0,
    latencies integer[] NOT NULL DEFAULT '{}'
) WITH (fillfactor = 50);
COMMENT ON COLUMN subscription.channels IS 'only events of these; null: of every channel and of none';
COMMENT ON COLUMN subscription.xid IS 'with event_id: the place in the outbox up to which events were looked at';
COMMENT ON COLUMN subscription.failures IS 'tries that failed since the last that did not';
COMMENT ON COLUMN subscription.latencies IS 'how long the last hundred answers took, in milliseconds';
CREATE INDEX subscription_consumer ON subscription (consumer, id);

-- An event that a subscription is still to be told of. Only the oldest of each key is ever due; the others wait for it
-- with next_at infinity.
CREATE TABLE webhook (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subscription_id text NOT NULL,
    xid xid8 NOT NULL,
    event_id bigint NOT NULL,
    element integer NOT NULL DEFAULT 0,
    key text NOT NULL,
    next_at timestamptz NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    first_tried_at timestamptz,
    last_error text NOT NULL DEFAULT ''
) WITH (fillfactor = 80);
COMMENT ON COLUMN webhook.element IS 'which element of an outbox row that holds many events, from 1; 0: the row itself';
CREATE INDEX webhook_due ON webhook (subscription_id, next_at, number) WHERE next_at < 'infinity';
CREATE INDEX webhook_key ON webhook (subscription_id, key, number);

-- One worker at a time delivers webhooks; the fence tells one that lost the lease.
CREATE TABLE webhook_lease (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    worker text NOT NULL DEFAULT '',
    fence bigint NOT NULL DEFAULT 0,
    expires_at timestamptz NOT NULL DEFAULT '-infinity'
);
INSERT INTO webhook_lease DEFAULT VALUES;
