-- name: kept_answer
-- What was kept with a message of the API: what was asked and what was answered.
SELECT headers FROM message WHERE interface = $1 AND dedup_key = $2

-- name: return_as_it_stands
-- A return by any of these keys, with its newest canonical form and the account that bought the goods.
SELECT r.return_key, r.order_key, r.number, r.channel, r.state, r.version, r.resolution, r.location, r.lines, r.refund,
       r.fee, r.currency, r.document_id, r.requested_at, r.changed_at, s.customer_id
FROM goods_return r LEFT JOIN sales_order s ON s.order_key = r.order_key
WHERE r.return_key = ANY($1::text[])

-- name: return_that_waits
-- The newest document of a return that was not decided on yet, in its newest canonical form.
SELECT d.state, d.received_at, coalesce(v.body, m.body) AS body
FROM document d
CROSS JOIN LATERAL (SELECT body FROM message w WHERE w.id = d.message_id OFFSET 0) m
LEFT JOIN LATERAL (
    SELECT body FROM document_version w WHERE w.document_id = d.id AND w.stage = 'canonical' ORDER BY number DESC LIMIT 1
) v ON true
WHERE d.key = ANY($1::text[]) AND d.interface = ANY($2::text[]) AND d.topic = $3
ORDER BY d.id DESC LIMIT 1

-- name: customer_of
-- The account that an order is booked on.
SELECT customer_id FROM sales_order WHERE order_key = $1

-- name: receipts_of
-- What came back of a return.
SELECT receipt_key, location, received_at, refund, fee FROM return_receipt
WHERE return_key = $1 ORDER BY received_at, receipt_key LIMIT $2

-- name: deliveries_of
-- Whom a return was to be told, and how far that is.
SELECT w.system, w.operation, w.state, w.their_reference AS reference, w.settled_at
FROM document d JOIN delivery w ON w.document_id = d.id
WHERE d.key = $1 ORDER BY w.id DESC LIMIT $2

-- name: problems_of
-- What a person is asked to mend of a return.
SELECT rule, field, reason, fix, deadline FROM triage_case
WHERE state = 'open' AND document_id IN (SELECT id FROM document WHERE key = $1) ORDER BY id LIMIT $2
