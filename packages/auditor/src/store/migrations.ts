// One entry a schema version (`user_version`); entries are only ever added. Digests and addresses are hexadecimal text.

export const migrations: readonly string[] = [
  `
  CREATE TABLE plans (
    epoch INTEGER PRIMARY KEY,
    model TEXT NOT NULL,
    root TEXT NOT NULL,
    count INTEGER NOT NULL,
    made_ms INTEGER NOT NULL,
    -- Set once the commitment is final.
    number INTEGER UNIQUE,
    block INTEGER,
    time INTEGER,
    beacon TEXT,
    -- The epoch passed and the chain has no commitment: nothing of it was ever used.
    dropped INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  CREATE INDEX plans_open ON plans (epoch) WHERE beacon IS NULL AND dropped = 0;

  CREATE TABLE audits (
    epoch INTEGER NOT NULL REFERENCES plans (epoch),
    leaf INTEGER NOT NULL,
    secret TEXT NOT NULL,
    audit TEXT NOT NULL,
    -- Digest of what is asked, whatever the parameters: nothing is asked twice.
    prompt TEXT NOT NULL UNIQUE,
    body TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'planned'
      CHECK (state IN ('planned', 'unused', 'due', 'sent', 'bought', 'opened', 'lost')),
    due_ms INTEGER,
    attempts INTEGER NOT NULL DEFAULT 0,
    reason TEXT,
    -- Hash of the API key that buys it: set before the request is sent.
    api_key TEXT,
    transcript TEXT,
    provider TEXT,
    claim_id TEXT UNIQUE,
    amount INTEGER,
    median INTEGER,
    statistics TEXT,
    fault TEXT,
    gateway TEXT,
    opened_at INTEGER,
    PRIMARY KEY (epoch, leaf)
  ) STRICT;
  CREATE INDEX audits_work ON audits (due_ms) WHERE state IN ('due', 'sent', 'bought');
  CREATE INDEX audits_provider ON audits (provider) WHERE provider IS NOT NULL;

  CREATE TABLE jobs (
    provider TEXT PRIMARY KEY,
    jobs INTEGER NOT NULL
  ) STRICT;
  -- The finalized block up to which batches were counted.
  CREATE TABLE cursor (block INTEGER NOT NULL) STRICT;
  INSERT INTO cursor VALUES (-1);
  `,
  `
  -- Costs are told by runtime class without reading every transcript.
  ALTER TABLE audits ADD COLUMN runtime TEXT;
  UPDATE audits SET runtime = json_extract(transcript, '$.receipt.claim.runtime') WHERE transcript IS NOT NULL;
  `,
  `
  -- Taken up from a gateway's list; configured ones are not here.
  CREATE TABLE models (
    model TEXT PRIMARY KEY,
    manifest TEXT NOT NULL
  ) STRICT;
  `,
]
