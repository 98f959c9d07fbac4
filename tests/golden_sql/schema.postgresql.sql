-- version 1

CREATE TABLE IF NOT EXISTS lodger_meta (
  name varchar(200) NOT NULL,
  value text NOT NULL,
  PRIMARY KEY (name)
);

CREATE TABLE IF NOT EXISTS lodger_run (
  id uuid NOT NULL,
  job varchar(200) NOT NULL,
  queue varchar(200) NOT NULL,
  status varchar(16) NOT NULL,
  claim_rank integer NOT NULL,
  ready_queue varchar(200),
  scheduled_at timestamptz,
  owner uuid,
  engine integer NOT NULL DEFAULT 0,
  fence integer NOT NULL DEFAULT 0,
  attempt integer NOT NULL DEFAULT 0,
  max_attempts integer,
  on_crash varchar(16),
  crashes smallint NOT NULL DEFAULT 0,
  interruptions smallint NOT NULL DEFAULT 0,
  lost smallint NOT NULL DEFAULT 0,
  suspect smallint NOT NULL DEFAULT 0,
  cancel_requested smallint NOT NULL DEFAULT 0,
  unique_slot bytea,
  unique_until timestamptz,
  unique_scope varchar(16),
  run_at timestamptz NOT NULL,
  queued_at timestamptz,
  started_at timestamptz,
  completed_at timestamptz,
  expires_at timestamptz,
  worker_id uuid,
  args text NOT NULL,
  options text,
  meta text,
  tags text,
  result text,
  error text,
  progress text,
  checkpoint text,
  CHECK ((status = 'QUEUED') = (ready_queue IS NOT NULL)),
  CHECK ((status = 'SCHEDULED') = (scheduled_at IS NOT NULL)),
  CHECK ((status = 'RUNNING') = (owner IS NOT NULL)),
  PRIMARY KEY (id)
);

CREATE INDEX IF NOT EXISTS lodger_run_ready ON lodger_run (ready_queue, claim_rank, run_at, id, job) WHERE ready_queue IS NOT NULL;

CREATE INDEX IF NOT EXISTS lodger_run_scheduled ON lodger_run (scheduled_at) WHERE scheduled_at IS NOT NULL;

CREATE INDEX IF NOT EXISTS lodger_run_owner ON lodger_run (owner) WHERE owner IS NOT NULL;

CREATE UNIQUE INDEX IF NOT EXISTS lodger_run_unique ON lodger_run (unique_slot) WHERE unique_slot IS NOT NULL;

ALTER TABLE lodger_run SET (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0, autovacuum_analyze_scale_factor = 0.02);

CREATE TABLE IF NOT EXISTS lodger_attempt (
  run_id uuid NOT NULL,
  fence integer NOT NULL,
  attempt integer NOT NULL,
  outcome varchar(16) NOT NULL,
  worker_id uuid,
  engine integer NOT NULL,
  started_at timestamptz,
  ended_at timestamptz NOT NULL,
  error_type varchar(255),
  error_message text,
  traceback text,
  PRIMARY KEY (run_id, fence)
);

CREATE TABLE IF NOT EXISTS lodger_worker (
  id uuid NOT NULL,
  environment varchar(255) NOT NULL,
  app_release varchar(255) NOT NULL,
  placement varchar(16) NOT NULL,
  host varchar(255) NOT NULL,
  pid bigint NOT NULL,
  queues text NOT NULL,
  jobs text NOT NULL,
  engines text NOT NULL,
  dead_after_us bigint NOT NULL,
  started_at timestamptz NOT NULL,
  beat_at timestamptz NOT NULL,
  last_claim_at timestamptz,
  stopping_at timestamptz,
  dead_at timestamptz,
  PRIMARY KEY (id)
);

CREATE TABLE IF NOT EXISTS lodger_queue (
  name varchar(200) NOT NULL,
  paused_at timestamptz,
  PRIMARY KEY (name)
);

CREATE TABLE IF NOT EXISTS lodger_log (
  run_id uuid NOT NULL,
  fence integer NOT NULL,
  line integer NOT NULL,
  written_at timestamptz NOT NULL,
  level varchar(16) NOT NULL,
  message text NOT NULL,
  PRIMARY KEY (run_id, fence, line)
);

INSERT INTO lodger_meta (name, value) VALUES ('schema_version', '1') ON CONFLICT (name) DO UPDATE SET value = excluded.value;

-- version 2

CREATE TABLE IF NOT EXISTS lodger_schedule (
  id varchar(200) NOT NULL,
  origin varchar(16) NOT NULL,
  timetable text NOT NULL,
  job varchar(200) NOT NULL,
  queue varchar(200) NOT NULL,
  template text NOT NULL,
  overlap varchar(16) NOT NULL,
  misfire varchar(16) NOT NULL,
  jitter_us bigint NOT NULL,
  digest bytea NOT NULL,
  declared_by uuid,
  version bigint NOT NULL DEFAULT 0,
  next_at timestamptz,
  due_at timestamptz,
  paused_at timestamptz,
  undeclared_at timestamptz,
  missed_at timestamptz,
  last_at timestamptz,
  last_run_id uuid,
  fired bigint NOT NULL DEFAULT 0,
  skipped bigint NOT NULL DEFAULT 0,
  error text,
  created_at timestamptz NOT NULL,
  CHECK (due_at IS NULL OR (paused_at IS NULL AND undeclared_at IS NULL)),
  PRIMARY KEY (id)
);

CREATE TABLE IF NOT EXISTS lodger_fire (
  schedule_id varchar(200) NOT NULL,
  instant timestamptz NOT NULL,
  outcome varchar(16) NOT NULL,
  run_id uuid,
  scheduler_id uuid,
  fired_at timestamptz NOT NULL,
  PRIMARY KEY (schedule_id, instant)
);

CREATE TABLE IF NOT EXISTS lodger_scheduler (
  id uuid NOT NULL,
  environment varchar(255) NOT NULL,
  app_release varchar(255) NOT NULL,
  placement varchar(16) NOT NULL,
  host varchar(255) NOT NULL,
  pid bigint NOT NULL,
  dead_after_us bigint NOT NULL,
  started_at timestamptz NOT NULL,
  beat_at timestamptz NOT NULL,
  last_fire_at timestamptz,
  dead_at timestamptz,
  PRIMARY KEY (id)
);

CREATE TABLE IF NOT EXISTS lodger_declaration (
  schedule_id varchar(200) NOT NULL,
  owner uuid NOT NULL,
  PRIMARY KEY (schedule_id, owner)
);

CREATE INDEX IF NOT EXISTS lodger_schedule_due ON lodger_schedule (due_at) WHERE due_at IS NOT NULL;

CREATE INDEX IF NOT EXISTS lodger_fire_fired ON lodger_fire (fired_at);

INSERT INTO lodger_meta (name, value) VALUES ('schema_version', '2') ON CONFLICT (name) DO UPDATE SET value = excluded.value;
