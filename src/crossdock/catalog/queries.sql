-- name: version
-- How often the catalog and the price lists have changed; both grow with every change.
SELECT c.value, p.value AS stamp FROM catalog_version c CROSS JOIN price_version p

-- name: products
-- What decisions need of every product.
SELECT sku, unit, location, stocked, status, details FROM product

-- name: customers
-- What decisions need of every customer account.
SELECT customer_id, status, details FROM customer

-- name: product_body
-- A product in canonical form.
SELECT body FROM product WHERE sku = $1

-- name: customer_body
-- A customer account in canonical form.
SELECT body FROM customer WHERE customer_id = $1

-- name: crosswalks
-- Every crosswalk row.
SELECT name, system, theirs, ours FROM crosswalk

-- name: upsert_products
-- Takes products in; a later statement of a product replaces the earlier one.
INSERT INTO product (sku, unit, location, stocked, status, body, document_id, details)
SELECT * FROM unnest(
    $1::text[], $2::text[], $3::text[], $4::boolean[], $5::text[], $6::bytea[], $7::bigint[], $8::bytea[]
)
ON CONFLICT (sku) DO UPDATE
SET unit = excluded.unit, location = excluded.location, stocked = excluded.stocked, status = excluded.status,
    body = excluded.body, details = excluded.details, document_id = excluded.document_id, changed_at = now()
WHERE product.body <> excluded.body

-- name: upsert_customers
-- Takes customer accounts in; a later statement replaces the earlier one.
INSERT INTO customer (customer_id, name, status, body, document_id, details)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[], $5::bigint[], $6::bytea[])
ON CONFLICT (customer_id) DO UPDATE
SET name = excluded.name, status = excluded.status, body = excluded.body, details = excluded.details,
    document_id = excluded.document_id, changed_at = now()
WHERE customer.body <> excluded.body

-- name: upsert_crosswalks
-- Sets crosswalk rows and keeps what they were; those that changed.
WITH wanted AS (
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS w (name, system, theirs, ours)
), changed AS (
    SELECT w.*, c.ours AS before FROM wanted w LEFT JOIN crosswalk c USING (name, system, theirs)
    WHERE c.ours IS DISTINCT FROM w.ours
), history AS (
    INSERT INTO crosswalk_history (name, system, theirs, before, after, changed_by, reason)
    SELECT name, system, theirs, before, ours, $5, $6 FROM changed
), written AS (
    INSERT INTO crosswalk (name, system, theirs, ours, changed_by)
    SELECT name, system, theirs, ours, $5 FROM changed
    ON CONFLICT (name, system, theirs) DO UPDATE
    SET ours = excluded.ours, changed_by = excluded.changed_by, changed_at = now()
)
SELECT name, system, theirs, before, ours FROM changed ORDER BY name, system, theirs

-- name: changed
-- Tells every cache that the catalog has changed.
UPDATE catalog_version SET value = value + 1
