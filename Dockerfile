FROM node:26-bookworm-slim AS packages
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --ignore-scripts

FROM node:26-bookworm-slim
LABEL org.opencontainers.image.title="transship" \
      org.opencontainers.image.description="Container image copy jobs over HTTP" \
      org.opencontainers.image.licenses="Apache-2.0"
WORKDIR /app
# A volume mounted at /data begins with this folder's owner.
RUN mkdir -p /data /app/.cache && chown node:node /data /app/.cache
COPY --from=packages /app/node_modules node_modules
COPY package.json LICENSE ./
COPY src src
USER node
# Node runs the TypeScript sources as they are. Its compile cache is kept by user, so it is warmed as the one that runs.
ENV NODE_COMPILE_CACHE=/app/.cache
RUN node --input-type=module -e "await import('/app/src/api/main.ts'); await import('/app/src/worker/main.ts'); await import('/app/src/signature/openpgp.ts'); process.exit()"
# Chunks of blobs are garbage at once: a small young generation, one arena and big blocks apart keep a worker's memory low (see scripts/run.mjs).
ENV NODE_OPTIONS=--max-semi-space-size=2 MALLOC_ARENA_MAX=1 MALLOC_MMAP_THRESHOLD_=4194304
ENV HOST=0.0.0.0 PORT=8080 DATA_DIR=/data
VOLUME /data
EXPOSE 8080
# Of the API; docker-compose.yml has another for workers.
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/healthz`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# node itself, no npm and no shell: signals arrive.
CMD ["node", "src/api/main.ts"]
