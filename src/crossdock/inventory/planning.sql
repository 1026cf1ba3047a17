-- name: make_forecasts
-- Rows of forecasts that are new, so that they can be locked.
INSERT INTO forecast (forecast_id) SELECT unnest($1::text[]) ORDER BY 1 ON CONFLICT DO NOTHING

-- name: lock_forecasts
-- Which versions stand; locked in one order.
SELECT forecast_id, version, document_id
FROM forecast WHERE forecast_id = ANY($1::text[]) ORDER BY forecast_id FOR UPDATE

-- name: name_forecast
-- The version that stands from now on.
UPDATE forecast SET source = $2, version = $3, document_id = $4, taken_at = now() WHERE forecast_id = $1

-- name: clear_forecast
-- A forecast is replaced whole.
DELETE FROM demand_forecast WHERE forecast_id = $1

-- name: write_periods
-- What is expected to be sold when.
INSERT INTO demand_forecast AS f (forecast_id, version, document_id, sku, channel, starts_on, days, quantity)
SELECT $1, $2, $3, * FROM unnest($4::text[], $5::text[], $6::date[], $7::integer[], $8::numeric[])
ON CONFLICT (forecast_id, sku, channel, starts_on) DO UPDATE
SET days = excluded.days, quantity = excluded.quantity, version = excluded.version, document_id = excluded.document_id

-- name: lock_pace
-- The place in the outbox up to which sales are measured; no row while another process measures.
SELECT xid::text::bigint AS xid, id FROM outbox_cursor WHERE name = 'sales-rate' FOR UPDATE SKIP LOCKED

-- name: make_pace
-- The place, at the beginning.
INSERT INTO outbox_cursor (name, xid, id) VALUES ('sales-rate', '0'::xid8, 0) ON CONFLICT DO NOTHING

-- name: sold
-- Orders accepted after a place in the outbox, in commit order, a page; the last row says how far was read.
WITH border AS MATERIALIZED (
    SELECT pg_snapshot_xmin(pg_current_snapshot()) AS xid
), page AS (
    SELECT e.xid::text::bigint AS xid, e.id, e.at, e.key
    FROM event e, border b
    WHERE (e.xid, e.id) > ($1::bigint::text::xid8, $2::bigint) AND e.xid < b.xid AND e.type = 'sales_order.accepted'
    ORDER BY e.xid, e.id LIMIT $3
)
SELECT xid, id, at, key FROM page
UNION ALL
SELECT b.xid::text::bigint - 1, 9223372036854775807, NULL, NULL FROM border b
WHERE (SELECT count(*) FROM page) < $3
ORDER BY 1, 2

-- name: count_sold
-- Adds what orders (their keys and times) were allocated to the rates, all of it decayed to this moment. $3: the time
-- constant in seconds.
WITH sold AS (
    SELECT o.channel, a.sku, sum(a.quantity::float8 * exp(-extract(epoch FROM now() - i.at)::float8 / $3)) / $3 AS rate
    FROM unnest($1::text[], $2::timestamptz[]) AS i (order_key, at)
    JOIN allocation a ON a.order_key = i.order_key
    JOIN sales_order o ON o.order_key = i.order_key
    GROUP BY o.channel, a.sku
)
INSERT INTO sales_rate AS r (channel, sku, rate, at)
SELECT channel, sku, rate, now() FROM sold WHERE rate > 0 ORDER BY channel, sku
ON CONFLICT (channel, sku) DO UPDATE
SET rate = r.rate * exp(-extract(epoch FROM now() - r.at)::float8 / $3) + excluded.rate, at = now()

-- name: decay
-- Lowers rates that have fallen by a fifth since they were written: not all of them all the time, because everything that
-- follows from a rate is worked out anew when it changes.
UPDATE sales_rate SET rate = rate * exp(-extract(epoch FROM now() - at)::float8 / $1), at = now()
WHERE at < now() - $1 * ln(1.25) * interval '1 second' AND rate > 0

-- name: forget_slow
-- Rates of less than one unit a week or so are none.
DELETE FROM sales_rate WHERE rate < 0.000001

-- name: move_pace
-- So far sales are measured.
UPDATE outbox_cursor SET xid = $1::bigint::text::xid8, id = $2, moved_at = now() WHERE name = 'sales-rate'

-- name: orders_placed
-- Orders placed in a span of time, as they stand.
SELECT o.channel, coalesce(v.body, m.body) AS body
FROM sales_order o
JOIN document d ON d.id = o.document_id
JOIN message m ON m.id = d.message_id
LEFT JOIN LATERAL (
    SELECT body FROM document_version w WHERE w.document_id = d.id AND w.stage = 'canonical' ORDER BY number DESC LIMIT 1
) v ON true
WHERE o.placed_at >= $1 AND o.placed_at < $2

-- name: orders_cancelled
-- Orders cancelled in a span of time; `shipments`: the documents of what had left before.
SELECT o.channel, coalesce(v.body, m.body) AS body,
       ARRAY(
           SELECT coalesce(w.body, n.body) FROM shipment s
           JOIN document e ON e.id = s.document_id
           JOIN message n ON n.id = e.message_id
           LEFT JOIN LATERAL (
               SELECT body FROM document_version w
               WHERE w.document_id = e.id AND w.stage = 'canonical' ORDER BY number DESC LIMIT 1
           ) w ON true
           WHERE s.order_key = o.order_key
       ) AS shipments
FROM sales_order o
JOIN document d ON d.id = o.document_id
JOIN message m ON m.id = d.message_id
LEFT JOIN LATERAL (
    SELECT body FROM document_version w WHERE w.document_id = d.id AND w.stage = 'canonical' ORDER BY number DESC LIMIT 1
) v ON true
WHERE o.changed_at >= $1 AND o.changed_at < $2 AND o.status = 'cancelled'

-- name: goods_shipped
-- Shipments that left in a span of time.
SELECT o.channel, coalesce(v.body, m.body) AS body
FROM shipment s
JOIN sales_order o ON o.order_key = s.order_key
JOIN document d ON d.id = s.document_id
JOIN message m ON m.id = d.message_id
LEFT JOIN LATERAL (
    SELECT body FROM document_version w WHERE w.document_id = d.id AND w.stage = 'canonical' ORDER BY number DESC LIMIT 1
) v ON true
WHERE s.shipped_at >= $1 AND s.shipped_at < $2

-- name: orders_short
-- Orders that goods were missing for, since a span of time, and that got none: they wait for a person or were given up.
SELECT c.reason, v.body
FROM triage_case c
JOIN document d ON d.id = c.document_id
JOIN LATERAL (
    SELECT body FROM document_version w WHERE w.document_id = d.id AND w.stage = 'canonical' ORDER BY number DESC LIMIT 1
) v ON true
WHERE c.rule = 'order.stock' AND c.opened_at >= $1 AND c.opened_at < $2 AND c.delivery_id IS NULL
  AND d.kind = 'sales_order' AND d.state IN ('case', 'rejected')

-- name: first_day
-- The day of the first order there is.
SELECT (min(placed_at) AT TIME ZONE 'UTC')::date FROM sales_order

-- name: days_closed
-- The last day whose demand was told.
SELECT max(day) FROM demand_day

-- name: close_day
-- A day is told; no row when it was told already.
INSERT INTO demand_day (day) VALUES ($1) ON CONFLICT DO NOTHING RETURNING day
