-- name: back_orders_of_skus
-- What waits for these SKUs, the oldest first.
SELECT order_key, line, sku, quantity, line_quantity, places, since
FROM back_order WHERE sku = ANY($1::text[]) ORDER BY since, order_key, line, sku

-- name: back_orders_of
-- What of these orders waits.
SELECT order_key, line, sku, quantity, line_quantity, places, since
FROM back_order WHERE order_key = ANY($1::text[]) ORDER BY since, order_key, line, sku

-- name: forget_back_orders
-- These orders wait for nothing any more, or it is written anew.
DELETE FROM back_order WHERE order_key = ANY($1::text[])

-- name: due_back_orders
-- Orders that goods may have come for since they were last looked for, those that wait longest first.
SELECT b.order_key, s.channel, sum(l.sequence)::bigint AS seen
FROM back_order b
JOIN sales_order s ON s.order_key = b.order_key
JOIN stock_level l ON l.sku = b.sku AND l.location = ANY(b.places)
GROUP BY b.order_key, s.channel
HAVING bool_or(l.on_hand - l.quarantined - l.allocated - l.reserved > 0) AND sum(l.sequence)::bigint <> max(b.seen)
ORDER BY min(b.since), b.order_key LIMIT $1

-- name: looked_for
-- Goods were looked for with levels at these sequences.
UPDATE back_order b SET seen = i.seen
FROM unnest($1::text[], $2::bigint[]) AS i (order_key, seen) WHERE b.order_key = i.order_key
