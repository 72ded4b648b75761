# Parley as one executable in a small image: no shell, no package manager, not root. `docker build -t parley .`
#
#   openssl rand -base64 48 > parley-secret                         once; whoever has it can be anybody
#   docker run -p 127.0.0.1:8080:8080 -v parley:/data -e JWT_SECRET="$(cat parley-secret)" parley
#                                                                   one machine: SQLite in the volume, a proxy with TLS before it
#   docker run -e DATABASE_URL=… -e REDIS_URL=… … parley            one node of many: see compose.yaml
#
# It is ENV=prod, and so does not start without JWT_SECRET. It writes to /data and nowhere else, so that it runs with --read-only.

FROM node:22-bookworm AS build
WORKDIR /src
# First what is pinned alone: it is fetched again only where it changed.
COPY Makefile package.json package-lock.json .npmrc ./
COPY scripts/require-node.cjs scripts/
RUN make setup
COPY . .
RUN make build && mkdir /data

# glibc and certificates, for an executable that needs no more.
FROM gcr.io/distroless/base-debian12:nonroot
COPY --from=build --chown=0:0 /src/dist/parley /usr/local/bin/parley
COPY --from=build --chown=65532:65532 --chmod=700 /data /data
USER 65532:65532
WORKDIR /data
ENV ENV=prod DATA_DIR=/data SERVER_PORT=8080 LOG_FORMAT=json
VOLUME /data
EXPOSE 8080
# SHUTDOWN_TIMEOUT is 8 s: within the 10 s that Docker waits after SIGTERM.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=5s --start-period=30s --retries=3 CMD ["/usr/local/bin/parley", "health"]
ENTRYPOINT ["/usr/local/bin/parley"]
CMD ["serve"]
