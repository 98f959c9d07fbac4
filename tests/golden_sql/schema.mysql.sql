-- version 1

CREATE TABLE IF NOT EXISTS lodger_meta (
  name VARCHAR(200) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  value LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  PRIMARY KEY (name)
) ENGINE=InnoDB;

CREATE TABLE IF NOT EXISTS lodger_run (
  id BINARY(16) NOT NULL,
  job VARCHAR(200) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  queue VARCHAR(200) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  status VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  claim_rank INT NOT NULL,
  ready_queue VARCHAR(200) CHARACTER SET ascii COLLATE ascii_bin,
  scheduled_at DATETIME(6),
  owner BINARY(16),
  engine INT NOT NULL DEFAULT 0,
  fence INT NOT NULL DEFAULT 0,
  attempt INT NOT NULL DEFAULT 0,
  max_attempts INT,
  on_crash VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin,
  crashes SMALLINT NOT NULL DEFAULT 0,
  interruptions SMALLINT NOT NULL DEFAULT 0,
  lost SMALLINT NOT NULL DEFAULT 0,
  suspect TINYINT NOT NULL DEFAULT 0,
  cancel_requested TINYINT NOT NULL DEFAULT 0,
  unique_slot BINARY(32),
  unique_until DATETIME(6),
  unique_scope VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin,
  run_at DATETIME(6) NOT NULL,
  queued_at DATETIME(6),
  started_at DATETIME(6),
  completed_at DATETIME(6),
  expires_at DATETIME(6),
  worker_id BINARY(16),
  args LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  options LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
  meta LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
  tags LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
  result LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
  error LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
  progress LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
  checkpoint LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
  CHECK ((status = 'QUEUED') = (ready_queue IS NOT NULL)),
  CHECK ((status = 'SCHEDULED') = (scheduled_at IS NOT NULL)),
  CHECK ((status = 'RUNNING') = (owner IS NOT NULL)),
  KEY lodger_run_ready (ready_queue, claim_rank, run_at, id, job),
  KEY lodger_run_scheduled (scheduled_at),
  KEY lodger_run_owner (owner),
  UNIQUE KEY lodger_run_unique (unique_slot DESC),
  PRIMARY KEY (id)
) ENGINE=InnoDB;

CREATE TABLE IF NOT EXISTS lodger_attempt (
  run_id BINARY(16) NOT NULL,
  fence INT NOT NULL,
  attempt INT NOT NULL,
  outcome VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  worker_id BINARY(16),
  engine INT NOT NULL,
  started_at DATETIME(6),
  ended_at DATETIME(6) NOT NULL,
  error_type VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
  error_message LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
  traceback LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
  PRIMARY KEY (run_id, fence)
) ENGINE=InnoDB;

CREATE TABLE IF NOT EXISTS lodger_worker (
  id BINARY(16) NOT NULL,
  environment VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  app_release VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  placement VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  host VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  pid BIGINT NOT NULL,
  queues LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  jobs LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  engines LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  dead_after_us BIGINT NOT NULL,
  started_at DATETIME(6) NOT NULL,
  beat_at DATETIME(6) NOT NULL,
  last_claim_at DATETIME(6),
  stopping_at DATETIME(6),
  dead_at DATETIME(6),
  PRIMARY KEY (id)
) ENGINE=InnoDB;

CREATE TABLE IF NOT EXISTS lodger_queue (
  name VARCHAR(200) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  paused_at DATETIME(6),
  PRIMARY KEY (name)
) ENGINE=InnoDB;

CREATE TABLE IF NOT EXISTS lodger_log (
  run_id BINARY(16) NOT NULL,
  fence INT NOT NULL,
  line INT NOT NULL,
  written_at DATETIME(6) NOT NULL,
  level VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  message LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  PRIMARY KEY (run_id, fence, line)
) ENGINE=InnoDB;

INSERT INTO lodger_meta (name, value) VALUES ('schema_version', '1') ON DUPLICATE KEY UPDATE value = VALUES(value);

-- version 2

CREATE TABLE IF NOT EXISTS lodger_schedule (
  id VARCHAR(200) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  origin VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  timetable LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  job VARCHAR(200) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  queue VARCHAR(200) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  template LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  overlap VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  misfire VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  jitter_us BIGINT NOT NULL,
  digest BINARY(32) NOT NULL,
  declared_by BINARY(16),
  version BIGINT NOT NULL DEFAULT 0,
  next_at DATETIME(6),
  due_at DATETIME(6),
  paused_at DATETIME(6),
  undeclared_at DATETIME(6),
  missed_at DATETIME(6),
  last_at DATETIME(6),
  last_run_id BINARY(16),
  fired BIGINT NOT NULL DEFAULT 0,
  skipped BIGINT NOT NULL DEFAULT 0,
  error LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
  created_at DATETIME(6) NOT NULL,
  CHECK (due_at IS NULL OR (paused_at IS NULL AND undeclared_at IS NULL)),
  KEY lodger_schedule_due (due_at),
  PRIMARY KEY (id)
) ENGINE=InnoDB;

CREATE TABLE IF NOT EXISTS lodger_fire (
  schedule_id VARCHAR(200) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  instant DATETIME(6) NOT NULL,
  outcome VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  run_id BINARY(16),
  scheduler_id BINARY(16),
  fired_at DATETIME(6) NOT NULL,
  KEY lodger_fire_fired (fired_at),
  PRIMARY KEY (schedule_id, instant)
) ENGINE=InnoDB;

CREATE TABLE IF NOT EXISTS lodger_scheduler (
  id BINARY(16) NOT NULL,
  environment VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  app_release VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  placement VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  host VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  pid BIGINT NOT NULL,
  dead_after_us BIGINT NOT NULL,
  started_at DATETIME(6) NOT NULL,
  beat_at DATETIME(6) NOT NULL,
  last_fire_at DATETIME(6),
  dead_at DATETIME(6),
  PRIMARY KEY (id)
) ENGINE=InnoDB;

CREATE TABLE IF NOT EXISTS lodger_declaration (
  schedule_id VARCHAR(200) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  owner BINARY(16) NOT NULL,
  PRIMARY KEY (schedule_id, owner)
) ENGINE=InnoDB;

INSERT INTO lodger_meta (name, value) VALUES ('schema_version', '2') ON DUPLICATE KEY UPDATE value = VALUES(value);
