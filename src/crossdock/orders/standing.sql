-- name: kept_answer
-- What was kept with a message of the API: what was asked and what was answered.
SELECT headers FROM message WHERE interface = $1 AND dedup_key = $2

-- name: order_as_it_stands
-- An order by any of these keys, with its newest canonical form.
SELECT s.changed_at, l.state, l.since, l.sequence, coalesce(v.body, m.body) AS body
FROM sales_order s
JOIN order_life l USING (order_key)
JOIN document d ON d.id = s.document_id
CROSS JOIN LATERAL (SELECT body FROM message w WHERE w.id = d.message_id OFFSET 0) m
LEFT JOIN LATERAL (
    SELECT body FROM document_version w WHERE w.document_id = d.id AND w.stage = 'canonical' ORDER BY number DESC LIMIT 1
) v ON true
WHERE s.order_key = ANY($1::text[])

-- name: order_that_waits
-- The newest document of an order of the API that was not accepted yet, as it came in.
SELECT d.state, d.received_at, m.body
FROM document d
CROSS JOIN LATERAL (SELECT body FROM message w WHERE w.id = d.message_id OFFSET 0) m
WHERE d.key = ANY($1::text[]) AND d.interface = ANY($2::text[])
ORDER BY d.id DESC LIMIT 1

-- name: cancellation_under_way
-- Whether a cancellation of an order waits to be decided on.
SELECT EXISTS (
    SELECT FROM document WHERE key = $1 AND state IN ('received', 'retry') AND topic = $2 AND interface = ANY($3::text[])
)

-- name: fulfillments_of
-- What warehouses were asked to ship of an order.
SELECT reference, location, state, lines FROM fulfillment_order WHERE order_key = $1 ORDER BY reference LIMIT $2

-- name: shipments_of
-- What has left of an order.
SELECT shipment_key AS shipment, fulfillment_reference AS fulfillment, location, carrier, tracking, shipped_at
FROM shipment WHERE order_key = $1 ORDER BY shipped_at, shipment_key LIMIT $2

-- name: deliveries_of
-- Where the order was to be told of, and how far that is.
SELECT w.system, w.operation, w.state, w.their_reference AS reference, w.settled_at
FROM document d JOIN delivery w ON w.document_id = d.id
WHERE d.key = $1 ORDER BY w.id DESC LIMIT $2

-- name: problems_of
-- What a person is asked to mend of an order.
SELECT rule, field, reason, fix, deadline, failures FROM triage_case WHERE key = $1 AND state = 'open' ORDER BY id LIMIT $2

-- name: invoices_of
-- The invoices and credit memos of an order.
SELECT invoice_key, number, kind, state, total, issued_at, due_on, lines
FROM invoice WHERE order_key = $1 ORDER BY issued_at, invoice_key LIMIT $2

-- name: payments_of
-- The payments and refunds of an order.
SELECT payment_key, kind, state, amount, method, paid_at
FROM payment WHERE order_key = $1 ORDER BY paid_at, payment_key LIMIT $2

-- name: returns_of
-- The returns of an order.
SELECT return_key, number, state, refund, fee, lines FROM goods_return WHERE order_key = $1 ORDER BY return_key LIMIT $2
