-- Payments that were promised (authorized) or failed are kept beside those that count.
ALTER TABLE payment DROP CONSTRAINT payment_state_check;
ALTER TABLE payment ADD CONSTRAINT payment_state_check CHECK (state IN ('settled', 'reversed', 'promised', 'failed'));
