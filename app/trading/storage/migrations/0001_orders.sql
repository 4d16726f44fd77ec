-- Orders, their events, positions, market feeds, and who may write: the schema of the engine.

CREATE TABLE instrument (
    symbol text PRIMARY KEY,
    exchange text NOT NULL,
    tick_size numeric NOT NULL CHECK (tick_size > 0),
    lot_size integer NOT NULL CHECK (lot_size > 0)
);

-- A deterministic sequence of steps; the one activated last is the one that trades.
CREATE TABLE feed (
    feed_id text PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('synthetic', 'file')),
    activated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- How far the engine has played a feed, written in the same transaction as what the step caused.
CREATE TABLE feed_progress (
    feed_id text PRIMARY KEY REFERENCES feed,
    step bigint NOT NULL CHECK (step > 0),
    at timestamptz NOT NULL,
    closes jsonb NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE account (
    account text PRIMARY KEY
);
INSERT INTO account VALUES ('main');

-- What was asked for never changes; status, seq, filled_quantity, filled_value, accepted_at and reason repeat what the
-- events say, and are written with them.
CREATE TABLE orders (
    id uuid PRIMARY KEY,
    number bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    account text NOT NULL REFERENCES account,
    client_order_id text NOT NULL,
    symbol text NOT NULL,
    side text NOT NULL CHECK (side IN ('BUY', 'SELL')),
    type text NOT NULL CHECK (type IN ('MARKET', 'LIMIT')),
    product text NOT NULL CHECK (product IN ('CNC', 'MIS')),
    time_in_force text NOT NULL CHECK (time_in_force IN ('DAY', 'IOC')),
    quantity integer NOT NULL CHECK (quantity > 0),
    limit_price numeric CHECK (limit_price > 0),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    status text NOT NULL,
    seq integer NOT NULL CHECK (seq > 0),
    filled_quantity integer NOT NULL DEFAULT 0,
    filled_value numeric NOT NULL DEFAULT 0,
    accepted_at timestamptz,
    reason text,
    CONSTRAINT one_order_a_client_order_id UNIQUE (account, client_order_id),
    CONSTRAINT limit_has_a_price CHECK ((type = 'LIMIT') = (limit_price IS NOT NULL)),
    CONSTRAINT filled_within_quantity CHECK (filled_quantity BETWEEN 0 AND quantity)
);
CREATE INDEX orders_open ON orders (number)
    WHERE status IN ('INITIALIZED', 'SUBMITTED', 'UNKNOWN', 'ACCEPTED', 'PARTIALLY_FILLED');
CREATE INDEX orders_recent ON orders (account, created_at);

CREATE TABLE order_event (
    order_id uuid NOT NULL REFERENCES orders,
    seq integer NOT NULL CHECK (seq > 0),
    kind text NOT NULL,
    payload jsonb NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    venue text,
    trade_id text,
    PRIMARY KEY (order_id, seq),
    CONSTRAINT one_fill_a_trade UNIQUE (venue, trade_id),
    CONSTRAINT fills_name_their_trade CHECK ((kind = 'FILLED') = (venue IS NOT NULL AND trade_id IS NOT NULL))
);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER order_event_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON order_event
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- The fold over the fills, kept up with them.
CREATE TABLE position (
    account text NOT NULL REFERENCES account,
    symbol text NOT NULL,
    product text NOT NULL,
    quantity integer NOT NULL,
    cost numeric NOT NULL,
    realised_pnl numeric NOT NULL,
    PRIMARY KEY (account, symbol, product)
);

-- The newest token wins: a writer whose token is older is refused in its own transaction.
CREATE TABLE leadership (
    name text PRIMARY KEY,
    token bigint NOT NULL,
    holder text NOT NULL,
    acquired_at timestamptz NOT NULL
);
