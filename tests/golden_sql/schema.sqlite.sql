-- version 1

CREATE TABLE IF NOT EXISTS lodger_meta (
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (name)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS lodger_run (
  id BLOB NOT NULL,
  job TEXT NOT NULL,
  queue TEXT NOT NULL,
  status TEXT NOT NULL,
  claim_rank INTEGER NOT NULL,
  ready_queue TEXT,
  scheduled_at INTEGER,
  owner BLOB,
  engine INTEGER NOT NULL DEFAULT 0,
  fence INTEGER NOT NULL DEFAULT 0,
  attempt INTEGER NOT NULL DEFAULT 0,
  max_attempts INTEGER,
  on_crash TEXT,
  crashes INTEGER NOT NULL DEFAULT 0,
  interruptions INTEGER NOT NULL DEFAULT 0,
  lost INTEGER NOT NULL DEFAULT 0,
  suspect INTEGER NOT NULL DEFAULT 0,
  cancel_requested INTEGER NOT NULL DEFAULT 0,
  unique_slot BLOB,
  unique_until INTEGER,
  unique_scope TEXT,
  run_at INTEGER NOT NULL,
  queued_at INTEGER,
  started_at INTEGER,
  completed_at INTEGER,
  expires_at INTEGER,
  worker_id BLOB,
  args TEXT NOT NULL,
  options TEXT,
  meta TEXT,
  tags TEXT,
  result TEXT,
  error TEXT,
  progress TEXT,
  checkpoint TEXT,
  CHECK ((status = 'QUEUED') = (ready_queue IS NOT NULL)),
  CHECK ((status = 'SCHEDULED') = (scheduled_at IS NOT NULL)),
  CHECK ((status = 'RUNNING') = (owner IS NOT NULL)),
  PRIMARY KEY (id)
) WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS lodger_run_ready ON lodger_run (ready_queue, claim_rank, run_at, id, job) WHERE ready_queue IS NOT NULL;

CREATE INDEX IF NOT EXISTS lodger_run_scheduled ON lodger_run (scheduled_at) WHERE scheduled_at IS NOT NULL;

CREATE INDEX IF NOT EXISTS lodger_run_owner ON lodger_run (owner) WHERE owner IS NOT NULL;

CREATE UNIQUE INDEX IF NOT EXISTS lodger_run_unique ON lodger_run (unique_slot) WHERE unique_slot IS NOT NULL;

CREATE TABLE IF NOT EXISTS lodger_attempt (
  run_id BLOB NOT NULL,
  fence INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  outcome TEXT NOT NULL,
  worker_id BLOB,
  engine INTEGER NOT NULL,
  started_at INTEGER,
  ended_at INTEGER NOT NULL,
  error_type TEXT,
  error_message TEXT,
  traceback TEXT,
  PRIMARY KEY (run_id, fence)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS lodger_worker (
  id BLOB NOT NULL,
  environment TEXT NOT NULL,
  app_release TEXT NOT NULL,
  placement TEXT NOT NULL,
  host TEXT NOT NULL,
  pid INTEGER NOT NULL,
  queues TEXT NOT NULL,
  jobs TEXT NOT NULL,
  engines TEXT NOT NULL,
  dead_after_us INTEGER NOT NULL,
  started_at INTEGER NOT NULL,
  beat_at INTEGER NOT NULL,
  last_claim_at INTEGER,
  stopping_at INTEGER,
  dead_at INTEGER,
  PRIMARY KEY (id)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS lodger_queue (
  name TEXT NOT NULL,
  paused_at INTEGER,
  PRIMARY KEY (name)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS lodger_log (
  run_id BLOB NOT NULL,
  fence INTEGER NOT NULL,
  line INTEGER NOT NULL,
  written_at INTEGER NOT NULL,
  level TEXT NOT NULL,
  message TEXT NOT NULL,
  PRIMARY KEY (run_id, fence, line)
) WITHOUT ROWID;

INSERT INTO lodger_meta (name, value) VALUES ('schema_version', '1') ON CONFLICT (name) DO UPDATE SET value = excluded.value;

-- version 2

CREATE TABLE IF NOT EXISTS lodger_schedule (
  id TEXT NOT NULL,
  origin TEXT NOT NULL,
  timetable TEXT NOT NULL,
  job TEXT NOT NULL,
  queue TEXT NOT NULL,
  template TEXT NOT NULL,
  overlap TEXT NOT NULL,
  misfire TEXT NOT NULL,
  jitter_us INTEGER NOT NULL,
  digest BLOB NOT NULL,
  declared_by BLOB,
  version INTEGER NOT NULL DEFAULT 0,
  next_at INTEGER,
  due_at INTEGER,
  paused_at INTEGER,
  undeclared_at INTEGER,
  missed_at INTEGER,
  last_at INTEGER,
  last_run_id BLOB,
  fired INTEGER NOT NULL DEFAULT 0,
  skipped INTEGER NOT NULL DEFAULT 0,
  error TEXT,
  created_at INTEGER NOT NULL,
  CHECK (due_at IS NULL OR (paused_at IS NULL AND undeclared_at IS NULL)),
  PRIMARY KEY (id)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS lodger_fire (
  schedule_id TEXT NOT NULL,
  instant INTEGER NOT NULL,
  outcome TEXT NOT NULL,
  run_id BLOB,
  scheduler_id BLOB,
  fired_at INTEGER NOT NULL,
  PRIMARY KEY (schedule_id, instant)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS lodger_scheduler (
  id BLOB NOT NULL,
  environment TEXT NOT NULL,
  app_release TEXT NOT NULL,
  placement TEXT NOT NULL,
  host TEXT NOT NULL,
  pid INTEGER NOT NULL,
  dead_after_us INTEGER NOT NULL,
  started_at INTEGER NOT NULL,
  beat_at INTEGER NOT NULL,
  last_fire_at INTEGER,
  dead_at INTEGER,
  PRIMARY KEY (id)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS lodger_declaration (
  schedule_id TEXT NOT NULL,
  owner BLOB NOT NULL,
  PRIMARY KEY (schedule_id, owner)
) WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS lodger_schedule_due ON lodger_schedule (due_at) WHERE due_at IS NOT NULL;

CREATE INDEX IF NOT EXISTS lodger_fire_fired ON lodger_fire (fired_at);

INSERT INTO lodger_meta (name, value) VALUES ('schema_version', '2') ON CONFLICT (name) DO UPDATE SET value = excluded.value;
