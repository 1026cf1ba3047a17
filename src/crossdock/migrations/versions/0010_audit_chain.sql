-- The audit becomes a chain: each row holds the SHA-256 over its content and the row before, rows are only ever added.

ALTER TABLE audit
    ALTER COLUMN id DROP IDENTITY,
    ALTER COLUMN at SET DEFAULT clock_timestamp(),
    ADD COLUMN origin text NOT NULL DEFAULT '',
    ADD COLUMN key text NOT NULL DEFAULT '',
    ADD COLUMN hash bytea;
COMMENT ON COLUMN audit.id IS 'from 1 without gaps, in the order of the chain';
COMMENT ON COLUMN audit.origin IS 'from where: cli, console, api, estate, rule';
COMMENT ON COLUMN audit.what IS 'kind/id of what was changed';
COMMENT ON COLUMN audit.key IS 'business key it belongs to';
COMMENT ON COLUMN audit.before IS 'bounded JSON; empty: there was nothing';
CREATE INDEX audit_key ON audit (key, id) WHERE key <> '';

-- The last row of the chain. Whoever adds one holds this until the commit, so the order of the chain is that of commits.
CREATE TABLE audit_head (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    id bigint NOT NULL,
    hash bytea NOT NULL
);
INSERT INTO audit_head (id, hash) VALUES (0, decode(repeat('00', 32), 'hex'));

-- What is hashed: the hash before, then each field as its length in bytes, a colon and its text, so that no two contents
-- are written alike. journal/audit_chain.py works the same out by itself.
CREATE FUNCTION audit_hash(previous bytea, a audit) RETURNS bytea LANGUAGE sql STABLE AS $$
    SELECT sha256(previous || convert_to(string_agg(octet_length(convert_to(part, 'UTF8')) || ':' || part, '' ORDER BY n), 'UTF8'))
    FROM unnest(ARRAY[
        a.id::text, trunc(extract(epoch FROM a.at) * 1000000)::bigint::text, a.who, a.origin, a.action, a.what, a.key,
        a.before, a.after, a.reason
    ]) WITH ORDINALITY AS p (part, n)
$$;

CREATE FUNCTION audit_append() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    head audit_head;
BEGIN
    SELECT * INTO STRICT head FROM audit_head FOR UPDATE;
    NEW.id := head.id + 1;
    NEW.hash := audit_hash(head.hash, NEW);
    UPDATE audit_head SET id = NEW.id, hash = NEW.hash;
    RETURN NEW;
END
$$;

CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit is only ever added to' USING ERRCODE = 'insufficient_privilege';
END
$$;

-- What was written before there was a chain begins it. What was plain text becomes a JSON string.
DO $$
DECLARE
    old audit;
    head audit_head;
BEGIN
    SELECT * INTO STRICT head FROM audit_head;
    FOR old IN SELECT * FROM audit ORDER BY id LOOP
        DELETE FROM audit WHERE id = old.id;
        head.id := head.id + 1;
        old.id := head.id;
        old.before := CASE WHEN old.before = '' THEN '' ELSE to_json(old.before)::text END;
        old.after := CASE WHEN old.after = '' THEN '' ELSE to_json(old.after)::text END;
        head.hash := audit_hash(head.hash, old);
        old.hash := head.hash;
        INSERT INTO audit SELECT (old).*;
    END LOOP;
    UPDATE audit_head SET id = head.id, hash = head.hash;
END
$$;

ALTER TABLE audit ALTER COLUMN hash SET NOT NULL;
CREATE TRIGGER audit_append BEFORE INSERT ON audit FOR EACH ROW EXECUTE FUNCTION audit_append();
CREATE TRIGGER audit_refuse BEFORE UPDATE OR DELETE OR TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();
