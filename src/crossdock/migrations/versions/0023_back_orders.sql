-- Back-orders: what of an accepted order was not there, and ships when goods have come.

CREATE TABLE back_order (
    order_key text NOT NULL,
    line text NOT NULL,
    sku text NOT NULL,
    quantity numeric NOT NULL CHECK (quantity > 0),
    line_quantity numeric NOT NULL CHECK (line_quantity > 0),
    places text[] NOT NULL,
    since timestamptz NOT NULL,
    seen bigint NOT NULL DEFAULT -1,
    PRIMARY KEY (order_key, line, sku)
) WITH (fillfactor = 80);
COMMENT ON COLUMN back_order.sku IS 'what is missing: the line''s SKU, or a component of it when that is a bundle';
COMMENT ON COLUMN back_order.line_quantity IS 'how much of the line waits, in the base unit of its product';
COMMENT ON COLUMN back_order.places IS 'where it may come from';
COMMENT ON COLUMN back_order.seen IS 'sum of the sequences of its levels when goods were last looked for';
CREATE INDEX back_order_sku ON back_order (sku, since);
