-- Fulfillment orders that a warehouse has agreed to ship nothing more of: what was held for them is given back, by the
-- scheduler, in the one order in which everything about stock is locked.
CREATE TABLE withdrawn_fulfillment (
    reference text PRIMARY KEY,
    withdrawn_at timestamptz NOT NULL DEFAULT now()
);
