"""Real database servers in a temporary directory, for the tests, the demo and the benchmarks.

    with PostgreSQL() as server:
        url = server.create_database("shop")

They listen on 127.0.0.1 only, keep the durability a production server has, and are gone with the process that started
them, however it ends (see `guard`).
"""

from tools.servers.admin import create_database, drop_database, server_version
from tools.servers.base import Server, ServerError
from tools.servers.mariadb import MariaDB
from tools.servers.postgres import PostgreSQL

# By the names that the test parameters, `make demo ENGINE=` and the benchmarks use.
SERVERS: dict[str, type[Server]] = {"postgresql": PostgreSQL, "mariadb": MariaDB}

__all__ = [
    "SERVERS",
    "MariaDB",
    "PostgreSQL",
    "Server",
    "ServerError",
    "create_database",
    "drop_database",
    "server_version",
]
