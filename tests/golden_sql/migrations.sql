-- _free_lock: mysql
SELECT RELEASE_LOCK(CONCAT('lodger_', MD5(CONCAT(DATABASE(), '.lodger_'))));

-- _meta_exists: postgresql
SELECT c.relname FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n
  ON n.oid = c.relnamespace WHERE c.relname = 'lodger_meta' AND n.nspname = ANY (current_schemas(false));

-- _meta_exists: mysql
SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = 'lodger_meta';

-- _meta_exists: sqlite
SELECT name FROM sqlite_master WHERE type = 'table' AND name = 'lodger_meta';

-- _take_lock: mysql
SELECT GET_LOCK(CONCAT('lodger_', MD5(CONCAT(DATABASE(), '.lodger_'))), 60);

-- _version: postgresql, mysql, sqlite
SELECT value FROM lodger_meta WHERE name = 'schema_version';
