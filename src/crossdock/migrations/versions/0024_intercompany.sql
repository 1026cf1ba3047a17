-- Intercompany legs: what one entity sells to another whose customer gets the goods, one row for both sides of it.

CREATE TABLE intercompany_leg (
    reference text PRIMARY KEY,
    order_key text NOT NULL,
    seller text NOT NULL,
    owner text NOT NULL,
    status text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'cancelled')),
    version bigint NOT NULL DEFAULT 1,
    currency text NOT NULL,
    amount numeric NOT NULL,
    sale bytea NOT NULL,
    purchase bytea NOT NULL,
    document_id bigint NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN intercompany_leg.reference IS 'the fulfillment order whose goods change hands';
COMMENT ON COLUMN intercompany_leg.seller IS 'the entity that the customer''s order belongs to: it buys';
COMMENT ON COLUMN intercompany_leg.owner IS 'the entity whose goods leave: it sells to the seller';
COMMENT ON COLUMN intercompany_leg.amount IS 'what the owner is owed, which is what the seller owes';
CREATE INDEX intercompany_leg_order ON intercompany_leg (order_key);
