-- Orders listed newest first, of a customer, of a purchase order, of a SKU, without looking at those of others.

CREATE TABLE order_sku (
    sku text NOT NULL,
    placed_at timestamptz NOT NULL,
    order_key text NOT NULL,
    PRIMARY KEY (sku, placed_at, order_key)
);
COMMENT ON TABLE order_sku IS 'which orders ask for a SKU, in any of their versions; orders decided before this table was made are not in it';

CREATE INDEX sales_order_newest ON sales_order (placed_at, order_key);
CREATE INDEX sales_order_of_customer ON sales_order (customer_id, placed_at, order_key);
DROP INDEX sales_order_customer;
CREATE INDEX sales_order_of_po ON sales_order (po_number, placed_at, order_key) WHERE po_number <> '';
DROP INDEX sales_order_po;
