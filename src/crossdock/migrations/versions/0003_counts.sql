-- Counts as they were told, and what replay and inbound receipts look things up by.

-- Counts that were taken, one row per document. The newest complete one of a location says of every SKU that had no level
-- there yet that there was none: a level made later begins with its moment.
CREATE TABLE stock_count (
    source text NOT NULL,
    count_id text NOT NULL,
    location text NOT NULL,
    as_of timestamptz NOT NULL,
    complete boolean NOT NULL,
    document_id bigint NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (source, count_id)
);
CREATE INDEX stock_count_complete ON stock_count (location, as_of) WHERE complete;

-- What a count said of each SKU. The difference it made is the movement of kind count with the same source.
CREATE TABLE counted_stock (
    source text NOT NULL,
    count_id text NOT NULL,
    sku text NOT NULL,
    absent boolean NOT NULL,
    location text NOT NULL,
    as_of timestamptz NOT NULL,
    quantity numeric NOT NULL,
    difference numeric NOT NULL,
    stale boolean NOT NULL,
    document_id bigint NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (source, count_id, sku, absent)
);
COMMENT ON COLUMN counted_stock.absent IS 'not named by a complete count, so counted as zero';
COMMENT ON COLUMN counted_stock.stale IS 'older than the newest count of its SKU and location: it changed nothing';
CREATE INDEX counted_stock_sku ON counted_stock (sku, location, as_of);

-- Receipts by what they were announced as, for a notice that comes after its goods.
CREATE INDEX stock_movement_receipt ON stock_movement (reference) WHERE kind = 'receipt' AND reference <> '';

CREATE INDEX document_received ON document USING brin (received_at) WITH (pages_per_range = 32, autosummarize = on);
