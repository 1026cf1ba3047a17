-- name: orders_named
-- The orders that these names mean: our key, the order's number, or "<ERP>:<what it calls the order>".
SELECT n.name, s.order_key, s.number, s.channel, s.entity, s.currency, s.total, s.erp
FROM unnest($1::text[]) AS n (name)
JOIN sales_order s ON s.order_key = n.name
UNION ALL
SELECT n.name, s.order_key, s.number, s.channel, s.entity, s.currency, s.total, s.erp
FROM unnest($1::text[]) AS n (name)
JOIN sales_order s ON s.number = n.name AND s.order_key <> n.name
UNION ALL
SELECT DISTINCT n.name, s.order_key, s.number, s.channel, s.entity, s.currency, s.total, s.erp
FROM unnest($1::text[]) AS n (name)
JOIN delivery d ON d.system = split_part(n.name, ':', 1) AND d.their_reference = substr(n.name, strpos(n.name, ':') + 1)
JOIN sales_order s ON s.order_key = d.reference AND s.erp = d.system
WHERE strpos(n.name, ':') > 0 AND d.operation = 'sales_order' AND d.state = 'delivered' AND d.their_reference <> ''

-- name: lock_orders
-- What is ordered by these orders, locked in key order until the transaction ends, so that sums over their invoices and
-- payments hold.
SELECT order_key, lines FROM order_life WHERE order_key = ANY($1::text[]) ORDER BY order_key FOR UPDATE

-- name: invoices_of
-- The invoices and credit memos of these orders, and those of these keys wherever they belong.
SELECT invoice_key, kind, order_key, state, version, currency, total, lines FROM invoice WHERE order_key = ANY($1::text[])
UNION
SELECT invoice_key, kind, order_key, state, version, currency, total, lines FROM invoice WHERE invoice_key = ANY($2::text[])

-- name: upsert_invoices
-- Writes invoices; the caller has made sure that each is newer than what is there.
INSERT INTO invoice (
    invoice_key, number, kind, order_key, state, version, currency, total, lines, document_id, issued_at, due_on
)
SELECT * FROM unnest(
    $1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::text[], $8::numeric[], $9::jsonb[],
    $10::bigint[], $11::timestamptz[], $12::date[]
)
ON CONFLICT (invoice_key) DO UPDATE
SET number = excluded.number, state = excluded.state, version = excluded.version, total = excluded.total,
    lines = excluded.lines, document_id = excluded.document_id, issued_at = excluded.issued_at,
    due_on = excluded.due_on, changed_at = now()

-- name: payments_of
-- The payments and refunds of these orders, and those of these keys wherever they belong.
SELECT payment_key, kind, order_key, state, version, amount FROM payment WHERE order_key = ANY($1::text[])
UNION
SELECT payment_key, kind, order_key, state, version, amount FROM payment WHERE payment_key = ANY($2::text[])

-- name: upsert_payments
-- Writes payments; the caller has made sure that each is newer than what is there.
INSERT INTO payment (
    payment_key, kind, order_key, invoice_key, state, version, currency, amount, method, document_id, paid_at
)
SELECT * FROM unnest(
    $1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::text[], $8::numeric[], $9::text[],
    $10::bigint[], $11::timestamptz[]
)
ON CONFLICT (payment_key) DO UPDATE
SET invoice_key = excluded.invoice_key, state = excluded.state, version = excluded.version, amount = excluded.amount,
    method = excluded.method, document_id = excluded.document_id, paid_at = excluded.paid_at, changed_at = now()
