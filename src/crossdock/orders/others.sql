-- name: lock_accounts
-- Keeps everybody else from deciding on orders of these accounts until the transaction ends; in one order for all.
SELECT pg_advisory_xact_lock(turn)
FROM (SELECT DISTINCT hashtextextended('orders of ' || id, 0) AS turn FROM unnest($1::text[]) id ORDER BY turn) t

-- name: orders_before
-- The orders of these keys as they stand.
SELECT order_key, customer_id, currency, total, version, status, content, placed_at
FROM sales_order WHERE order_key = ANY($1::text[])

-- name: open_totals
-- What each account has ordered since its moment, and not cancelled, by currency.
SELECT w.customer_id, w.since, o.currency, sum(o.total) AS total
FROM unnest($1::text[], $2::timestamptz[]) AS w (customer_id, since)
JOIN sales_order o ON o.customer_id = w.customer_id AND o.placed_at >= w.since AND o.status = 'open'
GROUP BY w.customer_id, w.since, o.currency

-- name: orders_alike
-- For each order the oldest other one that says the same and was placed since.
SELECT DISTINCT ON (w.order_key) w.order_key AS asking, o.order_key, o.number
FROM unnest($1::bigint[], $2::text[], $3::timestamptz[]) AS w (likeness, order_key, since)
JOIN sales_order o ON o.likeness = w.likeness
WHERE o.order_key <> w.order_key AND o.placed_at >= w.since AND o.status = 'open'
ORDER BY w.order_key, o.placed_at, o.order_key
