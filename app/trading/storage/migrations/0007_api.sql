-- What the API adds: answers that are given again to a repeated request, and an order in which trades are listed.

-- One row a request that must not be done twice; `answer` is what it was told. Rows are kept for a day.
CREATE TABLE idempotency_key (
    principal text NOT NULL,
    key text NOT NULL,
    request_sha256 text NOT NULL,
    status integer,
    answer jsonb,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (principal, key)
);
CREATE INDEX idempotency_key_age ON idempotency_key (recorded_at);

CREATE INDEX order_event_trades ON order_event (recorded_at, order_id, seq) WHERE kind = 'FILLED';
CREATE INDEX orders_of_account ON orders (account, number);
