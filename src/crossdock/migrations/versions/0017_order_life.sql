-- Order to cash: how far each order is, and the invoices and payments that belong to it.

-- The state of an order. It is worked out anew from what is known (its version, fulfillment orders, deliveries, invoices
-- and payments) whenever one of those changes.
CREATE TABLE order_life (
    order_key text PRIMARY KEY,
    state text NOT NULL,
    since timestamptz NOT NULL DEFAULT now(),
    sequence integer NOT NULL DEFAULT 1,
    document_id bigint NOT NULL,
    overdue boolean NOT NULL DEFAULT false,
    lines bytea NOT NULL DEFAULT '{}'
) WITH (fillfactor = 70);
COMMENT ON COLUMN order_life.document_id IS 'the version of the order that its ERP must have now';
COMMENT ON COLUMN order_life.sequence IS 'grows with every move to another state';
COMMENT ON COLUMN order_life.overdue IS 'longer in its state than the estate allows, and told';
COMMENT ON COLUMN order_life.lines IS 'what that version orders: JSON, {"<line>": ["<SKU>", "<quantity>", "<unit>"]}';
CREATE INDEX order_life_since ON order_life (state, since)
    WHERE NOT overdue AND state NOT IN ('closed', 'cancelled');
INSERT INTO order_life (order_key, state, since, document_id)
SELECT order_key, CASE status WHEN 'cancelled' THEN 'cancelled' ELSE 'accepted' END, changed_at, document_id FROM sales_order;

-- Invoices and credit memos, the newest version of each.
CREATE TABLE invoice (
    invoice_key text PRIMARY KEY,
    number text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('invoice', 'credit_memo')),
    order_key text NOT NULL,
    state text NOT NULL CHECK (state IN ('open', 'void')),
    version bigint NOT NULL,
    currency text NOT NULL,
    total numeric NOT NULL,
    lines jsonb NOT NULL,
    document_id bigint NOT NULL,
    issued_at timestamptz NOT NULL,
    due_on date,
    changed_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN invoice.lines IS '{"<order line>": "<quantity in the order''s unit>"}';
CREATE INDEX invoice_order ON invoice (order_key);
CREATE INDEX invoice_number ON invoice (number);

-- Payments and refunds, the newest version of each.
CREATE TABLE payment (
    payment_key text PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('payment', 'refund')),
    order_key text NOT NULL,
    invoice_key text NOT NULL DEFAULT '',
    state text NOT NULL CHECK (state IN ('settled', 'reversed')),
    version bigint NOT NULL,
    currency text NOT NULL,
    amount numeric NOT NULL CHECK (amount > 0),
    method text NOT NULL DEFAULT '',
    document_id bigint NOT NULL,
    paid_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX payment_order ON payment (order_key);
