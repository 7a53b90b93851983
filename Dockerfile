# syntax=docker/dockerfile:1
# The base may be pinned from outside: --build-arg BASE=python:3.12-slim@sha256:...
ARG BASE=python:3.12-slim-bookworm

FROM ${BASE} AS build
WORKDIR /src
RUN python -m venv /opt/pilotfish
COPY pyproject.toml README.md LICENSE ./
COPY proto proto
COPY sidecar sidecar
RUN /opt/pilotfish/bin/pip install --no-cache-dir --no-compile .

FROM ${BASE}
# onnxruntime lower-cases text in this locale and no other.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends locales \
    && localedef --inputfile=en_US --charmap=UTF-8 en_US.UTF-8 \
    && rm -rf /var/lib/apt/lists/*
# No shell is needed, no file is written: run with --read-only and any user.
RUN useradd --uid 65532 --no-create-home --shell /usr/sbin/nologin pilotfish
COPY --from=build /opt/pilotfish /opt/pilotfish
ENV PATH=/opt/pilotfish/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 65532:65532
WORKDIR /etc/pilotfish
EXPOSE 9001 9400 9500
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:9400/readyz', timeout=2)"]
ENTRYPOINT ["pilotfish"]
CMD ["serve", "--config", "/etc/pilotfish/pilotfish.yaml"]
