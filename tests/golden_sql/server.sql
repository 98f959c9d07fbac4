-- client_connections: postgresql
SELECT COUNT(*) FROM pg_stat_activity
WHERE datid IS NOT NULL AND (backend_type IS NULL OR backend_type = 'client backend');

-- client_connections: mysql
SHOW GLOBAL STATUS WHERE Variable_name = 'Threads_connected';

-- server_settings: postgresql
SELECT name, setting FROM pg_settings WHERE name IN ('server_version', 'synchronous_commit', 'fsync', 'full_page_writes', 'max_connections', 'superuser_reserved_connections');

-- server_settings: mysql
SHOW GLOBAL VARIABLES WHERE Variable_name IN ('version', 'innodb_flush_log_at_trx_commit', 'max_allowed_packet', 'max_connections');
