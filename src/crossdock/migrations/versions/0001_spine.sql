-- The spine: journal, books, orders, fulfillment, stock, catalog, deliveries, cases, events.
-- No foreign keys: rows that belong together are written by one statement or transaction and never deleted, and each
-- check would be one more look-up and row lock on the way of every document.

-- Interfaces as the estate declares them; written at start so that every reader knows owner and deadline.
CREATE TABLE interface (
    name text PRIMARY KEY,
    system text NOT NULL,
    direction text NOT NULL CHECK (direction IN ('in', 'out')),
    object text NOT NULL,
    owner text NOT NULL,
    tier text NOT NULL,
    settle_within interval NOT NULL,
    version integer NOT NULL,
    state text NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT now()
);

-- Message Store: bytes as they came. Never updated.
CREATE TABLE message (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    interface text NOT NULL,
    topic text NOT NULL,
    dedup_key text NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    headers bytea,
    body bytea NOT NULL,
    UNIQUE (interface, dedup_key)
);
ALTER TABLE message ALTER COLUMN body SET STORAGE EXTERNAL;
ALTER TABLE message SET (toast_tuple_target = 8160);

-- A delivery of something we already have; it makes no second effect and is counted.
CREATE TABLE duplicate (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    interface text NOT NULL,
    dedup_key text NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now()
);

-- Authenticated but refused at the door; its sender was told why.
CREATE TABLE rejection (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    interface text NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    rule text NOT NULL,
    reason text NOT NULL,
    size bigint NOT NULL
);

-- Every business document that entered, in exactly one state until it is settled.
--   received    waits for translate and decide
--   retry       tried again at next_at
--   case        waits for a person
--   delivering  decided; open_deliveries obligations are left
--   settled     nothing left to do
--   duplicate   same content or an older version of what we have; no effect
--   rejected    its sender was told, or an operator dismissed it with a reason
CREATE TABLE document (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    message_id bigint NOT NULL,
    parent_id bigint,
    interface text NOT NULL,
    topic text NOT NULL,
    kind text NOT NULL DEFAULT '',
    key text NOT NULL,
    version bigint NOT NULL DEFAULT 0,
    digest bigint NOT NULL,
    state text NOT NULL DEFAULT 'received'
        CHECK (state IN ('received', 'retry', 'case', 'delivering', 'settled', 'duplicate', 'rejected')),
    step text NOT NULL DEFAULT 'translate' CHECK (step IN ('translate', 'decide', 'deliver', 'done')),
    overtakes boolean NOT NULL DEFAULT false,
    items integer NOT NULL DEFAULT 1,
    attempts integer NOT NULL DEFAULT 0,
    open_deliveries integer NOT NULL DEFAULT 0,
    next_at timestamptz NOT NULL DEFAULT now(),
    received_at timestamptz NOT NULL DEFAULT now(),
    decided_at timestamptz,
    settled_at timestamptz,
    made_by text NOT NULL DEFAULT '',
    note text NOT NULL DEFAULT ''
) WITH (fillfactor = 80);
COMMENT ON COLUMN document.overtakes IS 'a full statement of its thing: may go on while an older one of its key waits for a person';
COMMENT ON COLUMN document.made_by IS 'contract, mapping and rule versions that made the current version';
CREATE INDEX document_key ON document (key, id);
CREATE INDEX document_todo ON document (next_at, id) WHERE state IN ('received', 'retry');
CREATE INDEX document_message ON document USING brin (message_id) WITH (pages_per_range = 16, autosummarize = on);
CREATE INDEX document_settled ON document USING brin (settled_at) WITH (pages_per_range = 32, autosummarize = on);
CREATE INDEX document_pending ON document (key, id) WHERE state IN ('received', 'retry', 'case');

-- What the document said in canonical form, and every edit of it; source edits replace the message body.
CREATE TABLE document_version (
    document_id bigint NOT NULL,
    number integer NOT NULL,
    stage text NOT NULL CHECK (stage IN ('source', 'canonical')),
    body bytea NOT NULL,
    made_by text NOT NULL DEFAULT '',
    author text NOT NULL DEFAULT '',
    reason text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (document_id, number)
);
ALTER TABLE document_version ALTER COLUMN body SET STORAGE EXTERNAL;
ALTER TABLE document_version SET (toast_tuple_target = 8160);

-- Business events in the order they were committed: (xid, id) below the oldest running transaction is final.
CREATE TABLE event (
    id bigint GENERATED ALWAYS AS IDENTITY,
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    at timestamptz NOT NULL DEFAULT now(),
    type text NOT NULL,
    key text NOT NULL,
    document_id bigint NOT NULL,
    data bytea NOT NULL,
    PRIMARY KEY (xid, id)
);
CREATE INDEX event_document ON event USING brin (document_id) WITH (pages_per_range = 16, autosummarize = on);

CREATE TABLE outbox_cursor (
    name text PRIMARY KEY,
    xid xid8 NOT NULL,
    id bigint NOT NULL,
    moved_at timestamptz NOT NULL DEFAULT now()
);

-- Orders as Crossdock keeps them, newest version.
CREATE TABLE sales_order (
    order_key text PRIMARY KEY,
    number text NOT NULL,
    channel text NOT NULL,
    entity text NOT NULL,
    customer_id text NOT NULL,
    po_number text NOT NULL DEFAULT '',
    status text NOT NULL CHECK (status IN ('open', 'cancelled')),
    version bigint NOT NULL,
    currency text NOT NULL,
    total numeric NOT NULL,
    document_id bigint NOT NULL,
    content bigint NOT NULL,
    erp text NOT NULL,
    placed_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT now(),
    decision bytea NOT NULL
);
COMMENT ON COLUMN sales_order.content IS 'digest of what ERP and warehouse must know, to tell a change from a mere touch';
COMMENT ON COLUMN sales_order.decision IS 'why it went where it went: JSON of the routing decision';
CREATE INDEX sales_order_number ON sales_order (number);
CREATE INDEX sales_order_po ON sales_order (po_number) WHERE po_number <> '';
CREATE INDEX sales_order_customer ON sales_order (customer_id);

CREATE TABLE cancellation (
    cancellation_key text PRIMARY KEY,
    number text NOT NULL,
    channel text NOT NULL,
    of_order text NOT NULL,
    customer_id text NOT NULL,
    currency text NOT NULL,
    total numeric NOT NULL,
    document_id bigint NOT NULL,
    cancelled_at timestamptz NOT NULL
);
CREATE INDEX cancellation_number ON cancellation (number);

CREATE TABLE fulfillment_order (
    reference text PRIMARY KEY,
    order_key text NOT NULL,
    location text NOT NULL,
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'partly_shipped', 'shipped', 'cancelled')),
    document_id bigint NOT NULL,
    lines jsonb NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN fulfillment_order.lines IS '{"<line>": {"sku", "ordered", "shipped"}}';
CREATE INDEX fulfillment_order_order ON fulfillment_order (order_key);

CREATE TABLE shipment (
    shipment_key text PRIMARY KEY,
    order_key text NOT NULL,
    fulfillment_reference text NOT NULL,
    location text NOT NULL,
    carrier text NOT NULL,
    tracking text[] NOT NULL,
    shipped_at timestamptz NOT NULL,
    document_id bigint NOT NULL
);
CREATE INDEX shipment_order ON shipment (order_key);
CREATE INDEX shipment_tracking ON shipment USING gin (tracking);

-- Stock is a ledger; a level is what its movements add up to.
CREATE TABLE stock_movement (
    source text NOT NULL,
    movement_id text NOT NULL,
    kind text NOT NULL,
    sku text NOT NULL,
    location text NOT NULL,
    quantity numeric NOT NULL,
    unit text NOT NULL,
    occurred_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    document_id bigint NOT NULL,
    reference text NOT NULL DEFAULT '',
    PRIMARY KEY (source, movement_id)
);
CREATE INDEX stock_movement_sku ON stock_movement (sku, location, occurred_at);

CREATE TABLE stock_level (
    sku text NOT NULL,
    location text NOT NULL,
    on_hand numeric NOT NULL,
    sequence bigint NOT NULL,
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (sku, location)
) WITH (fillfactor = 70);

-- Conflating queue: per channel system, SKU and location what it should be told, and what it was told.
CREATE TABLE channel_stock (
    system text NOT NULL,
    sku text NOT NULL,
    location text NOT NULL,
    wanted numeric NOT NULL,
    wanted_sequence bigint NOT NULL,
    dirty boolean NOT NULL DEFAULT true,
    dirty_since timestamptz NOT NULL,
    wanted_at timestamptz NOT NULL DEFAULT now(),
    not_before timestamptz NOT NULL DEFAULT '-infinity',
    told numeric,
    told_sequence bigint,
    told_at timestamptz,
    problem text NOT NULL DEFAULT '',
    PRIMARY KEY (system, sku, location)
) WITH (fillfactor = 70);
CREATE INDEX channel_stock_dirty ON channel_stock (system, dirty_since) WHERE dirty;

-- Catalog
CREATE TABLE product (
    sku text PRIMARY KEY,
    unit text NOT NULL,
    location text NOT NULL DEFAULT '',
    stocked boolean NOT NULL DEFAULT true,
    status text NOT NULL DEFAULT 'active',
    body bytea NOT NULL,
    document_id bigint,
    changed_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE customer (
    customer_id text PRIMARY KEY,
    name text NOT NULL DEFAULT '',
    status text NOT NULL DEFAULT 'active',
    body bytea NOT NULL,
    document_id bigint,
    changed_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE crosswalk (
    name text NOT NULL,
    system text NOT NULL,
    theirs text NOT NULL,
    ours text NOT NULL,
    owner text NOT NULL DEFAULT '',
    changed_by text NOT NULL DEFAULT '',
    changed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (name, system, theirs)
);
CREATE TABLE crosswalk_history (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    system text NOT NULL,
    theirs text NOT NULL,
    before text,
    after text,
    changed_by text NOT NULL,
    reason text NOT NULL DEFAULT '',
    changed_at timestamptz NOT NULL DEFAULT now()
);
-- Grows whenever catalog, crosswalks or customers change, so that caches know they are old.
CREATE TABLE catalog_version (value bigint NOT NULL);
INSERT INTO catalog_version VALUES (0);

-- Guaranteed Delivery: obligations to bring a document to a system.
--   due        goes at next_at, after all earlier ones of its key to its system; those in delivery_claim are being sent
--   case       waits for a person; holds back later ones of its key to its system
--   delivered  the system has it and calls it their_reference
--   cancelled  given up with a reason, or no longer needed
CREATE TABLE delivery (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    document_id bigint NOT NULL,
    interface text NOT NULL,
    system text NOT NULL,
    operation text NOT NULL,
    object text NOT NULL,
    key text NOT NULL,
    reference text NOT NULL,
    idempotency_key uuid NOT NULL DEFAULT gen_random_uuid(),
    body bytea,
    state text NOT NULL DEFAULT 'due' CHECK (state IN ('due', 'case', 'delivered', 'cancelled')),
    look_first boolean NOT NULL DEFAULT false,
    attempts integer NOT NULL DEFAULT 0,
    next_at timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now(),
    settled_at timestamptz,
    their_reference text NOT NULL DEFAULT '',
    last_error text NOT NULL DEFAULT ''
) WITH (fillfactor = 80);
COMMENT ON COLUMN delivery.body IS 'the canonical object to send; null = the current version of the document';
CREATE INDEX delivery_document ON delivery (document_id);
CREATE INDEX delivery_due ON delivery (system, next_at, id) WHERE state = 'due';
CREATE INDEX delivery_open ON delivery (system, key, id) WHERE state IN ('due', 'case');

-- What a worker is sending: one row per claim instead of a mark on every delivery. A worker that takes a system over
-- makes what is left here of an earlier fence due again, to be looked for first.
CREATE TABLE delivery_claim (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    system text NOT NULL,
    fence bigint NOT NULL,
    delivery_ids bigint[] NOT NULL,
    claimed_at timestamptz NOT NULL DEFAULT now()
);

-- What travelled to a system and came back; one exchange may carry many deliveries.
CREATE TABLE exchange (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    system text NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    method text NOT NULL,
    url text NOT NULL,
    request bytea NOT NULL,
    status integer NOT NULL,
    response bytea NOT NULL
);
ALTER TABLE exchange ALTER COLUMN request SET STORAGE EXTERNAL, ALTER COLUMN response SET STORAGE EXTERNAL;
ALTER TABLE exchange SET (toast_tuple_target = 8160);

CREATE TABLE delivery_attempt (
    delivery_id bigint NOT NULL,
    number integer NOT NULL,
    started_at timestamptz NOT NULL,
    finished_at timestamptz NOT NULL,
    outcome text NOT NULL,
    error text NOT NULL DEFAULT '',
    exchange_id bigint,
    PRIMARY KEY (delivery_id, number)
);

-- One worker at a time drives a system, so that its limits and its breaker hold exactly; the fence tells a
-- worker that lost its lease.
CREATE TABLE system_lease (
    system text PRIMARY KEY,
    worker text NOT NULL DEFAULT '',
    fence bigint NOT NULL DEFAULT 0,
    expires_at timestamptz NOT NULL DEFAULT '-infinity',
    breaker text NOT NULL DEFAULT 'closed',
    breaker_until timestamptz,
    breaker_reason text NOT NULL DEFAULT '',
    paused boolean NOT NULL DEFAULT false,
    paused_by text NOT NULL DEFAULT '',
    pause_reason text NOT NULL DEFAULT '',
    seen_at timestamptz
);

-- A document that needs a person.
CREATE TABLE triage_case (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    document_id bigint NOT NULL,
    delivery_id bigint,
    interface text NOT NULL,
    system text NOT NULL DEFAULT '',
    key text NOT NULL,
    step text NOT NULL,
    class text NOT NULL,
    rule text NOT NULL DEFAULT '',
    field text NOT NULL DEFAULT '',
    value text NOT NULL DEFAULT '',
    reason text NOT NULL,
    fix text NOT NULL DEFAULT '',
    owner text NOT NULL DEFAULT '',
    deadline timestamptz,
    money numeric,
    currency text NOT NULL DEFAULT '',
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'resolved', 'dismissed')),
    opened_at timestamptz NOT NULL DEFAULT now(),
    closed_at timestamptz,
    closed_by text NOT NULL DEFAULT '',
    close_reason text NOT NULL DEFAULT ''
);
CREATE INDEX triage_case_open ON triage_case (opened_at) WHERE state = 'open';
CREATE INDEX triage_case_document ON triage_case (document_id);
CREATE INDEX triage_case_key ON triage_case (key) WHERE state = 'open';

-- Who did what, before and after.
CREATE TABLE audit (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    who text NOT NULL,
    action text NOT NULL,
    what text NOT NULL,
    before text NOT NULL DEFAULT '',
    after text NOT NULL DEFAULT '',
    reason text NOT NULL DEFAULT ''
);
CREATE INDEX audit_what ON audit (what, id);
