-- name: books
-- Per interface: what came in, counted without looking at states, and what its documents say of themselves.
WITH came AS (
    SELECT interface, count(*) AS messages FROM message GROUP BY interface
), doubled AS (
    SELECT interface, count(*) AS duplicates FROM duplicate GROUP BY interface
), refused AS (
    SELECT interface, count(*) AS rejections FROM rejection GROUP BY interface
), stated AS (
    SELECT interface,
           count(*) FILTER (WHERE parent_id IS NULL AND state = 'duplicate') AS duplicate,
           count(*) FILTER (WHERE parent_id IS NULL AND state = 'rejected') AS rejected,
           count(*) FILTER (WHERE parent_id IS NULL AND state = 'settled') AS settled,
           count(*) FILTER (WHERE parent_id IS NULL AND state = 'received') AS waiting,
           count(*) FILTER (WHERE parent_id IS NULL AND state = 'retry') AS retrying,
           count(*) FILTER (WHERE parent_id IS NULL AND state = 'case') AS in_case,
           count(*) FILTER (WHERE parent_id IS NULL AND state = 'delivering') AS delivering,
           count(*) FILTER (WHERE parent_id IS NOT NULL) AS parts,
           count(*) FILTER (WHERE parent_id IS NOT NULL AND state IN ('received', 'retry', 'case', 'delivering')) AS parts_open,
           coalesce(sum(items) FILTER (WHERE parent_id IS NULL), 0)::bigint AS lines_received,
           coalesce(sum(items) FILTER (WHERE parent_id IS NULL AND state = 'duplicate'), 0)::bigint AS lines_duplicate,
           coalesce(sum(items) FILTER (WHERE parent_id IS NULL AND state = 'rejected'), 0)::bigint AS lines_rejected,
           coalesce(sum(items) FILTER (WHERE parent_id IS NULL AND state = 'settled'), 0)::bigint AS lines_settled
    FROM document GROUP BY interface
), named AS (
    SELECT name AS interface FROM interface WHERE direction = 'in'
    UNION SELECT interface FROM came
    UNION SELECT interface FROM doubled
    UNION SELECT interface FROM refused
    UNION SELECT interface FROM stated
)
SELECT n.interface, coalesce(i.owner, '') AS owner, coalesce(i.tier, '') AS tier,
       coalesce(c.messages, 0) AS messages, coalesce(d.duplicates, 0) AS duplicates,
       coalesce(r.rejections, 0) AS rejections,
       coalesce(s.duplicate, 0) AS duplicate, coalesce(s.rejected, 0) AS rejected, coalesce(s.settled, 0) AS settled,
       coalesce(s.waiting, 0) AS waiting, coalesce(s.retrying, 0) AS retrying, coalesce(s.in_case, 0) AS in_case,
       coalesce(s.delivering, 0) AS delivering, coalesce(s.parts, 0) AS parts,
       coalesce(s.parts_open, 0) AS parts_open,
       coalesce(s.lines_received, 0) AS lines_received, coalesce(s.lines_duplicate, 0) AS lines_duplicate,
       coalesce(s.lines_rejected, 0) AS lines_rejected, coalesce(s.lines_settled, 0) AS lines_settled
FROM named n
LEFT JOIN interface i ON i.name = n.interface
LEFT JOIN came c USING (interface)
LEFT JOIN doubled d USING (interface)
LEFT JOIN refused r USING (interface)
LEFT JOIN stated s USING (interface)
ORDER BY n.interface

-- name: contradictions
-- What no correct history can show: each kind with how many and one document to look at. Empty when all is well.
WITH lost AS MATERIALIZED (
    -- Only ids here, so that the bodies of a million messages are not read.
    SELECT m.id FROM message m
    WHERE NOT EXISTS (SELECT FROM document d WHERE d.message_id = m.id AND d.parent_id IS NULL)
), owing AS (
    SELECT document_id, count(*) AS number FROM delivery
    WHERE state IN ('due', 'case') GROUP BY document_id
)
SELECT m.interface, 'messages bear no document' AS what, count(*) AS number, min(m.id) AS example
FROM lost JOIN message m USING (id) GROUP BY m.interface
UNION ALL
SELECT coalesce(d.interface, ''), 'documents miscount the deliveries they still owe', count(*),
       min(coalesce(d.id, o.document_id))
FROM (
    SELECT id, interface, open_deliveries FROM document WHERE state IN ('received', 'retry', 'case', 'delivering')
) d
FULL JOIN owing o ON o.document_id = d.id
WHERE coalesce(d.open_deliveries, 0) <> coalesce(o.number, 0) GROUP BY 1
UNION ALL
SELECT interface, 'documents are being delivered but owe nothing', count(*), min(id)
FROM document WHERE state = 'delivering' AND open_deliveries = 0 GROUP BY interface
UNION ALL
SELECT d.interface, 'documents wait for a person but no case is open', count(*), min(d.id)
FROM document d
WHERE d.state = 'case' AND NOT EXISTS (
    SELECT FROM triage_case c WHERE c.document_id = d.id AND c.state = 'open'
) GROUP BY d.interface
UNION ALL
SELECT d.interface, 'deliveries wait for a person but no case is open', count(*), min(d.document_id)
FROM delivery d
WHERE d.state = 'case' AND NOT EXISTS (
    SELECT FROM triage_case c WHERE c.document_id = d.document_id AND c.delivery_id = d.id AND c.state = 'open'
) GROUP BY d.interface
ORDER BY 1, 2

-- name: delivery_books
-- Per system and operation: obligations taken on, and where each of them stands.
SELECT system, operation, count(*) AS owed,
       count(*) FILTER (WHERE state = 'delivered') AS delivered,
       count(*) FILTER (WHERE state = 'cancelled') AS cancelled,
       count(*) FILTER (WHERE state = 'due' AND NOT id = ANY(ARRAY(SELECT unnest(delivery_ids) FROM delivery_claim))) AS due,
       count(*) FILTER (WHERE state = 'due' AND id = ANY(ARRAY(SELECT unnest(delivery_ids) FROM delivery_claim))) AS sending,
       count(*) FILTER (WHERE state = 'case') AS in_case
FROM delivery GROUP BY system, operation ORDER BY system, operation

-- name: open_documents
-- Open documents, the most pressing first, with who owns them, until when, and why they are still open.
SELECT d.id AS document_id, d.key, d.interface, d.kind, d.state, d.step, coalesce(c.owner, d.owner, '') AS owner,
       coalesce(c.deadline, d.deadline) AS deadline, d.received_at,
       extract(epoch FROM now() - d.received_at)::float8 AS age, d.attempts, d.open_deliveries,
       coalesce(nullif(c.reason, ''), nullif(o.last_error, ''), d.note) AS reason
FROM (
    SELECT e.*, i.owner, e.received_at + i.settle_within AS deadline
    FROM (
        -- Two partial indexes hold what is open: documents before delivery, and what deliveries are owed.
        SELECT * FROM document WHERE state IN ('received', 'retry', 'case')
        UNION ALL
        SELECT * FROM document
        WHERE state = 'delivering' AND id = ANY(ARRAY(
            SELECT document_id FROM delivery WHERE state IN ('due', 'case')
        ))
    ) e
    LEFT JOIN interface i ON i.name = e.interface
    WHERE ($2::text IS NULL OR e.interface = $2) AND ($3::text IS NULL OR e.state = $3)
    ORDER BY e.received_at + i.settle_within NULLS LAST, e.id
    LIMIT $1
) d
LEFT JOIN LATERAL (
    SELECT owner, deadline, reason FROM triage_case t
    WHERE t.document_id = d.id AND t.state = 'open' ORDER BY t.id LIMIT 1
) c ON true
LEFT JOIN LATERAL (
    SELECT last_error FROM delivery x
    WHERE x.key = d.key AND x.document_id = d.id AND x.state IN ('due', 'case')
    ORDER BY x.last_error DESC LIMIT 1
) o ON d.state IN ('case', 'delivering')
ORDER BY d.deadline NULLS LAST, d.id

-- name: search_orders
-- Orders by number, key or PO, exactly ($1) or beginning with $2, and of a customer.
(
    SELECT order_key, 0 AS rank FROM sales_order WHERE number = ANY($1::text[]) LIMIT $3
) UNION ALL (
    SELECT order_key, 0 FROM sales_order WHERE order_key = ANY($1::text[]) LIMIT $3
) UNION ALL (
    SELECT order_key, 0 FROM sales_order
    WHERE order_key = ANY(ARRAY(SELECT DISTINCT system || '/' || $2 FROM interface)) LIMIT $3
) UNION ALL (
    SELECT order_key, 0 FROM sales_order WHERE po_number = ANY($1::text[]) AND po_number <> '' LIMIT $3
) UNION ALL (
    SELECT order_key, 1 FROM sales_order WHERE number ^@ $2 LIMIT $3
) UNION ALL (
    SELECT order_key, 1 FROM sales_order WHERE order_key ^@ $2 LIMIT $3
) UNION ALL (
    SELECT order_key, 1 FROM sales_order WHERE po_number ^@ $2 AND po_number <> '' LIMIT $3
) UNION ALL (
    SELECT order_key, 2 FROM (
        SELECT order_key, placed_at FROM sales_order WHERE customer_id = ANY($1::text[]) LIMIT 1000
    ) theirs ORDER BY placed_at DESC LIMIT $3
)

-- name: orders_found
-- What to show of found orders.
SELECT s.order_key, s.number, s.po_number, s.customer_id, s.total, s.currency, s.status, s.document_id,
       coalesce(d.state, '') AS state, s.placed_at
FROM sales_order s LEFT JOIN document d ON d.id = s.document_id
WHERE s.order_key = ANY($1::text[])

-- name: search_rest
-- Everything but orders: documents, cancellations, returns, shipments, fulfillment orders, SKUs, customers, messages.
(
    SELECT 'document' AS kind, d.interface || ' ' || d.topic AS title, d.key, d.id AS document_id, d.state,
           d.received_at AS at, 0 AS rank
    FROM document d WHERE d.id = $4::bigint
) UNION ALL (
    SELECT 'document', d.interface || ' ' || d.topic, d.key, d.id, d.state, d.received_at, 0
    FROM document d WHERE d.key = ANY($1::text[]) ORDER BY d.id DESC LIMIT $3
) UNION ALL (
    SELECT 'document', d.interface || ' ' || d.topic, d.key, d.id, d.state, d.received_at, 2
    FROM document d WHERE d.key ^@ $2 ORDER BY d.key, d.id LIMIT $3
) UNION ALL (
    SELECT 'cancellation', 'Cancellation ' || c.number || ' · ' || c.total || ' ' || c.currency,
           coalesce(d.key, c.cancellation_key), c.document_id, coalesce(d.state, ''), c.cancelled_at, 0
    FROM cancellation c LEFT JOIN document d ON d.id = c.document_id WHERE c.number = ANY($1::text[]) LIMIT $3
) UNION ALL (
    SELECT 'cancellation', 'Cancellation ' || c.number || ' · ' || c.total || ' ' || c.currency,
           coalesce(d.key, c.cancellation_key), c.document_id, coalesce(d.state, ''), c.cancelled_at, 1
    FROM cancellation c LEFT JOIN document d ON d.id = c.document_id WHERE c.number ^@ $2 LIMIT $3
) UNION ALL (
    SELECT 'return', 'Return ' || r.number || ' · ' || replace(r.state, '_', ' '), 'return/' || r.return_key,
           r.document_id, coalesce(d.state, ''), r.requested_at, 0
    FROM goods_return r LEFT JOIN document d ON d.id = r.document_id
    WHERE r.number = ANY($1::text[]) OR r.return_key = ANY($1::text[]) LIMIT $3
) UNION ALL (
    SELECT 'return', 'Return ' || r.number || ' · ' || replace(r.state, '_', ' '), 'return/' || r.return_key,
           r.document_id, coalesce(d.state, ''), r.requested_at, 1
    FROM goods_return r LEFT JOIN document d ON d.id = r.document_id
    WHERE r.number ^@ $2 OR r.return_key ^@ $2 LIMIT $3
) UNION ALL (
    SELECT 'shipment', 'Shipment ' || $2 || ' · ' || s.carrier, 'order/' || s.order_key, s.document_id,
           coalesce(d.state, ''), s.shipped_at, 0
    -- Found before the limit is applied: with it, reading the table from the start would look cheaper than the index.
    FROM (SELECT * FROM shipment WHERE tracking && $1::text[] OFFSET 0) s
    LEFT JOIN document d ON d.id = s.document_id LIMIT $3
) UNION ALL (
    SELECT 'shipment', 'Shipment ' || s.shipment_key || ' · ' || s.carrier, 'order/' || s.order_key, s.document_id,
           coalesce(d.state, ''), s.shipped_at, CASE WHEN s.shipment_key = $2 THEN 0 ELSE 1 END
    FROM shipment s LEFT JOIN document d ON d.id = s.document_id WHERE s.shipment_key ^@ $2 LIMIT $3
) UNION ALL (
    SELECT 'fulfillment_order', 'Fulfillment order ' || f.reference || ' · ' || f.location, 'order/' || f.order_key,
           f.document_id, f.state, f.changed_at, CASE WHEN f.reference = $2 THEN 0 ELSE 1 END
    FROM fulfillment_order f WHERE f.reference ^@ $2 LIMIT $3
) UNION ALL (
    SELECT 'sku', l.sku || ' at ' || l.location || ' · ' || l.on_hand || ' on hand', l.sku, NULL::bigint, '',
           l.changed_at, CASE WHEN l.sku = $2 THEN 0 ELSE 1 END
    FROM stock_level l WHERE l.sku ^@ $2 ORDER BY l.sku, l.location LIMIT $3
) UNION ALL (
    SELECT 'product', 'Product ' || p.sku, p.sku, p.document_id, p.status, p.changed_at,
           CASE WHEN p.sku = $2 THEN 0 ELSE 1 END
    FROM product p WHERE p.sku ^@ $2 ORDER BY p.sku LIMIT $3
) UNION ALL (
    SELECT 'customer', 'Customer ' || c.customer_id || ' ' || c.name, c.customer_id, c.document_id, c.status,
           c.changed_at, CASE WHEN c.customer_id = $2 THEN 0 ELSE 1 END
    FROM customer c WHERE c.customer_id ^@ $2 ORDER BY c.customer_id LIMIT $3
)

-- name: search_messages
-- Messages whose file name or deduplication key is or begins with $1, per interface through its index.
SELECT m.id, m.dedup_key, m.received_at, CASE WHEN m.dedup_key = $1 THEN 0 ELSE 1 END AS rank
FROM interface i
CROSS JOIN LATERAL (
    SELECT id, dedup_key, received_at FROM message
    WHERE interface = i.name AND dedup_key ^@ $1 ORDER BY dedup_key LIMIT $2
) m
LIMIT $2

-- name: documents_of_messages
-- The documents that came in messages.
SELECT id, message_id, key, state FROM document WHERE message_id = ANY($1::bigint[]) AND parent_id IS NULL

-- name: is_key
-- Whether a document carries exactly this business key.
SELECT EXISTS (SELECT FROM document WHERE key = $1)

-- name: trace_documents
-- Documents of a business key and their parts, of an order those of its returns too; the newest first.
WITH d AS MATERIALIZED (
    -- Found before they are sorted: else reading all documents backwards would look cheaper than the index.
    SELECT * FROM document WHERE key = $1 OR key ^@ ($1 || '/')
    UNION ALL
    SELECT w.* FROM goods_return r JOIN document w ON w.key = 'return/' || r.return_key
    WHERE $1 ^@ 'order/' AND r.order_key = substr($1, 7)
)
SELECT d.id, d.parent_id, d.message_id, d.interface, d.topic, d.kind, d.key, d.version, d.state, d.step, d.attempts,
       d.open_deliveries, d.received_at, d.decided_at, d.settled_at, d.made_by, d.note, m.dedup_key,
       octet_length(m.body) AS size, coalesce(i.owner, '') AS owner, d.received_at + i.settle_within AS deadline
FROM d
JOIN message m ON m.id = d.message_id
LEFT JOIN interface i ON i.name = d.interface
ORDER BY d.id DESC LIMIT $2

-- name: one_document
-- One document, as trace_documents shows it.
SELECT d.id, d.parent_id, d.message_id, d.interface, d.topic, d.kind, d.key, d.version, d.state, d.step, d.attempts,
       d.open_deliveries, d.received_at, d.decided_at, d.settled_at, d.made_by, d.note, m.dedup_key,
       octet_length(m.body) AS size, coalesce(i.owner, '') AS owner, d.received_at + i.settle_within AS deadline
FROM document d
JOIN message m ON m.id = d.message_id
LEFT JOIN interface i ON i.name = d.interface
WHERE d.id = $1

-- name: trace_versions
-- Forms of documents that steps made and people edited.
SELECT document_id, number, stage, octet_length(body) AS size, made_by, author, reason, created_at
FROM document_version WHERE document_id = ANY($1::bigint[]) ORDER BY document_id, number LIMIT $2

-- name: trace_order
-- The order as Crossdock keeps it, with the decision.
SELECT order_key, number, channel, entity, customer_id, po_number, status, version, currency, total, document_id,
       placed_at, changed_at, decision
FROM sales_order WHERE order_key = $1

-- name: trace_fulfillment
-- What stock locations were asked to ship for an order.
SELECT reference, location, state, lines, changed_at, document_id
FROM fulfillment_order WHERE order_key = $1 ORDER BY reference LIMIT $2

-- name: trace_shipments
-- What left for an order.
SELECT shipment_key, fulfillment_reference, location, carrier, tracking, shipped_at, document_id
FROM shipment WHERE order_key = $1 ORDER BY shipped_at LIMIT $2

-- name: trace_deliveries
-- Obligations that documents left, in the order they were taken on.
SELECT id, document_id, interface, system, operation, object, reference, state, look_first, next_at, created_at,
       settled_at, their_reference, last_error
FROM delivery
WHERE document_id = ANY($1::bigint[]) ORDER BY id LIMIT $2

-- name: trace_attempts
-- Tries of deliveries, without the bodies.
SELECT a.delivery_id, a.number, a.started_at, a.finished_at, a.outcome, a.error, a.exchange_id,
       coalesce(e.method, '') AS method, coalesce(e.url, '') AS url, coalesce(e.status, 0) AS status
FROM delivery_attempt a LEFT JOIN exchange e ON e.id = a.exchange_id
WHERE a.delivery_id = ANY($1::bigint[]) ORDER BY a.delivery_id, a.number LIMIT $2

-- name: trace_events
-- Business events of documents.
SELECT id, at, type, key, document_id FROM event WHERE document_id = ANY($1::bigint[]) ORDER BY at, id LIMIT $2

-- name: trace_cases
-- Cases of documents.
SELECT id, document_id, delivery_id, step, class, field, reason, owner, state, opened_at, closed_at, closed_by,
       close_reason
FROM triage_case WHERE document_id = ANY($1::bigint[]) ORDER BY id LIMIT $2

-- name: trace_actions
-- What people did to cases.
SELECT at, who, action, what, reason FROM audit WHERE what = ANY($1::text[]) ORDER BY id LIMIT $2

-- name: trace_movements
-- Movements of a SKU, the newest first.
SELECT source, movement_id, kind, location, quantity, unit, occurred_at, recorded_at, document_id, reference, late
FROM stock_movement WHERE sku = $1 ORDER BY occurred_at DESC LIMIT $2

-- name: trace_levels
-- Levels of a SKU.
SELECT location, on_hand, quarantined, allocated, reserved, on_hand - quarantined - allocated - reserved AS free,
       sequence, changed_at, counted_at
FROM stock_level WHERE sku = $1 ORDER BY location LIMIT $2

-- name: trace_lots
-- What is there of each lot of a SKU, as far as movements named it; the one that expires first in front.
SELECT location, lot, min(expires_on) AS expires_on, sum(on_hand) AS on_hand
FROM stock_movement WHERE sku = $1 AND lot <> '' GROUP BY location, lot HAVING sum(on_hand) <> 0
ORDER BY min(expires_on) NULLS LAST, lot, location LIMIT $2

-- name: trace_expected
-- Goods of a SKU that are still to come.
SELECT reference, location, quantity, received, due_at FROM expected_stock
WHERE sku = $1 AND status = 'open' AND received < quantity ORDER BY due_at, reference LIMIT $2

-- name: trace_channels
-- What stores were told of a SKU, and what keeps them from hearing more.
SELECT c.system, c.location, c.told, c.told_sequence, c.told_at, c.problem, c.not_before
FROM (SELECT DISTINCT system FROM interface) s
JOIN channel_stock c ON c.system = s.system AND c.sku = $1
ORDER BY c.system, c.location LIMIT $2

-- name: view_message
-- The bytes a document came in, at most $2 of them.
SELECT substring(m.body FOR $2) AS body, octet_length(m.body) AS size, m.headers, m.received_at
FROM document d JOIN message m ON m.id = d.message_id WHERE d.id = $1

-- name: view_version
-- The newest form of a document at a stage, at most $3 bytes of it.
SELECT substring(body FOR $3) AS body, octet_length(body) AS size, made_by, author, reason, created_at, number
FROM document_version WHERE document_id = $1 AND stage = $2 ORDER BY number DESC LIMIT 1

-- name: view_exchanges
-- What travelled for a document and came back, the newest first, at most $3 bytes of each body.
SELECT v.id AS delivery_id, v.system, v.operation, a.number, a.outcome, a.error, a.started_at, a.finished_at, e.method,
       e.url, e.status, substring(e.request FOR $3) AS request, octet_length(e.request) AS request_size,
       substring(e.response FOR $3) AS response, octet_length(e.response) AS response_size
FROM document d
JOIN delivery v ON v.key = d.key AND v.document_id = d.id
JOIN delivery_attempt a ON a.delivery_id = v.id
JOIN exchange e ON e.id = a.exchange_id
WHERE d.id = $1 ORDER BY e.id DESC LIMIT $2

-- name: uses_seen
-- How far interface_use has looked at documents and duplicates.
SELECT document_id, earlier_document_id, duplicate_id, earlier_duplicate_id FROM interface_use_seen

-- name: last_uses
-- Per interface: when a message came last (of documents above $1 and duplicates above $2 nobody has taken note yet), and
-- how many were refused because the interface is retired.
WITH came AS (
    SELECT interface, max(at) AS last_message
    FROM (
        SELECT interface, last_message AS at FROM interface_use
        UNION ALL SELECT interface, received_at FROM document WHERE id > $1 AND parent_id IS NULL
        UNION ALL SELECT interface, received_at FROM duplicate WHERE id > $2
    ) AS every
    GROUP BY interface
), refused AS (
    SELECT interface, count(*) AS refused, max(received_at) AS last_refused
    FROM rejection WHERE rule = 'retired' GROUP BY interface
)
SELECT interface, last_message, coalesce(refused, 0) AS refused, last_refused
FROM came FULL JOIN refused USING (interface)
