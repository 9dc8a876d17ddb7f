package session

import (
	"bytes"
	"crypto/tls"
	"reflect"
)

const (
	// idleRecords is the most room for records that a TLS connection keeps while nothing comes; stanzas of chats fit.
	idleRecords = 2 << 10
	// idleHandshake is the same for the handshake, which is over.
	idleHandshake = 512
)

// tlsBuffers are the two buffers of a crypto/tls connection that grow with its largest record and its peer's certificates
// and never shrink: one contact list, and a session holds seven kilobytes more for as long as it lives, twenty after a
// picture. The package has no way to give them back, so they are taken out of it, at a moment when they are empty and
// by the goroutine that reads, which alone uses them. Where the fields are not what they were when this was written,
// nothing is touched; a test tells.
type tlsBuffers struct {
	records   *bytes.Buffer // tls.Conn.rawInput: what was received, from a record's header on
	plain     *bytes.Reader // tls.Conn.input: what of a record was not read yet, within the same memory
	handshake *bytes.Buffer // tls.Conn.hand
}

func buffersOf(conn *tls.Conn) *tlsBuffers {
	records := field[bytes.Buffer](conn, "rawInput")
	plain := field[bytes.Reader](conn, "input")
	handshake := field[bytes.Buffer](conn, "hand")
	if records == nil || plain == nil || handshake == nil {
		return nil
	}
	return &tlsBuffers{records, plain, handshake}
}

// field is a field of the connection, nil when there is none of this name and type.
func field[T any](conn *tls.Conn, name string) *T {
	found := reflect.ValueOf(conn).Elem().FieldByName(name)
	if !found.IsValid() || found.Type() != reflect.TypeFor[T]() {
		return nil
	}
	return (*T)(found.Addr().UnsafePointer())
}

// trim gives back what has more room than these bytes for records and for the handshake. Only for the reading goroutine,
// between two reads.
func (b *tlsBuffers) trim(records, handshake int) {
	if b == nil || b.records.Len() > 0 || b.plain.Len() > 0 || b.handshake.Len() > 0 {
		return
	}
	if b.records.Cap() > records {
		*b.records = bytes.Buffer{}
		b.plain.Reset(nil) // it would keep the same memory
	}
	if b.handshake.Cap() > handshake {
		*b.handshake = bytes.Buffer{}
	}
}
