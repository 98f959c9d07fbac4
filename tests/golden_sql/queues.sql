-- pause_queue: postgresql
INSERT INTO lodger_queue (name, paused_at) VALUES (:name, statement_timestamp()) ON CONFLICT (name) DO UPDATE SET paused_at = COALESCE(lodger_queue.paused_at, excluded.paused_at);

-- pause_queue: mysql
INSERT INTO lodger_queue (name, paused_at) VALUES (:name, UTC_TIMESTAMP(6)) ON DUPLICATE KEY UPDATE paused_at = COALESCE(lodger_queue.paused_at, VALUES(paused_at));

-- pause_queue: sqlite
INSERT INTO lodger_queue (name, paused_at) VALUES (:name, (CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000)) ON CONFLICT (name) DO UPDATE SET paused_at = COALESCE(lodger_queue.paused_at, excluded.paused_at);

-- paused_queues: postgresql, mysql, sqlite
SELECT name FROM lodger_queue WHERE paused_at IS NOT NULL ORDER BY name;

-- queue_depths: postgresql, mysql, sqlite
SELECT ready_queue, COUNT(*) FROM lodger_run WHERE ready_queue IS NOT NULL GROUP BY ready_queue;

-- resume_queue: postgresql, mysql, sqlite
UPDATE lodger_queue SET paused_at = NULL WHERE name = :name;
