-- name: lock_levels
-- The levels of these SKUs and locations, locked in the one order every writer uses.
SELECT l.sku, l.location, l.on_hand, l.quarantined, l.allocated, l.reserved, l.sequence, l.changed_at, l.counted_at
FROM unnest($1::text[], $2::text[]) AS w (sku, location)
JOIN stock_level l ON l.sku = w.sku AND l.location = w.location
ORDER BY l.sku, l.location
FOR UPDATE OF l

-- name: lock_locations
-- Locks locations by name until the transaction ends: alone ($2) or shared.
SELECT CASE
    WHEN w.alone THEN pg_advisory_xact_lock(hashtextextended('stock_level@' || w.location, 0))
    ELSE pg_advisory_xact_lock_shared(hashtextextended('stock_level@' || w.location, 0))
END
FROM unnest($1::text[], $2::boolean[]) AS w (location, alone)

-- name: levels_at
-- Every level of these locations.
SELECT sku, location FROM stock_level WHERE location = ANY($1::text[])

-- name: missing_levels
-- Of these levels those that have no row yet.
SELECT w.sku, w.location FROM unnest($1::text[], $2::text[]) AS w (sku, location)
WHERE NOT EXISTS (SELECT FROM stock_level l WHERE l.sku = w.sku AND l.location = w.location OFFSET 0)

-- name: make_levels
-- Rows for levels that are not there yet, in lock order. What the newest complete count of a location did not name was not
-- there at its moment.
INSERT INTO stock_level (sku, location, on_hand, sequence, changed_at, counted_at)
SELECT w.sku, w.location, 0, 0, now(),
       (SELECT max(c.as_of) FROM stock_count c WHERE c.location = w.location AND c.complete)
FROM unnest($1::text[], $2::text[]) AS w (sku, location)
ORDER BY w.sku, w.location
ON CONFLICT (sku, location) DO NOTHING

-- name: change_levels
-- Moves levels by holds: what is allocated and reserved.
INSERT INTO stock_level AS l (sku, location, on_hand, allocated, reserved, sequence, changed_at)
SELECT sku, location, 0, allocated, reserved, 1, now()
FROM unnest($1::text[], $2::text[], $3::numeric[], $4::numeric[]) AS c (sku, location, allocated, reserved)
ORDER BY sku, location
ON CONFLICT (sku, location) DO UPDATE
SET allocated = l.allocated + excluded.allocated, reserved = l.reserved + excluded.reserved, sequence = l.sequence + 1,
    changed_at = excluded.changed_at
RETURNING sku, location, on_hand, quarantined, allocated, reserved, sequence, changed_at

-- name: apply_movements
-- Enters movements into the ledger once each and moves levels by what was new. Effect: 1 on hand, 2 on hand and
-- quarantined, 3 quarantined, 4 allocated, 5 no longer allocated, 0 nothing; -1 and -2: on hand was counted later, so
-- nothing, or quarantined only. Returns levels that moved, then how many entered per document, then what left for whom.
WITH incoming AS (
    SELECT * FROM unnest(
        $1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::numeric[], $7::text[], $8::timestamptz[],
        $9::bigint[], $10::text[], $11::smallint[], $12::text[], $13::date[]
    ) AS i (
        source, movement_id, kind, sku, location, quantity, unit, occurred_at, document_id, reference, effect, lot,
        expires_on
    )
), applied AS (
    INSERT INTO stock_movement (
        source, movement_id, kind, sku, location, quantity, unit, occurred_at, document_id, reference, lot, expires_on,
        on_hand, quarantined, allocated, late
    )
    SELECT source, movement_id, kind, sku, location, quantity, unit, occurred_at, document_id, reference,
           coalesce(lot, ''), expires_on,
           CASE WHEN effect IN (1, 2) THEN quantity ELSE 0 END,
           CASE WHEN effect IN (2, 3, -2) THEN quantity ELSE 0 END,
           CASE effect WHEN 4 THEN quantity WHEN 5 THEN -quantity ELSE 0 END,
           effect < 0
    FROM incoming ORDER BY source, movement_id
    ON CONFLICT (source, movement_id) DO NOTHING
    RETURNING kind, sku, location, quantity, document_id, reference, on_hand, quarantined, allocated
), change AS (
    SELECT sku, location, sum(on_hand) AS on_hand, sum(quarantined) AS quarantined, sum(allocated) AS allocated
    FROM applied GROUP BY sku, location
), level AS (
    INSERT INTO stock_level AS l (sku, location, on_hand, quarantined, allocated, sequence, changed_at)
    SELECT sku, location, on_hand, quarantined, allocated, 1, now()
    FROM change WHERE on_hand <> 0 OR quarantined <> 0 OR allocated <> 0 ORDER BY sku, location
    ON CONFLICT (sku, location) DO UPDATE
    SET on_hand = l.on_hand + excluded.on_hand, quarantined = l.quarantined + excluded.quarantined,
        allocated = l.allocated + excluded.allocated, sequence = l.sequence + 1, changed_at = excluded.changed_at
    RETURNING l.sku, l.location, l.on_hand, l.quarantined, l.allocated, l.reserved, l.sequence, l.changed_at
), arrived AS (
    UPDATE expected_stock e SET received = e.received + a.quantity, changed_at = now()
    FROM (
        SELECT reference, sku, location, sum(quantity) AS quantity FROM applied
        WHERE kind = 'receipt' AND reference <> '' GROUP BY reference, sku, location
    ) a
    WHERE e.reference = a.reference AND e.sku = a.sku AND e.location = a.location
)
SELECT 'level' AS what, NULL::bigint AS document_id, NULL::bigint AS entered, '' AS reference, NULL::numeric AS quantity, *
FROM level
UNION ALL
SELECT 'entered', document_id, count(*), '', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM applied GROUP BY document_id
UNION ALL
SELECT 'left', NULL, NULL, reference, -sum(quantity), sku, location, NULL, NULL, NULL, NULL, NULL, NULL
FROM applied WHERE kind = 'ship' AND reference <> '' AND quantity < 0 GROUP BY reference, sku, location

-- name: page_of_levels
-- Levels in the order of SKU and location, those after ($1, $2).
SELECT sku, location, on_hand, quarantined, allocated, reserved, sequence, changed_at, counted_at
FROM stock_level WHERE (sku, location) > ($1, $2) ORDER BY sku, location LIMIT $3

-- name: levels_of_skus
-- Every level of these SKUs.
SELECT sku, location, on_hand, quarantined, allocated, reserved, sequence, changed_at, counted_at
FROM stock_level WHERE sku = ANY($1::text[])

-- name: expected
-- Goods that are still to come.
SELECT sku, location, due_at, quantity - received AS open
FROM expected_stock WHERE status = 'open' AND received < quantity

-- name: paces
-- How fast SKUs sell: measured by channel, and forecast for today over all channels, in units a second.
WITH measured AS (
    SELECT sku, array_agg(channel ORDER BY channel) AS channels, array_agg(rate ORDER BY channel) AS rates
    FROM sales_rate WHERE rate > 0 GROUP BY sku
), forecast AS (
    SELECT sku, sum(quantity / days)::float8 / 86400 AS rate
    FROM demand_forecast WHERE starts_on <= current_date AND starts_on + days > current_date GROUP BY sku
)
SELECT sku, coalesce(m.channels, '{}') AS channels, coalesce(m.rates, '{}') AS rates, coalesce(f.rate, 0) AS forecast
FROM measured m FULL JOIN forecast f USING (sku)

-- name: lags
-- How far behind each channel system is: the 95th percentile in seconds.
SELECT system, lag_p95 FROM publication

-- name: clock
-- The database's clock.
SELECT clock_timestamp()

-- name: oldest_running
-- The oldest transaction that may still commit: everything older is final.
SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint

-- name: follow
-- Outbox rows of one type after a place, in commit order, and at the end the place up to which nothing more can come.
WITH border AS MATERIALIZED (
    SELECT pg_snapshot_xmin(pg_current_snapshot()) AS xid
), page AS (
    SELECT e.xid::text::bigint AS xid, e.id, e.data
    FROM event e, border b
    WHERE (e.xid, e.id) > ($1::bigint::text::xid8, $2::bigint) AND e.xid < b.xid AND e.type = $3
    ORDER BY e.xid, e.id LIMIT $4
)
SELECT xid, id, data FROM page
UNION ALL
SELECT b.xid::text::bigint - 1, 9223372036854775807, NULL FROM border b
WHERE (SELECT count(*) FROM page) < $4
ORDER BY 1, 2

-- name: whole_documents
-- What documents were split off in the end, however often: themselves when off nothing.
WITH RECURSIVE above AS (
    SELECT id AS part, id, parent_id FROM document WHERE id = ANY($1::bigint[])
    UNION ALL
    SELECT a.part, d.id, d.parent_id FROM above a JOIN document d ON d.id = a.parent_id
)
SELECT part, id AS whole FROM above WHERE parent_id IS NULL

-- name: lock_expected
-- What is known of these notices, locked in the order of their keys.
SELECT reference, version, document_id FROM expected_stock WHERE reference = ANY($1::text[])
ORDER BY reference, sku, location FOR UPDATE

-- name: expect
-- Writes what notices say of their SKUs; what came of them is what the ledger received under their references. A part is
-- written as of the document it was split off.
INSERT INTO expected_stock AS e (
    reference, location, source, due_at, version, status, document_id, sku, quantity, received
)
SELECT i.*, coalesce((
    SELECT sum(m.quantity) FROM stock_movement m
    WHERE m.kind = 'receipt' AND m.reference <> '' AND m.reference = i.reference AND m.sku = i.sku
      AND m.location = i.location
), 0)
FROM unnest(
    $1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::bigint[], $6::text[], $7::bigint[], $8::text[],
    $9::numeric[]
) AS i (reference, location, source, due_at, version, status, document_id, sku, quantity)
ON CONFLICT (reference, sku, location) DO UPDATE
SET source = excluded.source, due_at = excluded.due_at, version = excluded.version, status = excluded.status,
    document_id = excluded.document_id, quantity = excluded.quantity, received = excluded.received, changed_at = now()

-- name: expect_no_more
-- What the newest versions of notices ($1 to $4) do not name ($5, $6) is not to come any more.
UPDATE expected_stock e SET status = 'cancelled', version = i.version, document_id = i.document_id, changed_at = now()
FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[]) AS i (reference, location, version, document_id)
WHERE e.reference = i.reference AND NOT (e.location = i.location AND EXISTS (
    SELECT FROM unnest($5::text[], $6::text[]) AS n (reference, sku)
    WHERE n.reference = e.reference AND n.sku = e.sku
))

-- name: known_counts
-- Of these counts those that were taken before.
SELECT c.source, c.count_id FROM unnest($1::text[], $2::text[]) AS w (source, count_id)
JOIN stock_count c ON c.source = w.source AND c.count_id = w.count_id

-- name: known_counted
-- What these counts have said of SKUs already.
SELECT c.source, c.count_id, c.sku FROM unnest($1::text[], $2::text[]) AS w (source, count_id)
JOIN counted_stock c ON c.source = w.source AND c.count_id = w.count_id AND NOT c.absent

-- name: moved_since
-- What the ledger moved on hand after the given moments, in the order asked for.
SELECT coalesce((
    SELECT sum(m.on_hand) FROM stock_movement m
    WHERE m.sku = w.sku AND m.location = w.location AND m.occurred_at > w.at
), 0) AS moved
FROM unnest($1::text[], $2::text[], $3::timestamptz[]) WITH ORDINALITY AS w (sku, location, at, place)
ORDER BY w.place

-- name: counted_at
-- Which counts named these SKUs and locations at these moments.
SELECT c.sku, c.location, c.as_of, c.source, c.count_id
FROM unnest($1::text[], $2::text[], $3::timestamptz[]) AS w (sku, location, at)
JOIN counted_stock c ON c.sku = w.sku AND c.location = w.location AND c.as_of = w.at AND NOT c.absent AND NOT c.stale

-- name: record_counts
-- Keeps counts that were taken; which documents brought a new one.
INSERT INTO stock_count (source, count_id, location, as_of, complete, document_id)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::boolean[], $6::bigint[])
ON CONFLICT (source, count_id) DO NOTHING
RETURNING document_id

-- name: record_counted
-- Keeps what counts said of each SKU.
INSERT INTO counted_stock (
    source, count_id, sku, absent, location, as_of, quantity, difference, stale, document_id
)
SELECT * FROM unnest(
    $1::text[], $2::text[], $3::text[], $4::boolean[], $5::text[], $6::timestamptz[], $7::numeric[], $8::numeric[],
    $9::boolean[], $10::bigint[]
)

-- name: set_counted
-- Moves levels to the moment of their newest count.
UPDATE stock_level l SET counted_at = i.at
FROM unnest($1::text[], $2::text[], $3::timestamptz[]) AS i (sku, location, at)
WHERE l.sku = i.sku AND l.location = i.location

-- name: open_allocations
-- What is still held for these orders, locked in the order of their keys.
SELECT reference, line, sku, location, order_key, quantity - freed AS open
FROM allocation WHERE order_key = ANY($1::text[]) AND freed < quantity ORDER BY reference, line, sku FOR UPDATE

-- name: held_by_orders
-- Where goods are held for these orders; nothing is locked.
SELECT DISTINCT sku, location FROM allocation WHERE order_key = ANY($1::text[]) AND freed < quantity

-- name: allocations_to_free
-- What is still held for these fulfillment orders, locked in the order of their keys.
SELECT reference, line, sku, location, order_key, quantity - freed AS open
FROM allocation WHERE reference = ANY($1::text[]) AND freed < quantity ORDER BY reference, line, sku FOR UPDATE

-- name: free_allocations
-- Takes what was shipped or given back off what is held, and enters it into the ledger.
WITH freed AS (
    UPDATE allocation a SET freed = a.freed + i.quantity
    FROM unnest($1::text[], $2::text[], $3::text[], $4::numeric[], $5::bigint[])
        AS i (reference, line, sku, quantity, document_id)
    WHERE a.reference = i.reference AND a.line = i.line AND a.sku = i.sku
    RETURNING a.reference, a.line, a.sku, a.location, a.freed, i.quantity, i.document_id
)
INSERT INTO stock_movement (
    source, movement_id, kind, sku, location, quantity, unit, occurred_at, document_id, reference, allocated
)
SELECT 'crossdock', f.reference || '/' || f.line || '/' || f.sku || '/' || f.freed, 'release', f.sku, f.location,
       f.quantity, p.unit, now(), f.document_id, f.reference, -f.quantity
FROM freed f JOIN product p ON p.sku = f.sku

-- name: withdrawn
-- Fulfillment orders that their warehouse ships nothing more of, locked; those another transaction has are left to it.
SELECT reference FROM withdrawn_fulfillment ORDER BY reference LIMIT $1 FOR UPDATE SKIP LOCKED

-- name: held_for
-- Where goods are held for these fulfillment orders.
SELECT DISTINCT sku, location FROM allocation WHERE reference = ANY($1::text[]) AND freed < quantity

-- name: forget_withdrawn
-- Fulfillment orders for which nothing is held any more.
DELETE FROM withdrawn_fulfillment WHERE reference = ANY($1::text[])

-- name: reserved_lines
-- What these reservations hold, by SKU and location.
SELECT r.id, r.channel, l.sku, l.location, sum(l.quantity) AS quantity
FROM reservation r JOIN reservation_line l ON l.reservation_id = r.id
WHERE r.id = ANY($1::text[]) AND r.state IN ('active', 'committed')
GROUP BY r.id, r.channel, l.sku, l.location ORDER BY r.id, l.sku, l.location

-- name: drop_reservations
-- Ends reservations whose orders came cancelled.
UPDATE reservation r SET state = 'released', ended_at = now(), order_key = i.order_key
FROM unnest($1::text[], $2::text[]) AS i (id, order_key)
WHERE r.id = i.id AND r.state IN ('active', 'committed')

-- name: take_reservations
-- Hands reservations over to the orders that came for them.
UPDATE reservation r SET state = 'allocated', ended_at = now(), order_key = i.order_key
FROM unnest($1::text[], $2::text[]) AS i (id, order_key)
WHERE r.id = i.id AND r.state IN ('active', 'committed')
