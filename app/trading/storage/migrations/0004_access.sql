-- Who may use the API: people, their sessions and keys, from which addresses, and a chained record of every change.

CREATE TABLE user_account (
    name text PRIMARY KEY CHECK (name ~ '^[a-z0-9][a-z0-9-]{0,39}$'),
    role text NOT NULL CHECK (role IN ('viewer', 'trader', 'risk', 'admin')),
    accounts text[],  -- in which they may look and trade; null for all
    password_hash text NOT NULL,
    disabled boolean NOT NULL DEFAULT false,
    version integer NOT NULL DEFAULT 1 CHECK (version > 0),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- What a login begins: a family of refresh tokens, each used once, which ends as a whole.
CREATE TABLE user_session (
    id uuid PRIMARY KEY,
    user_name text NOT NULL REFERENCES user_account,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz NOT NULL,
    ended_at timestamptz,
    ended_because text,
    CONSTRAINT an_end_has_a_reason CHECK ((ended_at IS NULL) = (ended_because IS NULL))
);
CREATE INDEX user_session_open ON user_session (user_name) WHERE ended_at IS NULL;

-- SHA-256 of a token of 256 random bits; `replaced_by` is the hash of the one it was exchanged for.
CREATE TABLE refresh_token (
    hash bytea PRIMARY KEY CHECK (length(hash) = 32),
    session uuid NOT NULL REFERENCES user_session ON DELETE CASCADE,
    issued_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    replaced_by bytea UNIQUE
);
CREATE INDEX refresh_token_session ON refresh_token (session);

-- `secret_hash` is SHA-256 of the secret, which is kept nowhere; `sealed` is the key that its holder signs with, encrypted
-- with the mounted credential `jwt`. After a rotation the previous pair is good until `previous_until`.
CREATE TABLE api_key (
    id text PRIMARY KEY CHECK (id ~ '^[a-z0-9]{12}$'),
    owner text NOT NULL REFERENCES user_account,
    label text NOT NULL,
    role text NOT NULL CHECK (role IN ('viewer', 'trader', 'risk', 'admin')),
    accounts text[],
    secret_hash bytea NOT NULL CHECK (length(secret_hash) = 32),
    sealed bytea NOT NULL,
    previous_hash bytea CHECK (length(previous_hash) = 32),
    previous_sealed bytea,
    previous_until timestamptz,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    rotated_at timestamptz,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz,
    CONSTRAINT a_previous_secret_is_whole
        CHECK (num_nulls(previous_hash, previous_sealed, previous_until) IN (0, 3))
);
CREATE INDEX api_key_owner ON api_key (owner, created_at);

-- Each row's hash covers its content and the hash of the row before: a row that is changed, put in or taken out breaks
-- the chain from there on.
CREATE TABLE access_audit (
    seq bigint PRIMARY KEY CHECK (seq > 0),
    at timestamptz NOT NULL,
    actor text NOT NULL,
    action text NOT NULL,
    subject text NOT NULL,
    address text,
    detail jsonb NOT NULL,
    previous bytea NOT NULL CHECK (length(previous) = 32),
    hash bytea NOT NULL UNIQUE CHECK (length(hash) = 32)
);
CREATE TRIGGER access_audit_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON access_audit
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- The addresses that were added while running; the newest version holds. `networks` maps a network to what it is for.
CREATE TABLE allowlist_version (
    version integer PRIMARY KEY CHECK (version > 0),
    enforced boolean NOT NULL,
    networks jsonb NOT NULL,
    actor text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TRIGGER allowlist_version_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON allowlist_version
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
