-- Returns: goods of an order that are to come back, and what has come of them.

-- A return as it stands. Declined and cancelled ones are kept, so that an older statement is known to be old.
CREATE TABLE goods_return (
    return_key text PRIMARY KEY,
    order_key text NOT NULL,
    number text NOT NULL,
    channel text NOT NULL,
    state text NOT NULL
        CHECK (state IN ('approved', 'partly_received', 'received', 'declined', 'cancelled')),
    version bigint NOT NULL,
    resolution text NOT NULL,
    location text NOT NULL,
    lines jsonb NOT NULL,
    refund numeric NOT NULL,
    fee numeric NOT NULL,
    currency text NOT NULL,
    document_id bigint NOT NULL,
    requested_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN goods_return.lines IS
    '{"<order line>": {sku, unit, requested, approved, received, restocked, quarantined, scrapped, …}}: quantities in the unit goods are kept in';
COMMENT ON COLUMN goods_return.refund IS 'what goes back to the customer for what was received; refund + fee is their share of what was paid';
CREATE INDEX goods_return_order ON goods_return (order_key);
CREATE INDEX goods_return_number ON goods_return (number);

-- What a location says came back; each has its effect once.
CREATE TABLE return_receipt (
    receipt_key text PRIMARY KEY,
    return_key text NOT NULL,
    location text NOT NULL,
    received_at timestamptz NOT NULL,
    refund numeric NOT NULL,
    fee numeric NOT NULL,
    currency text NOT NULL,
    document_id bigint NOT NULL
);
CREATE INDEX return_receipt_return ON return_receipt (return_key);
