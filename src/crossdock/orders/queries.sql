-- name: known_orders
-- The orders of these keys as they stand, locked in key order until the transaction ends.
SELECT order_key, version, status, content, erp, document_id
FROM sales_order WHERE order_key = ANY($1::text[]) ORDER BY order_key FOR UPDATE

-- name: upsert_orders
-- Writes orders; the caller has made sure that each is newer than what is there.
INSERT INTO sales_order (
    order_key, number, channel, entity, customer_id, po_number, status, version, currency, total, document_id, content,
    erp, placed_at, decision, likeness
)
SELECT * FROM unnest(
    $1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[], $9::text[],
    $10::numeric[], $11::bigint[], $12::bigint[], $13::text[], $14::timestamptz[], $15::bytea[],
    $16::bigint[]
)
ON CONFLICT (order_key) DO UPDATE
SET number = excluded.number, customer_id = excluded.customer_id, po_number = excluded.po_number,
    status = excluded.status, version = excluded.version, currency = excluded.currency, total = excluded.total,
    document_id = excluded.document_id, content = excluded.content, decision = excluded.decision,
    likeness = excluded.likeness, changed_at = now()
WHERE sales_order.version < excluded.version

-- name: index_skus
-- Notes which SKUs orders ask for, so that they are found by them; each (order, SKU) comes once.
INSERT INTO order_sku (sku, placed_at, order_key)
SELECT i.sku, s.placed_at, i.order_key
FROM unnest($1::text[], $2::text[]) AS i (order_key, sku) JOIN sales_order s USING (order_key)
ON CONFLICT DO NOTHING

-- name: insert_cancellations
-- Writes cancellations; one that is known already is left as it is. Returns those that are new.
INSERT INTO cancellation (
    cancellation_key, number, channel, of_order, customer_id, currency, total, document_id, cancelled_at
)
SELECT * FROM unnest(
    $1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::numeric[], $8::bigint[],
    $9::timestamptz[]
)
ON CONFLICT (cancellation_key) DO NOTHING
RETURNING document_id
