# syntax=docker/dockerfile:1
# Pin the base from outside, by digest: --build-arg BASE=python:3.12-slim-bookworm@sha256:...
ARG BASE=python:3.12-slim-bookworm

FROM ${BASE} AS build
# Stands for all timestamps, so that the same sources give the same image.
ARG SOURCE_DATE_EPOCH=0
# Pip leaves bytecode with timestamps of what it imports itself.
ENV PYTHONDONTWRITEBYTECODE=1
WORKDIR /src
# onnxruntime lower-cases text in this locale and no other.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends locales \
    && rm -rf /var/lib/apt/lists/* \
    && localedef --inputfile=en_US --charmap=UTF-8 --no-archive /opt/en_US.UTF-8
COPY image/requirements.lock image/build.lock ./
RUN python -m venv /opt/build \
    && python -m venv --without-pip /opt/pilotfish \
    && /opt/build/bin/pip install --no-cache-dir --require-hashes --only-binary=:all: --requirement build.lock \
    && /opt/build/bin/pip --python /opt/pilotfish/bin/python install --no-cache-dir --no-compile \
        --require-hashes --only-binary=:all: --requirement requirements.lock \
    && find /opt/pilotfish/lib -depth '(' -name tests -o -path '*/pyarrow/include' -o -name '*_flight.*so*' ')' \
        -exec rm -r '{}' +
COPY pyproject.toml README.md LICENSE ./
COPY proto proto
COPY sidecar sidecar
RUN /opt/build/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /opt/wheels . \
    && /opt/build/bin/pip --python /opt/pilotfish/bin/python install --no-cache-dir --no-compile --no-deps \
        --no-index /opt/wheels/*.whl
# The base has no bytecode and a read-only root takes none: each start would compile for seconds.
RUN PYTHONPYCACHEPREFIX=/opt/bytecode /opt/pilotfish/bin/python -m compileall -q \
    --invalidation-mode unchecked-hash -x '/(test|tests|idlelib|lib2to3|ensurepip|turtledemo|dist-packages)/' \
    "$(python -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')" /opt/pilotfish/lib

FROM ${BASE}
COPY --from=build /opt/en_US.UTF-8 /usr/lib/locale/en_US.UTF-8
COPY --from=build /opt/bytecode /opt/bytecode
COPY --from=build /opt/pilotfish /opt/pilotfish
COPY image/sbom.cdx.json /opt/pilotfish/sbom.cdx.json
# Malloc's arenas and the threads of matrix products would grow with the cores of the node.
ENV PATH=/opt/pilotfish/bin:$PATH \
    PYTHONPYCACHEPREFIX=/opt/bytecode \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    MALLOC_ARENA_MAX=2 \
    OPENBLAS_NUM_THREADS=1
# No shell is needed, no file is written: run with --read-only and any user.
USER 65532:65532
WORKDIR /etc/pilotfish
EXPOSE 9001 9400 9500
# Where `serve.http` has another port, give another --health-cmd.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
    CMD ["python", "-S", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:9400/readyz', timeout=2)"]
ENTRYPOINT ["pilotfish"]
CMD ["serve", "--config", "/etc/pilotfish/pilotfish.yaml"]
