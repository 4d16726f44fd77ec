-- Stop orders, modification and cancelling, charges, price bands, capital, and the kill switch. Changes only add, so
-- that an engine or API of the version before goes on working until it is replaced.

ALTER TABLE instrument
    ADD COLUMN isin text,
    ADD COLUMN series text NOT NULL DEFAULT 'EQ',
    ADD COLUMN freeze_quantity integer CHECK (freeze_quantity > 0),
    ADD COLUMN lower_band_percent numeric,
    ADD COLUMN upper_band_percent numeric;

-- Closes of the session before the one of `at`; price bands are measured from them.
ALTER TABLE feed_progress ADD COLUMN previous_closes jsonb NOT NULL DEFAULT '{}';

-- Rupees that the account begins with; a paper account has a crore.
ALTER TABLE account ADD COLUMN capital numeric NOT NULL DEFAULT 10000000 CHECK (capital >= 0);

-- The modified_* columns repeat what events say, as status and seq do; empty while the terms are those asked for.
ALTER TABLE orders
    ADD COLUMN trigger_price numeric CHECK (trigger_price > 0),
    ADD COLUMN market_protection_percent numeric CHECK (market_protection_percent > 0),
    ADD COLUMN strategy_id text,
    ADD COLUMN algo_id text,
    ADD COLUMN mode text NOT NULL DEFAULT 'PAPER' CHECK (mode IN ('PAPER', 'LIVE')),
    ADD COLUMN modified_quantity integer CHECK (modified_quantity > 0),
    ADD COLUMN modified_limit_price numeric CHECK (modified_limit_price > 0),
    ADD COLUMN modified_trigger_price numeric CHECK (modified_trigger_price > 0),
    DROP CONSTRAINT orders_type_check,
    ADD CONSTRAINT orders_type_check CHECK (type IN ('MARKET', 'LIMIT', 'SL', 'SL-M')),
    DROP CONSTRAINT limit_has_a_price,
    ADD CONSTRAINT limit_has_a_price CHECK ((type IN ('LIMIT', 'SL')) = (limit_price IS NOT NULL)),
    ADD CONSTRAINT stop_has_a_trigger CHECK ((type IN ('SL', 'SL-M')) = (trigger_price IS NOT NULL)),
    ADD CONSTRAINT live_has_a_tag CHECK (mode = 'PAPER' OR algo_id IS NOT NULL),
    DROP CONSTRAINT filled_within_quantity,
    ADD CONSTRAINT filled_within_quantity
        CHECK (filled_quantity BETWEEN 0 AND coalesce(modified_quantity, quantity));

-- Until now each strategy traded in an account of its name, and people in 'main'.
UPDATE orders SET strategy_id = account WHERE account <> 'main';

DROP INDEX orders_open;
CREATE INDEX orders_open ON orders (number) WHERE status IN ('INITIALIZED', 'SUBMITTED', 'UNKNOWN', 'TRIGGER_PENDING',
    'ACCEPTED', 'PARTIALLY_FILLED', 'PENDING_MODIFY', 'PENDING_CANCEL');

-- Unrounded; depository_day is the last day with a delivery sale, for which the depository has been paid.
ALTER TABLE position
    ADD COLUMN charges numeric NOT NULL DEFAULT 0,
    ADD COLUMN depository_day date;

-- The kill switch: the newest row says what may be traded.
CREATE TABLE trading_state_event (
    seq integer PRIMARY KEY CHECK (seq > 0),
    state text NOT NULL CHECK (state IN ('ACTIVE', 'REDUCING', 'HALTED')),
    cause text NOT NULL,
    reason text NOT NULL,
    actor text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TRIGGER trading_state_event_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON trading_state_event
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
