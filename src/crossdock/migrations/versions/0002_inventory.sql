-- Inventory: a ledger with its effects, levels by bucket, reservations, allocations, what is expected and forecast, what
-- channels were told, and the results of comparing all of it.

-- What a movement changed: the sum of each of these three over the ledger is the level. They can differ from `quantity`:
-- a pick changes nothing, and a movement that happened before the last count was in the count already (`late`).
ALTER TABLE stock_movement
    ADD COLUMN lot text NOT NULL DEFAULT '',
    ADD COLUMN expires_on date,
    ADD COLUMN on_hand numeric NOT NULL DEFAULT 0,
    ADD COLUMN quarantined numeric NOT NULL DEFAULT 0,
    ADD COLUMN allocated numeric NOT NULL DEFAULT 0,
    ADD COLUMN late boolean NOT NULL DEFAULT false;
UPDATE stock_movement SET on_hand = quantity WHERE kind <> 'pick';
COMMENT ON COLUMN stock_movement.late IS 'happened before the last count of its SKU and location, which has it already';

ALTER TABLE stock_level
    ADD COLUMN quarantined numeric NOT NULL DEFAULT 0,
    ADD COLUMN allocated numeric NOT NULL DEFAULT 0,
    ADD COLUMN reserved numeric NOT NULL DEFAULT 0,
    ADD COLUMN counted_at timestamptz;
COMMENT ON COLUMN stock_level.counted_at IS 'the moment of the newest count; earlier movements are in it';

-- One row of `event` may hold many events: a JSON array of {"key", "data"}, made CloudEvents of their own by the relay.
ALTER TABLE event ADD COLUMN many boolean NOT NULL DEFAULT false;

-- What inventory needs of a product beside its unit: JSON of units, components, substitutes; null when it has none.
ALTER TABLE product ADD COLUMN details bytea;

-- A hold before there is an order. What is active or committed counts in stock_level.reserved.
--   active      until expires_at
--   committed   the buyer has ordered; waits for the order, however long it takes
--   allocated   the order came and took it over
--   released    given back
--   expired     nobody came in time
CREATE TABLE reservation (
    id text PRIMARY KEY,
    channel text NOT NULL,
    state text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'committed', 'allocated', 'released', 'expired')),
    idempotency_key text NOT NULL,
    digest bigint NOT NULL,
    reference text NOT NULL DEFAULT '',
    order_key text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    ended_at timestamptz,
    body bytea NOT NULL,
    UNIQUE (channel, idempotency_key)
) WITH (fillfactor = 80);
COMMENT ON COLUMN reservation.digest IS 'of what was asked for, so that the same key with other content is noticed';
COMMENT ON COLUMN reservation.body IS 'the answer that was given, JSON';
CREATE INDEX reservation_due ON reservation (expires_at) WHERE state = 'active';

-- What a reservation holds where; a bundle's line has one row per component.
CREATE TABLE reservation_line (
    reservation_id text NOT NULL,
    line text NOT NULL,
    sku text NOT NULL,
    location text NOT NULL,
    quantity numeric NOT NULL,
    PRIMARY KEY (reservation_id, line, sku, location)
);
CREATE INDEX reservation_line_sku ON reservation_line (sku, location);

-- A hold for an order line at a location. quantity - freed counts in stock_level.allocated.
CREATE TABLE allocation (
    reference text NOT NULL,
    line text NOT NULL,
    sku text NOT NULL,
    location text NOT NULL,
    order_key text NOT NULL,
    quantity numeric NOT NULL,
    freed numeric NOT NULL DEFAULT 0,
    allocated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (reference, line, sku)
) WITH (fillfactor = 80);
COMMENT ON COLUMN allocation.reference IS 'the fulfillment order that will ship it';
COMMENT ON COLUMN allocation.freed IS 'shipped or released';
CREATE INDEX allocation_order ON allocation (order_key);
CREATE INDEX allocation_open ON allocation (sku, location) WHERE freed < quantity;

-- Goods on their way. quantity - received is still expected.
CREATE TABLE expected_stock (
    reference text NOT NULL,
    sku text NOT NULL,
    location text NOT NULL,
    source text NOT NULL,
    quantity numeric NOT NULL,
    received numeric NOT NULL DEFAULT 0,
    due_at timestamptz NOT NULL,
    version bigint NOT NULL,
    status text NOT NULL CHECK (status IN ('open', 'closed', 'cancelled')),
    document_id bigint NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (reference, sku, location)
);
CREATE INDEX expected_stock_sku ON expected_stock (sku, location) WHERE status = 'open';

CREATE TABLE demand_forecast (
    forecast_id text NOT NULL,
    sku text NOT NULL,
    channel text NOT NULL,
    starts_on date NOT NULL,
    days integer NOT NULL,
    quantity numeric NOT NULL,
    version bigint NOT NULL,
    document_id bigint NOT NULL,
    PRIMARY KEY (forecast_id, sku, channel, starts_on)
);
CREATE INDEX demand_forecast_sku ON demand_forecast (sku, starts_on);

-- How fast a SKU sells on a channel: units a second, decayed; written by the scheduler.
CREATE TABLE sales_rate (
    channel text NOT NULL,
    sku text NOT NULL,
    rate float8 NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (channel, sku)
);

-- Every number a channel was told and when it acknowledged it; channel_stock holds the newest.
CREATE TABLE told_stock (
    system text NOT NULL,
    sku text NOT NULL,
    location text NOT NULL,
    quantity numeric NOT NULL,
    sequence bigint NOT NULL,
    changed_at timestamptz NOT NULL,
    told_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN told_stock.changed_at IS 'when the oldest change that it tells of was made; told_at - changed_at is the lag';
CREATE INDEX told_stock_sku ON told_stock (sku, told_at);
CREATE INDEX told_stock_at ON told_stock USING brin (told_at) WITH (pages_per_range = 32, autosummarize = on);

-- How publishing to a channel system goes, renewed every second or two by the worker that drives it.
CREATE TABLE publication (
    system text PRIMARY KEY,
    waiting integer NOT NULL DEFAULT 0,
    waiting_since timestamptz,
    problems integer NOT NULL DEFAULT 0,
    calls bigint NOT NULL DEFAULT 0,
    fewest_calls bigint NOT NULL DEFAULT 0,
    lag_p50 float8 NOT NULL DEFAULT 0,
    lag_p95 float8 NOT NULL DEFAULT 0,
    lag_p99 float8 NOT NULL DEFAULT 0,
    at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN publication.fewest_calls IS 'calls that would have told the same changes in full batches';

-- A comparison of what ERP, warehouse, Crossdock and channels hold of each SKU.
CREATE TABLE reconciliation (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    asked_by text NOT NULL DEFAULT '',
    compared bigint NOT NULL DEFAULT 0,
    equal bigint NOT NULL DEFAULT 0,
    healed bigint NOT NULL DEFAULT 0,
    cases bigint NOT NULL DEFAULT 0,
    problems text NOT NULL DEFAULT ''
);
CREATE TABLE reconciliation_difference (
    reconciliation_id bigint NOT NULL,
    system text NOT NULL,
    sku text NOT NULL,
    location text NOT NULL,
    ours numeric,
    theirs numeric,
    class text NOT NULL,
    reason text NOT NULL DEFAULT '',
    action text NOT NULL DEFAULT '',
    money numeric,
    currency text NOT NULL DEFAULT '',
    PRIMARY KEY (reconciliation_id, system, sku, location)
);
CREATE INDEX reconciliation_difference_sku ON reconciliation_difference (sku, reconciliation_id);

-- Key figures with history: one row per figure, dimension and time.
CREATE TABLE kpi (
    name text NOT NULL,
    dimension text NOT NULL DEFAULT '',
    at timestamptz NOT NULL DEFAULT now(),
    value float8 NOT NULL,
    PRIMARY KEY (name, dimension, at)
);
