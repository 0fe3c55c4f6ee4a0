# The servers that deploy/compose.yaml takes from a registry, from Debian's packages, for a machine that reaches no registry:
# one image under several names. The first word of the command selects the program, as in the official images.
FROM debian:trixie-slim
RUN apt-get update -qq \
  && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends valkey-server redis-server haproxy prometheus \
  && rm -rf /var/lib/apt/lists/* \
  && install -d -o nobody -g nogroup /prometheus && install -d -m 1777 /data
RUN printf '%s\n' '#!/bin/sh' 'case "$1" in' \
  '  valkey-server | redis-server) exec "$@" --protected-mode no ;;' \
  '  -*) exec prometheus "$@" ;;' \
  '  *) exec "$@" ;;' 'esac' > /usr/local/bin/entrypoint && chmod +x /usr/local/bin/entrypoint
ENTRYPOINT ["entrypoint"]
CMD ["valkey-server"]
