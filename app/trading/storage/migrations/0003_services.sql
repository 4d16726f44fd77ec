-- Strategies and what they said, bars, equity, and backtests: what the services share. Changes only add.

-- Which strategies exist, whether they trade, and with which parameters; `version` grows with every change.
CREATE TABLE strategy (
    name text PRIMARY KEY,
    kind text NOT NULL,
    enabled boolean NOT NULL,
    parameters jsonb NOT NULL,
    version integer NOT NULL DEFAULT 1 CHECK (version > 0)
);

-- Every state that a strategy's row has had, the first one too: who made it, and why.
CREATE TABLE strategy_change (
    name text NOT NULL REFERENCES strategy,
    version integer NOT NULL,
    enabled boolean NOT NULL,
    parameters jsonb NOT NULL,
    actor text NOT NULL,
    reason text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (name, version)
);
CREATE TRIGGER strategy_change_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON strategy_change
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- What a strategy wanted of a symbol after a step, whenever that changed. Histories are partitioned by market time, so
-- that what is too old is dropped a partition at a time.
CREATE TABLE signal (
    strategy text NOT NULL,
    feed_id text NOT NULL,
    step bigint NOT NULL,
    symbol text NOT NULL,
    at timestamptz NOT NULL,
    target numeric NOT NULL,
    detail jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (strategy, feed_id, step, symbol, at)
) PARTITION BY RANGE (at);
CREATE TABLE signal_default PARTITION OF signal DEFAULT;
CREATE INDEX signal_recent ON signal (strategy, at DESC);

CREATE TABLE bar (
    symbol text NOT NULL,
    "interval" text NOT NULL,
    at timestamptz NOT NULL,
    open numeric NOT NULL,
    high numeric NOT NULL,
    low numeric NOT NULL,
    close numeric NOT NULL,
    volume bigint NOT NULL,
    source text NOT NULL,
    PRIMARY KEY (symbol, "interval", at)
) PARTITION BY RANGE (at);
CREATE TABLE bar_default PARTITION OF bar DEFAULT;

-- What an account was worth at a market time, rupees; equity = cash + the positions' market value.
CREATE TABLE equity_point (
    account text NOT NULL,
    at timestamptz NOT NULL,
    equity numeric NOT NULL,
    cash numeric NOT NULL,
    realised_pnl numeric NOT NULL,
    unrealised_pnl numeric NOT NULL,
    charges numeric NOT NULL,
    PRIMARY KEY (account, at)
) PARTITION BY RANGE (at);
CREATE TABLE equity_point_default PARTITION OF equity_point DEFAULT;

-- Backtests that were asked for; the scheduler runs the oldest queued one and keeps what came out.
CREATE TABLE backtest (
    id uuid PRIMARY KEY,
    submitted_by text NOT NULL,
    submitted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    spec jsonb NOT NULL,
    status text NOT NULL DEFAULT 'QUEUED' CHECK (status IN ('QUEUED', 'RUNNING', 'DONE', 'FAILED')),
    started_at timestamptz,
    finished_at timestamptz,
    progress numeric NOT NULL DEFAULT 0 CHECK (progress BETWEEN 0 AND 1),
    result jsonb,
    error text
);
CREATE INDEX backtest_waiting ON backtest (submitted_at) WHERE status IN ('QUEUED', 'RUNNING');
