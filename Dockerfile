# Build with BuildKit, Docker's default since version 23.

FROM rust:1.95.0-bookworm AS build
WORKDIR /src
# .dockerignore lets in only what the binary is made of; migrations and data are embedded in it.
COPY . .
# `dev` builds in a third of the time, to try the image with; what is shipped is `release`.
ARG PROFILE=release
# The caches outlive the layer, so a change to the sources does not fetch and build every dependency anew.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --profile "$PROFILE" --locked --bin ict-index \
    && install -m 755 "target/$([ "$PROFILE" = dev ] && echo debug || echo "$PROFILE")/ict-index" /usr/local/bin/ict-index

# Debian slim, not an image without a shell: it has the C library of the build image and comes from the same publisher, an
# operator can look inside, and the migrate job runs two commands. Without root, capabilities and a writable file system
# (docker-compose.yml) a shell is of little use to anybody else.
FROM debian:bookworm-slim
LABEL org.opencontainers.image.title="ict-index" \
      org.opencontainers.image.description="Indicators, tasks and scores of a province's ICT plan, as an HTTP API" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /usr/local/bin/ict-index /usr/local/bin/ict-index
# A number, so that an orchestrator can see that it is not root.
USER 65532:65532
ENV BIND_ADDRESS=0.0.0.0:8080
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 CMD ["/usr/local/bin/ict-index", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/ict-index"]
CMD ["serve"]
