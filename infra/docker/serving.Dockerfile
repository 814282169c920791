# The services: ingest, predict, record, explain, api, and the job that migrates. Without torch, Dagster and pandas.
FROM python:3.11.14-bookworm AS build
COPY requirements/serving.txt /build/
# Wheels only, each with its hash, and nothing that the lock does not name.
RUN python -m venv /opt/riskee \
    && /opt/riskee/bin/pip install --no-cache-dir --no-deps --only-binary=:all: --require-hashes -r /build/serving.txt \
    && /opt/riskee/bin/pip uninstall --yes pip setuptools \
    && mkdir /opt/riskee/native \
    && cp -L /usr/lib/*-linux-gnu/libgomp.so.1 /opt/riskee/native/
WORKDIR /app
COPY riskee riskee
COPY serving serving
COPY infra/__init__.py infra/
COPY infra/deployment infra/deployment
COPY infra/migrations infra/migrations
COPY infra/postgres infra/postgres
COPY infra/redis infra/redis
RUN /opt/riskee/bin/python -m compileall -q riskee serving infra

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
RUN install -d -o 10001 -g 10001 /var/lib/riskee
WORKDIR /app
USER 10001:10001
CMD ["python", "-m", "serving.api"]
