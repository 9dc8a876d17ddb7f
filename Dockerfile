# The bridge in a container. Two ways to run it (docs: deploy/README.md):
#
#   docker run -v ./data:/data IMAGE            first start writes /data/config.yaml, second the registration
#   docker run -v ./config:/config IMAGE /usr/bin/matrix-messenger -c /config/config.yaml -r /config/registration.yaml --no-update
#
# Runs as uid 1337, or as any other with --user; only /data is written to, so a read-only root works. /data is
# not declared a volume: it would hide a folder that is mounted over it from some engines.

# The compiler runs on the machine that builds and makes programs for the one that the image is for, so that
# an image for arm64 takes no longer than one for amd64: docker buildx build --platform linux/amd64,linux/arm64 .
FROM --platform=$BUILDPLATFORM docker.io/library/golang:1.26-bookworm AS build
WORKDIR /src
# The modules in a layer of their own: they change less often than the code.
COPY go.mod go.sum ./
RUN go mod download
ARG TARGETARCH
# cgo, which SQLite needs, asks for a C compiler of the other kind of machine.
RUN if [ -n "$TARGETARCH" ] && [ "$TARGETARCH" != "$(go env GOHOSTARCH)" ]; then \
		case "$TARGETARCH" in \
		amd64) cross=x86-64-linux-gnu libc=libc6-dev-amd64-cross ;; \
		arm64) cross=aarch64-linux-gnu libc=libc6-dev-arm64-cross ;; \
		*) echo "No cross compiler is known for $TARGETARCH; build on such a machine." >&2; exit 1 ;; \
		esac; \
		apt-get update && apt-get install -y --no-install-recommends "gcc-$cross" "$libc" && rm -rf /var/lib/apt/lists/*; \
	fi
COPY . .
ARG VERSION=unknown
ARG COMMIT=unknown
ARG BUILD_TIME=
# goolm is the encryption library in Go.
RUN case "${TARGETARCH:-$(go env GOHOSTARCH)}" in \
	"$(go env GOHOSTARCH)") ;; \
	amd64) export CC=x86_64-linux-gnu-gcc ;; \
	arm64) export CC=aarch64-linux-gnu-gcc ;; \
	esac; \
	CGO_ENABLED=1 GOARCH="$TARGETARCH" go build -trimpath -tags goolm \
	-ldflags "-s -w -X main.Tag=${VERSION} -X main.Commit=${COMMIT} -X main.BuildTime=${BUILD_TIME}" \
	-o /out/ ./cmd/matrix-messenger ./cmd/messengerd

FROM docker.io/library/debian:bookworm-slim
RUN apt-get update \
	&& apt-get install -y --no-install-recommends ca-certificates tzdata curl \
	&& rm -rf /var/lib/apt/lists/*
ARG VERSION=unknown
ARG COMMIT=unknown
LABEL org.opencontainers.image.title="matrix-messenger" \
	org.opencontainers.image.description="A Matrix bridge to the Messenger XMPP service" \
	org.opencontainers.image.licenses="AGPL-3.0-or-later" \
	org.opencontainers.image.version="${VERSION}" \
	org.opencontainers.image.revision="${COMMIT}"
COPY --from=build /out/matrix-messenger /out/messengerd /usr/bin/
COPY deploy/docker-run.sh /usr/bin/docker-run
RUN groupadd --gid 1337 messenger \
	&& useradd --uid 1337 --gid 1337 --no-create-home --home-dir /data --shell /usr/sbin/nologin messenger \
	&& install -d -o 1337 -g 1337 -m 0770 /data \
	&& chmod 0755 /usr/bin/docker-run
USER 1337:1337
WORKDIR /data
ENV MATRIX_MESSENGER_PORT=29390
EXPOSE 29390
# "live" is true while the program's web server answers; the start waits for the homeserver.
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
	CMD curl -fsS -o /dev/null "http://127.0.0.1:${MATRIX_MESSENGER_PORT}/_matrix/mau/live"
CMD ["/usr/bin/docker-run"]
