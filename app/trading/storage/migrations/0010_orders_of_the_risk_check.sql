-- What the risk check of an order looks at must not grow with the account's history: the open orders of an account, and
-- those of a symbol in the last second.

CREATE INDEX orders_open_of_account ON orders (account) WHERE status IN ('INITIALIZED', 'SUBMITTED', 'UNKNOWN',
    'TRIGGER_PENDING', 'ACCEPTED', 'PARTIALLY_FILLED', 'PENDING_MODIFY', 'PENDING_CANCEL');
DROP INDEX orders_recent;
CREATE INDEX orders_recent ON orders (account, symbol, created_at);
