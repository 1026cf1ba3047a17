-- name: fulfillment_orders_of
-- The fulfillment orders of these orders, locked in reference order until the transaction ends.
SELECT reference, order_key, location, state, lines, document_id
FROM fulfillment_order WHERE order_key = ANY($1::text[]) ORDER BY reference FOR UPDATE

-- name: update_fulfillment_orders
-- Writes state and shipped quantities of fulfillment orders.
UPDATE fulfillment_order f SET state = i.state, lines = i.lines, changed_at = now()
FROM unnest($1::text[], $2::text[], $3::jsonb[]) AS i (reference, state, lines) WHERE f.reference = i.reference

-- name: shipments_known
-- Which of these shipments are here already.
SELECT shipment_key FROM shipment WHERE shipment_key = ANY($1::text[])

-- name: insert_shipments
-- Writes shipments.
INSERT INTO shipment (
    shipment_key, order_key, fulfillment_reference, location, carrier, tracking, shipped_at, document_id
)
SELECT i.shipment_key, i.order_key, i.reference, i.location, i.carrier, string_to_array(i.tracking, chr(31)),
       i.shipped_at, i.document_id
FROM unnest(
    $1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[], $8::bigint[]
) AS i (shipment_key, order_key, reference, location, carrier, tracking, shipped_at, document_id)

-- name: orders_of
-- Channel, ERP and document of these orders.
SELECT order_key, channel, erp, status FROM sales_order WHERE order_key = ANY($1::text[])

-- name: left_already
-- Fulfillment orders of these orders of which goods have left.
SELECT order_key, reference FROM fulfillment_order
WHERE order_key = ANY($1::text[]) AND state IN ('partly_shipped', 'shipped')
