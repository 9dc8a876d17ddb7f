package homeserver

import (
	"context"
	"strings"
	"time"

	"maunium.net/go/mautrix/id"
)

// Request is one recorded request.
type Request struct {
	Seq        int
	Time       time.Time
	Method     string
	Path       string // without the query
	Endpoint   string // short name, such as "send", "state", "createRoom", "media/upload"
	UserID     id.UserID
	Appservice string // the registration's id, empty for a person
	RoomID     id.RoomID
	EventType  string
	StateKey   string
	TxnID      string
	Body       []byte
	Status     int // 0 until answered, or when the connection was cut
}

type recorder struct {
	seq      int
	requests []*Request
	counts   map[string]int
}

// recordRequest adds the request to the record. The caller holds the mutex.
func (s *Server) recordRequest(r *request, name string) *Request {
	s.record.seq++
	rec := &Request{
		Seq: s.record.seq, Time: time.Now(), Method: r.Method, Path: r.URL.Path, Endpoint: name, UserID: r.user,
		RoomID: r.room(), EventType: r.PathValue("type"), StateKey: r.PathValue("key"), TxnID: r.PathValue("txn"),
	}
	if r.as != nil {
		rec.Appservice = r.as.reg.ID
	}
	if !s.opts.RecordNoBodies && !strings.HasPrefix(name, "media/") {
		rec.Body = r.body
	}
	s.record.counts[name]++
	s.record.requests = append(s.record.requests, rec)
	if len(s.record.requests) >= 2*s.opts.RecordLimit {
		s.record.requests = append([]*Request(nil), s.record.requests[len(s.record.requests)-s.opts.RecordLimit:]...)
	}
	return rec
}

// finish notes the answer's status.
func (s *Server) finish(r *request, status int) {
	s.mu.Lock()
	r.rec.Status = status
	s.notify()
	s.mu.Unlock()
}

// Requests lists the recorded requests that match (all when match is nil), oldest first.
func (s *Server) Requests(match func(Request) bool) []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []Request
	for _, rec := range s.record.requests {
		if match == nil || match(*rec) {
			found = append(found, *rec)
		}
	}
	return found
}

// Count is how many requests an endpoint has had since the start or the last ResetRecord, kept in the record or not.
func (s *Server) Count(endpoint string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.record.counts[endpoint]
}

// Counts are the numbers of requests by endpoint.
func (s *Server) Counts() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	counts := make(map[string]int, len(s.record.counts))
	for name, count := range s.record.counts {
		counts[name] = count
	}
	return counts
}

// ResetRecord empties the record and its counters.
func (s *Server) ResetRecord() {
	s.mu.Lock()
	s.record.requests, s.record.counts = nil, make(map[string]int)
	s.mu.Unlock()
}

// WaitRequest waits for an answered request that matches; requests already recorded count.
func (s *Server) WaitRequest(ctx context.Context, match func(Request) bool) (Request, error) {
	var found Request
	err := s.wait(ctx, "a matching request", func() bool {
		for _, rec := range s.record.requests {
			if rec.Status != 0 && match(*rec) {
				found = *rec
				return true
			}
		}
		return false
	})
	return found, err
}

// Sends matches sends of one event type (any when empty).
func Sends(eventType string) func(Request) bool {
	return func(r Request) bool { return r.Endpoint == "send" && (eventType == "" || r.EventType == eventType) }
}

// To matches requests of one endpoint.
func To(endpoint string) func(Request) bool {
	return func(r Request) bool { return r.Endpoint == endpoint }
}
