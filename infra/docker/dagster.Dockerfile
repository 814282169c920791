# Dagster's code location, webserver and daemon, and the command line. Without torch and without the embedded servers.
FROM python:3.11.14-bookworm AS build
COPY requirements/dagster.txt /build/
COPY requirements/vendors.txt /build/
# What fetches histories from Yahoo and Alpaca: `--build-arg VENDORS=1`.
ARG VENDORS=
# Wheels only, each with its hash, and nothing that the lock does not name.
RUN python -m venv /opt/riskee \
    && /opt/riskee/bin/pip install --no-cache-dir --no-deps --only-binary=:all: --require-hashes -r /build/dagster.txt \
    && if [ -n "$VENDORS" ]; then /opt/riskee/bin/pip install --no-cache-dir --no-deps --only-binary=:all: \
        --require-hashes -r /build/vendors.txt; fi \
    && /opt/riskee/bin/pip uninstall --yes pip setuptools \
    && mkdir /opt/riskee/native \
    && cp -L /usr/lib/*-linux-gnu/libgomp.so.1 /opt/riskee/native/
WORKDIR /app
COPY riskee riskee
COPY riskee_dagster riskee_dagster
COPY dbt_like_sql dbt_like_sql
COPY serving serving
COPY infra infra
COPY workspace.yaml ./
RUN /opt/riskee/bin/python -m compileall -q riskee riskee_dagster dbt_like_sql serving infra

FROM python:3.11.14-slim-bookworm
# LightGBM needs OpenMP, which the slim image lacks.
ENV PATH=/opt/riskee/bin:$PATH \
    LD_LIBRARY_PATH=/opt/riskee/native \
    PYTHONPATH=/app \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    MALLOC_ARENA_MAX=2 \
    HOME=/tmp
COPY --from=build /opt/riskee /opt/riskee
COPY --from=build /app /app
RUN install -d -o 10001 -g 10001 /var/lib/riskee /var/lib/riskee/dagster
WORKDIR /app
USER 10001:10001
# Dagster takes its database's password from the environment only: the file becomes a variable of this process.
ENTRYPOINT ["/bin/sh", "/app/infra/docker/dagster-entrypoint.sh"]
CMD ["python", "-m", "riskee", "--help"]
