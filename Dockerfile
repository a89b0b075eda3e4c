# Two stages: one that has npm, one that has nothing but Node and the bundle: no shell, no package manager, no
# node_modules. Any Debian-based image with Node 20 or newer and npm does for BUILD: the project brings its own Node.
ARG BUILD=node:24-bookworm-slim

FROM ${BUILD} AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
# The optional dependencies carry the project's Node and the bundler's binary; no install script runs.
RUN npm ci --ignore-scripts --loglevel=error
COPY deploy/rolldown.config.mjs deploy/image-root.mjs deploy/
COPY src src
COPY jobs jobs
RUN node_modules/.bin/rolldown --config deploy/rolldown.config.mjs && node_modules/.bin/node deploy/image-root.mjs /image

FROM scratch
COPY --from=build /image /
USER 65532:65532
ENV NODE_ENV=production \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
    NODE_USE_SYSTEM_CA=1
# Crash dumps and the inspector would hold secret values: neither can be had by a signal or an option of the environment.
ENTRYPOINT ["/usr/bin/node", "--disable-sigusr1", "/app/keyturn.mjs"]
CMD ["worker"]
