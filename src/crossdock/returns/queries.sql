-- name: orders_of_returns
-- Which orders these returns are of. Nothing is locked by asking.
SELECT return_key, order_key FROM goods_return WHERE return_key = ANY($1::text[])

-- name: take_turns
-- Waits until nobody else decides on returns of these orders, in the order given; held until the transaction ends.
SELECT pg_advisory_xact_lock(hashtextextended('goods_return@' || key, 0)) FROM unnest($1::text[]) AS w (key)

-- name: orders_sold
-- Orders with their newest canonical form, who has them, and which of their lines wait for goods.
SELECT s.order_key, s.erp, s.customer_id, s.placed_at, coalesce(v.body, m.body) AS body,
       (SELECT max(h.shipped_at) FROM shipment h WHERE h.order_key = s.order_key) AS shipped_at,
       ARRAY(SELECT DISTINCT b.line FROM back_order b WHERE b.order_key = s.order_key) AS waiting
FROM sales_order s
JOIN document d ON d.id = s.document_id
CROSS JOIN LATERAL (SELECT body FROM message w WHERE w.id = d.message_id OFFSET 0) m
LEFT JOIN LATERAL (
    SELECT body FROM document_version w WHERE w.document_id = d.id AND w.stage = 'canonical' ORDER BY number DESC LIMIT 1
) v ON true
WHERE s.order_key = ANY($1::text[])

-- name: shipped_of
-- What warehouses were asked to ship of these orders, and what has left.
SELECT order_key, location, lines FROM fulfillment_order WHERE order_key = ANY($1::text[]) ORDER BY reference

-- name: returns_of
-- Every return of these orders.
SELECT return_key, order_key, number, channel, state, version, resolution, location, lines, refund, fee, currency,
       document_id, requested_at, changed_at
FROM goods_return WHERE order_key = ANY($1::text[]) ORDER BY return_key

-- name: write_returns
-- Writes returns and gives back which; the caller holds the turns of their orders and has made sure that each is newer
-- than what is there. One that is there as a return of another order is left alone.
INSERT INTO goods_return (
    return_key, order_key, number, channel, state, version, resolution, location, lines, refund, fee, currency,
    document_id, requested_at
)
SELECT i.return_key, i.order_key, i.number, i.channel, i.state, i.version, i.resolution, i.location, i.lines::jsonb,
       i.refund, i.fee, i.currency, i.document_id, i.requested_at
FROM unnest(
    $1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::text[], $8::text[], $9::text[],
    $10::numeric[], $11::numeric[], $12::text[], $13::bigint[], $14::timestamptz[]
) AS i (
    return_key, order_key, number, channel, state, version, resolution, location, lines, refund, fee, currency,
    document_id, requested_at
)
ON CONFLICT (return_key) DO UPDATE
SET state = excluded.state, version = excluded.version, location = excluded.location, lines = excluded.lines,
    refund = excluded.refund, fee = excluded.fee, document_id = excluded.document_id, changed_at = now()
WHERE goods_return.order_key = excluded.order_key
RETURNING return_key

-- name: known_receipts
-- Of these receipts those that are here.
SELECT receipt_key FROM return_receipt WHERE receipt_key = ANY($1::text[])

-- name: write_receipts
-- Writes what came back.
INSERT INTO return_receipt (receipt_key, return_key, location, received_at, refund, fee, currency, document_id)
SELECT * FROM unnest(
    $1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::numeric[], $6::numeric[], $7::text[], $8::bigint[]
)
