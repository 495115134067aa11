# Built in two stages: the second has Python, the locked libraries and Crossroot, nothing else.
#
#   docker build -t crossroot .
#   docker run --read-only -v crossroot-keys:/keys -v crossroot-data:/data crossroot init …
#   docker run --read-only -v crossroot-keys:/keys -v crossroot-data:/data -p 8000:8000 crossroot

FROM python:3.13-slim AS build
WORKDIR /build
COPY requirements/build.txt requirements/runtime.txt requirements/
RUN python -m venv /build/tools \
 && /build/tools/bin/pip install --no-cache-dir --require-hashes --no-deps --only-binary=:all: -r requirements/build.txt \
 && python -m venv /opt/crossroot \
 && /opt/crossroot/bin/pip install --no-cache-dir --require-hashes --no-deps --only-binary=:all: -r requirements/runtime.txt
COPY pyproject.toml README.md LICENSE CHANGELOG.md ./
COPY app app
COPY examples examples
RUN /build/tools/bin/python -m hatchling build -t wheel -d dist \
 && /opt/crossroot/bin/pip install --no-cache-dir --no-deps --no-index dist/*.whl \
 && /opt/crossroot/bin/pip uninstall --yes pip

FROM python:3.13-slim
RUN useradd --system --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin crossroot \
 && install -d -o crossroot -g crossroot -m 0700 /keys /data
COPY --from=build /opt/crossroot /opt/crossroot
ENV PATH=/opt/crossroot/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    CROSSROOT_HOST=0.0.0.0 \
    CROSSROOT_PORT=8000 \
    CROSSROOT_KEYS_DIR=/keys \
    CROSSROOT_VAR_DIR=/data \
    CROSSROOT_DATABASE_URL=sqlite:////data/crossroot.db
VOLUME ["/keys", "/data"]
EXPOSE 8000
USER 10001:10001
WORKDIR /data
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
  CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f\"http://127.0.0.1:{os.environ['CROSSROOT_PORT']}/healthz\", timeout=2)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["crossroot"]
CMD ["serve"]
