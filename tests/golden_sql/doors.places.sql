-- where_am_i: postgresql
SELECT current_database(), CAST(EXTRACT(EPOCH FROM pg_postmaster_start_time()) * 1000000 AS bigint);

-- where_am_i: mysql
SELECT DATABASE(), CONCAT_WS('|', @@hostname, @@port, @@socket, @@datadir, @@pid_file);

-- where_am_i: sqlite
PRAGMA database_list;
