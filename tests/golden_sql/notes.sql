-- insert_line: postgresql
INSERT INTO lodger_log (run_id, fence, line, written_at, level, message)
VALUES (:id, :fence, :line, statement_timestamp(), :level, :message) ON CONFLICT DO NOTHING;

-- insert_line: mysql
INSERT INTO lodger_log (run_id, fence, line, written_at, level, message)
VALUES (:id, :fence, :line, UTC_TIMESTAMP(6), :level, :message) ON DUPLICATE KEY UPDATE line = lodger_log.line;

-- insert_line: sqlite
INSERT INTO lodger_log (run_id, fence, line, written_at, level, message)
VALUES (:id, :fence, :line, (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000), :level, :message) ON CONFLICT DO NOTHING;

-- select_log: postgresql, mysql, sqlite
SELECT fence, written_at, level, message FROM lodger_log WHERE run_id = :id ORDER BY fence, line LIMIT :limit;

-- set_checkpoint: postgresql, mysql, sqlite
UPDATE lodger_run SET checkpoint = :checkpoint WHERE id = :id AND status = 'RUNNING' AND fence = :fence;

-- set_progress: postgresql, mysql, sqlite
UPDATE lodger_run SET progress = :progress WHERE id = :id AND status = 'RUNNING' AND fence = :fence;
