-- Price lists, and what orders are checked against.

-- Price lists as they stand, newest version. `stamp` is the price_version that a change was made at: stamps are given
-- under the lock of that one row, so they are committed in order, and a cache reads what is above the newest it has.
CREATE TABLE price_list (
    price_list_id text PRIMARY KEY,
    version bigint NOT NULL,
    status text NOT NULL,
    body bytea NOT NULL,
    document_id bigint,
    stamp bigint NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX price_list_stamp ON price_list (stamp);
CREATE TABLE price_version (value bigint NOT NULL);
INSERT INTO price_version VALUES (0);

-- The price a product itself has is what it costs where no list names it; decisions read it beside units and bundles.
UPDATE product
SET details = convert_to(
    (
        coalesce(convert_from(details, 'UTF8')::jsonb, '{}')
        || jsonb_build_object('price', convert_from(body, 'UTF8')::jsonb -> 'price')
    )::text,
    'UTF8'
)
WHERE jsonb_typeof(convert_from(body, 'UTF8')::jsonb -> 'price') = 'object';

-- Orders that say the same are found by a digest.
ALTER TABLE sales_order ADD COLUMN likeness bigint;
COMMENT ON COLUMN sales_order.likeness IS 'digest of customer, PO number, lines and address, where its channel looks for duplicates';
CREATE INDEX sales_order_likeness ON sales_order (likeness) WHERE likeness IS NOT NULL;
