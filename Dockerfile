# syntax=docker/dockerfile:1
# One image a service:  docker build --build-arg SERVICE=ingest --tag pma-ingest .
# It runs as an account without rights, writes nothing but /tmp (so its root file system can be read-only), and starts from
# compiled bytecode.  Versions and hashes are those of requirements.lock.
ARG PYTHON=python:3.11-slim-bookworm

FROM ${PYTHON} AS build
ARG SERVICE
# The dependency group of pyproject.toml that the service needs; the desk simulator takes that of orders.
ARG GROUP=${SERVICE}
WORKDIR /app
COPY pyproject.toml requirements.lock ./
RUN test -n "${SERVICE}" || { echo "say which service: --build-arg SERVICE=ingest" >&2; exit 1; }
RUN python -m venv /opt/uv \
 && awk '/^uv==/{on=1} on && /^ *#/{exit} on' requirements.lock > /tmp/uv.lock \
 && /opt/uv/bin/python -m pip install --quiet --no-cache-dir --require-hashes --no-deps -r /tmp/uv.lock
# The lock is given as constraints: the service gets its own group's packages, at the lock's versions, checked against its hashes.
RUN python -m venv --without-pip /venv \
 && /opt/uv/bin/python -m uv pip install --no-cache --python /venv/bin/python --compile-bytecode --require-hashes \
      -r pyproject.toml --group "${GROUP}" --constraints requirements.lock
COPY deploy/__init__.py deploy/migrate.py deploy/topics.py deploy/
COPY libs libs
COPY services/__init__.py services/__init__.py
COPY services/${SERVICE} services/${SERVICE}
RUN /venv/bin/python -m compileall -q --invalidation-mode unchecked-hash deploy libs services && rm pyproject.toml requirements.lock
# The optimizer's kernels are compiled for the builder's kind of processor; on another they are compiled when the service starts.
# They are kept by their sources' time of change, so that is one which every file system can hold.
RUN mkdir kernels && if [ -f services/${SERVICE}/warm_up.py ]; then \
      find services -name "*.py" -exec touch -d 2020-01-01T00:00:00Z {} + && NUMBA_CACHE_DIR=/app/kernels /venv/bin/python -m services.${SERVICE}.warm_up; fi

FROM ${PYTHON}
ARG SERVICE
RUN groupadd --system --gid 10001 pma && useradd --system --uid 10001 --gid pma --no-create-home --home-dir /nonexistent pma
COPY --from=build /venv /venv
COPY --from=build /app /app
WORKDIR /app
ENV PATH=/venv/bin:$PATH \
    PYTHONPATH=/app \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    SERVICE=${SERVICE}
USER 10001:10001
# Compiled kernels must lie where they can be added to.  `exec`: the service is process 1 and gets the stop signal itself.
ENTRYPOINT ["/bin/sh", "-c", "export NUMBA_CACHE_DIR=${TMPDIR:-/tmp}/kernels && cp -r kernels/. \"$NUMBA_CACHE_DIR\" && exec python -m services.${SERVICE} \"$@\"", "service"]
