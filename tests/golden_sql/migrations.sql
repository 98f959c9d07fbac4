-- _first_version: postgresql, mysql, sqlite
INSERT INTO lodger_meta (name, value) VALUES ('schema_version', :version);

-- _meta_exists: postgresql
SELECT to_regclass('lodger_meta');

-- _meta_exists: mysql
SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = 'lodger_meta';

-- _meta_exists: sqlite
SELECT name FROM sqlite_master WHERE type = 'table' AND name = 'lodger_meta';

-- _next_version: postgresql, mysql, sqlite
UPDATE lodger_meta SET value = :version WHERE name = 'schema_version';

-- _version: postgresql, mysql, sqlite
SELECT value FROM lodger_meta WHERE name = 'schema_version';
