// Package deploy holds the files of deploy/ to what reads them: the compose file to the compose specification's own library, the Kubernetes
// manifest to Kubernetes' types, the systemd unit to systemd, and the example configurations to the bridge, messengerd and a real homeserver.
package deploy
