-- The events of orders in partitions by the day of their order, so that years of them can be set aside a month at a time,
-- and an index of the present month stays small. Every fact is unique over all time as before: see docs/adr/0016.

LOCK TABLE orders, order_event IN ACCESS EXCLUSIVE MODE;

-- The trading day in India on which an order was placed; it follows from created_at, so nobody can say another one.
ALTER TABLE orders
    ADD COLUMN day date NOT NULL GENERATED ALWAYS AS ((created_at AT TIME ZONE 'Asia/Kolkata')::date) STORED,
    ADD CONSTRAINT one_day_an_order UNIQUE (id, day);

ALTER TABLE order_event RENAME TO order_event_before;
ALTER TABLE order_event_before
    DROP CONSTRAINT one_fill_a_trade,
    DROP CONSTRAINT order_event_pkey,
    DROP CONSTRAINT order_event_order_id_fkey;
DROP INDEX order_event_trades;

-- One row a fill: an exchange's trade is booked once, whatever the day and the order.
CREATE TABLE trade (
    venue text NOT NULL,
    trade_id text NOT NULL,
    order_id uuid NOT NULL,
    seq integer NOT NULL,
    CONSTRAINT one_fill_a_trade PRIMARY KEY (venue, trade_id)
);

CREATE TABLE order_event (
    order_id uuid NOT NULL,
    seq integer NOT NULL CHECK (seq > 0),
    kind text NOT NULL,
    payload jsonb NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    venue text,
    trade_id text,
    day date NOT NULL DEFAULT '-infinity',  -- of its order; who leaves it out is helped by order_event_dated
    CONSTRAINT fills_name_their_trade CHECK ((kind = 'FILLED') = (venue IS NOT NULL AND trade_id IS NOT NULL))
) PARTITION BY RANGE (day);
CREATE TABLE order_event_default PARTITION OF order_event DEFAULT;

DO $$
DECLARE
    month date;
BEGIN
    FOR month IN
        SELECT DISTINCT date_trunc('month', day)::date FROM orders
        UNION SELECT date_trunc('month', now() AT TIME ZONE 'Asia/Kolkata')::date
    LOOP
        EXECUTE format(
            'CREATE TABLE %I PARTITION OF order_event FOR VALUES FROM (%L) TO (%L)',
            'order_event_' || to_char(month, 'YYYY_MM'), month, (month + interval '1 month')::date
        );
    END LOOP;
END
$$;

INSERT INTO order_event (order_id, seq, kind, payload, recorded_at, venue, trade_id, day)
    SELECT order_id, e.seq, kind, payload, recorded_at, venue, trade_id, day
      FROM order_event_before e JOIN orders ON orders.id = order_id;
INSERT INTO trade (venue, trade_id, order_id, seq)
    SELECT venue, trade_id, order_id, seq FROM order_event_before WHERE kind = 'FILLED';
DROP TABLE order_event_before;

-- An order has one day, so that (order_id, seq) is as unique as the key says.
ALTER TABLE order_event
    ADD CONSTRAINT order_event_pkey PRIMARY KEY (order_id, seq, day),
    ADD CONSTRAINT order_event_order_id_fkey FOREIGN KEY (order_id, day) REFERENCES orders (id, day);
CREATE INDEX order_event_trades ON order_event (recorded_at, order_id, seq) WHERE kind = 'FILLED';

CREATE FUNCTION book_trade() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO trade (venue, trade_id, order_id, seq) VALUES (NEW.venue, NEW.trade_id, NEW.order_id, NEW.seq);
    RETURN NULL;
END
$$;
CREATE TRIGGER order_event_is_one_fill AFTER INSERT ON order_event
    FOR EACH ROW WHEN (NEW.kind = 'FILLED') EXECUTE FUNCTION book_trade();

-- An engine of the version before does not say the day of the order; what it writes comes here first.
CREATE FUNCTION date_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.day > '-infinity' THEN
        RETURN NEW;
    END IF;
    SELECT day INTO NEW.day FROM orders WHERE id = NEW.order_id;
    IF NOT FOUND THEN
        NEW.day := '-infinity';
        RETURN NEW;
    END IF;
    INSERT INTO order_event SELECT NEW.*;
    RETURN NULL;
END
$$;
CREATE TRIGGER order_event_dated BEFORE INSERT ON order_event_default FOR EACH ROW EXECUTE FUNCTION date_event();

-- A statement's trigger guards the table that the statement names; a row's is in every partition, those to come too.
CREATE TRIGGER order_event_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON order_event
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER order_event_rows_are_append_only BEFORE UPDATE OR DELETE ON order_event
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER trade_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON trade
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
