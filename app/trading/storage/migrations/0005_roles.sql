-- What the roles note down for themselves. Changes only add.

-- Up to which step of a feed the strategies have decided; the execution role's own is feed_progress.
CREATE TABLE engine_progress (
    feed_id text PRIMARY KEY REFERENCES feed,
    step bigint NOT NULL CHECK (step > 0),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
-- The engine of the version before decided in the transaction in which it played.
INSERT INTO engine_progress (feed_id, step) SELECT feed_id, step FROM feed_progress;

-- Up to which step the bars of a feed are in the table of bars.
CREATE TABLE bar_progress (
    feed_id text PRIMARY KEY REFERENCES feed,
    step bigint NOT NULL CHECK (step > 0),
    "interval" text NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Drawdown is measured from the last reset of the kill switch on, which happens by the clock, not by market time.
ALTER TABLE equity_point ADD COLUMN recorded_at timestamptz NOT NULL DEFAULT clock_timestamp();
CREATE INDEX equity_point_recent ON equity_point (recorded_at);

-- What an account had come to at the end of a market day, rupees, and what it traded in it.
CREATE TABLE daily_report (
    feed_id text NOT NULL REFERENCES feed,
    day date NOT NULL,
    account text NOT NULL REFERENCES account,
    equity numeric NOT NULL,
    cash numeric NOT NULL,
    realised_pnl numeric NOT NULL,
    unrealised_pnl numeric NOT NULL,
    charges numeric NOT NULL,
    trades integer NOT NULL,
    traded_value numeric NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (feed_id, day, account)
);

-- A backtest belongs to the process that renews its lease; one that nobody renews is begun again, but not for ever.
ALTER TABLE backtest
    ADD COLUMN lease_until timestamptz,
    ADD COLUMN attempts integer NOT NULL DEFAULT 0;
