-- The order rate of the one client that the platform is at its broker, over all accounts and strategies: an order takes a
-- slot, and a slot is taken once in any second. Orders at the same moment take different ones and wait for nobody.

CREATE TABLE order_slot (
    number integer PRIMARY KEY CHECK (number BETWEEN 1 AND 1000),
    used_at timestamptz NOT NULL DEFAULT '-infinity'
) WITH (fillfactor = 40);
INSERT INTO order_slot (number) SELECT generate_series(1, 1000);
