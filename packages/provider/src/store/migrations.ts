// One entry a schema version (`user_version`); entries are only ever added. Integers are 64 bits; u128 and u64 of payers
// are decimal text. Digests and signatures are hexadecimal text, as everywhere.

export const migrations: readonly string[] = [
  `
  CREATE TABLE sequences (
    key_id TEXT PRIMARY KEY,
    reserved_end INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE claims (
    key_id TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    claim_id TEXT NOT NULL UNIQUE,
    channel TEXT NOT NULL,
    model TEXT NOT NULL,
    request TEXT NOT NULL,
    amount INTEGER NOT NULL,
    ended_ms INTEGER NOT NULL,
    claim BLOB NOT NULL,
    signature TEXT NOT NULL,
    output TEXT,
    trace TEXT,
    salts TEXT,
    state TEXT NOT NULL CHECK (state IN ('unpaid', 'paid', 'refused', 'written-off')),
    reason TEXT,
    PRIMARY KEY (key_id, sequence),
    UNIQUE (channel, request)
  ) STRICT;
  CREATE INDEX claims_owed ON claims (channel, sequence) WHERE state IN ('unpaid', 'refused');
  CREATE INDEX claims_epoch ON claims (key_id, epoch);
  CREATE INDEX claims_kept ON claims (ended_ms) WHERE output IS NOT NULL;

  CREATE TABLE batches (
    key_id TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    first INTEGER NOT NULL,
    end INTEGER NOT NULL,
    root TEXT NOT NULL,
    final INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (key_id, epoch)
  ) STRICT;
  CREATE INDEX batches_open ON batches (key_id, epoch) WHERE final = 0;

  CREATE TABLE vouchers (
    channel TEXT NOT NULL,
    model TEXT NOT NULL,
    cumulative TEXT NOT NULL,
    epoch TEXT NOT NULL,
    signature TEXT NOT NULL,
    redeemed TEXT NOT NULL DEFAULT '0',
    closed INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (channel, model)
  ) STRICT;

  CREATE TABLE offers (
    id TEXT PRIMARY KEY,
    offer BLOB NOT NULL,
    signature TEXT NOT NULL,
    not_after INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE tokens (
    hash TEXT PRIMARY KEY,
    channel TEXT NOT NULL,
    expires INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX tokens_channel ON tokens (channel, expires);
  `,
  `
  CREATE TABLE outbox (
    id TEXT PRIMARY KEY,
    target TEXT,
    data TEXT NOT NULL,
    gas INTEGER NOT NULL,
    nonce INTEGER NOT NULL,
    signed TEXT NOT NULL
  ) STRICT;
  CREATE INDEX outbox_nonce ON outbox (nonce);
  `,
  `
  CREATE TABLE abandoned_keys (
    key_id TEXT PRIMARY KEY,
    reason TEXT NOT NULL CHECK (reason IN ('restored', 'outdated', 'conflict'))
  ) STRICT;
  `,
  // What is asked at each job and after each start is answered from an index alone: rows carry whole answers, and a hundred
  // thousand of them are half a gigabyte. Entries of one channel stand in the order of their rowids.
  `
  DROP INDEX claims_owed;
  CREATE INDEX claims_owed ON claims (channel, amount, state) WHERE state IN ('unpaid', 'refused');
  CREATE INDEX claims_unpaid ON claims (channel) WHERE state = 'unpaid';
  DROP INDEX claims_epoch;
  CREATE INDEX claims_epoch ON claims (key_id, epoch, sequence);
  `,
]

/** From this schema on a store has its mark beside it. */
export const marked = 3
