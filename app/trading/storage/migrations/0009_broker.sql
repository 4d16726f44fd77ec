-- Where orders go, and the exchange's tags of the algorithms that decide them.

-- The broker that orders are executed at, noted whenever it is another; the newest row is the present one.
CREATE TABLE broker_change (
    seq integer PRIMARY KEY,
    name text NOT NULL,
    mode text NOT NULL CHECK (mode IN ('PAPER', 'LIVE')),
    algo_id text,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TRIGGER broker_change_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON broker_change
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

ALTER TABLE strategy ADD COLUMN algo_id text;
ALTER TABLE strategy_change ADD COLUMN algo_id text;

-- One that is denied for having no tag is booked as what it is.
ALTER TABLE orders DROP CONSTRAINT IF EXISTS live_has_a_tag;
ALTER TABLE orders ADD CONSTRAINT live_has_a_tag CHECK (mode = 'PAPER' OR algo_id IS NOT NULL OR status = 'DENIED');
