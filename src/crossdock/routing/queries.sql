-- name: insert_legs
-- Writes intercompany legs of new fulfillment orders.
INSERT INTO intercompany_leg (reference, order_key, seller, owner, currency, amount, sale, purchase, document_id)
SELECT * FROM unnest(
    $1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::numeric[], $7::bytea[], $8::bytea[], $9::bigint[]
)

-- name: open_legs
-- The open legs of these fulfillment orders, locked in the order of their references.
SELECT reference, order_key, seller, owner, version, sale, purchase FROM intercompany_leg
WHERE reference = ANY($1::text[]) AND status = 'open' ORDER BY reference FOR UPDATE

-- name: cancel_legs
-- Legs whose fulfillment orders are cancelled, with what is said of them now.
UPDATE intercompany_leg l
SET status = 'cancelled', version = i.version, sale = i.sale, purchase = i.purchase, changed_at = now()
FROM unnest($1::text[], $2::bigint[], $3::bytea[], $4::bytea[]) AS i (reference, version, sale, purchase)
WHERE l.reference = i.reference
