// Package synapse runs Synapse, the homeserver that most people have, from Debian's unstable distribution: [Install] makes a small system of it in the cache with
// debootstrap, as root, and programs are started in that by chroot. The tests run against Dendrite otherwise, which a Go toolchain alone can build.
package synapse
