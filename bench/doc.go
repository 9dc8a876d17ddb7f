// Command bench measures the budgets of the design: the bridge's own program as one process, messengerd as another, both with real TLS between
// them, and a homeserver (internal/homeserver) that answers at once in this one. Each number that depends on the machine comes with a yardstick from
// the same run: idle TLS connections that do nothing else, and a bridge on the same framework whose network does nothing.
//
//	go build -tags goolm -o bin/ ./bench ./cmd/matrix-messenger
//	bin/bench -bridge bin/matrix-messenger                       # everything, as in docs/benchmarks.md: some twenty minutes
//	bin/bench -bridge bin/matrix-messenger -only memory -sessions 1000
//
// It prints one table. With -out it also leaves there what a reader of the numbers wants next: heap, goroutine and CPU profiles of the bridge and its log.
//
// The other processes are this program started again in another role (see role.go); without -bridge so is the bridge.
package main
