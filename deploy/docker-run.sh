#!/bin/sh
# First start: write the configuration and say what to edit. Second: write the registration and say where
# it belongs. Then: run. Extra arguments go to the program.
set -eu
# What is written holds secrets and messages.
umask 0077

data=${MATRIX_MESSENGER_DATA:-/data}
config=$data/config.yaml
registration=$data/registration.yaml
program=${MATRIX_MESSENGER_PROGRAM:-/usr/bin/matrix-messenger}

if [ ! -w "$data" ]; then
	echo "$data is not writable for user $(id -u). Give it to that user (chown $(id -u) ...), or start the container with --user." >&2
	exit 1
fi
cd "$data"

if [ ! -f "$config" ]; then
	"$program" -c "$config" -e
	cat <<TEXT

A configuration was written to $config. Please edit at least:
  homeserver.address, homeserver.domain   your homeserver
  appservice.address                      how the homeserver reaches this container, e.g. http://matrix-messenger:29390
  appservice.hostname                     0.0.0.0 in a container
  database                                for SQLite: type sqlite3-fk-wal, uri file:$data/bridge.db?_txlock=immediate
  bridge.permissions                      who may use the bridge
  network                                 the Messenger service
Then start the container again.
TEXT
	exit 0
fi
if [ ! -f "$registration" ]; then
	"$program" -c "$config" -r "$registration" -g
	cat <<TEXT

A registration was written to $registration. Add it to your homeserver's configuration (Synapse:
app_service_config_files, Dendrite: app_service_api.config_files), restart the homeserver, and start
this container again.
TEXT
	exit 0
fi
exec "$program" -c "$config" -r "$registration" "$@"
