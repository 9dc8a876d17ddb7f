package homeserver

import (
	"context"
	"net/http"
	"time"
)

// Fault changes how matching requests are answered.
type Fault struct {
	// Match picks requests; nil is every request.
	Match func(Request) bool
	// Times is how many requests are hit; 0 means until Remove.
	Times int
	// Status and Body are the answer instead of the real one; Status 0 leaves the real one.
	Status int
	Body   string
	// Cut closes the connection without an answer.
	Cut bool
	// After lets the request take effect first: only its answer is replaced or lost.
	After bool
	// Delay holds the request back for this long.
	Delay time.Duration
	// Anyway lets a request that was held back take effect although its client has gone away meanwhile. Only the homeserver's own end prevents it.
	Anyway bool
	// Unremembered lets a request take effect as if it had no transaction ID: a repeat of it is another event.
	Unremembered bool

	server  *Server
	release chan struct{} // not nil: hold until closed
	hits    int
}

// Inject switches a fault on. Of several that match, the first injected is used.
func (s *Server) Inject(f *Fault) *Fault {
	f.server = s
	s.mu.Lock()
	s.faults = append(s.faults, f)
	s.mu.Unlock()
	return f
}

// Fail answers the next times matching requests (0: all) with the status and body, without effect.
func (s *Server) Fail(match func(Request) bool, status int, body string, times int) *Fault {
	return s.Inject(&Fault{Match: match, Status: status, Body: body, Times: times})
}

// FailAfter lets the next times matching requests take effect but answers with the status: the answer is lost.
func (s *Server) FailAfter(match func(Request) bool, status int, body string, times int) *Fault {
	return s.Inject(&Fault{Match: match, Status: status, Body: body, Times: times, After: true})
}

// Block holds matching requests until Remove is called.
func (s *Server) Block(match func(Request) bool) *Fault {
	return s.Inject(&Fault{Match: match, release: make(chan struct{})})
}

// Hits is how many requests the fault has met.
func (f *Fault) Hits() int {
	f.server.mu.Lock()
	defer f.server.mu.Unlock()
	return f.hits
}

// WaitHits waits until the fault has met n requests.
func (f *Fault) WaitHits(ctx context.Context, n int) error {
	return f.server.wait(ctx, "requests to meet a fault", func() bool { return f.hits >= n })
}

// Remove switches the fault off and lets requests go that it held. It may be called again.
func (f *Fault) Remove() {
	f.server.mu.Lock()
	defer f.server.mu.Unlock()
	for i, other := range f.server.faults {
		if other == f {
			f.server.faults = append(f.server.faults[:i:i], f.server.faults[i+1:]...)
			break
		}
	}
	f.releaseLocked()
}

func (f *Fault) releaseLocked() {
	if f.release != nil {
		close(f.release)
		f.release = nil
	}
}

// releaseBlocked ends every Block, because the homeserver goes down. The caller holds the mutex.
func (s *Server) releaseBlocked() {
	for _, f := range s.faults {
		f.releaseLocked()
	}
}

// takeFault finds the fault for a request and counts it; the copy returned is the caller's. The caller holds the mutex.
func (s *Server) takeFault(rec *Request) *Fault {
	for _, f := range s.faults {
		if f.Times > 0 && f.hits >= f.Times || f.Match != nil && !f.Match(*rec) {
			continue
		}
		f.hits++
		s.notify()
		taken := *f
		return &taken
	}
	return nil
}

// hold waits as the fault says; false when whoever is waited for, the client or the homeserver, went away meanwhile.
func (f *Fault) hold(gone <-chan struct{}) bool {
	if f.release != nil {
		select {
		case <-f.release:
		case <-gone:
			return false
		}
	}
	if f.Delay > 0 {
		timer := time.NewTimer(f.Delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-gone:
			return false
		}
	}
	return true
}

// answer sends the fault's answer, or cuts the connection.
func (f *Fault) answer(w http.ResponseWriter) {
	if f.Cut {
		if hijacker, ok := w.(http.Hijacker); ok {
			if conn, _, err := hijacker.Hijack(); err == nil {
				_ = conn.Close()
			}
		}
		return
	}
	body := f.Body
	if body == "" {
		body = `{"errcode":"M_UNKNOWN","error":"scripted failure"}`
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(f.Status)
	_, _ = w.Write([]byte(body))
}
