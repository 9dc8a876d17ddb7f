package messengerd

import (
	"fmt"
	"time"
)

// CutSessions closes connections abruptly: those of the named accounts (e-mail
// or JID), or all of them. It returns how many.
func (s *Server) CutSessions(accountIDs ...string) int {
	n := 0
	s.eachSession(accountIDs, func(ses *session) {
		ses.cut()
		n++
	})
	return n
}

// SendRaw writes a text as it is to every session of an account.
func (s *Server) SendRaw(accountID, xml string) int {
	n := 0
	s.eachSession([]string{accountID}, func(ses *session) {
		ses.traceOut([]byte(xml))
		if ses.sendBytes([]byte(xml), nil) {
			n++
		}
	})
	return n
}

// StreamError ends every session of an account with a stream error.
func (s *Server) StreamError(accountID, condition, text string) error {
	if !streamConditions[condition] {
		return fmt.Errorf("%q is not a stream error condition", condition)
	}
	s.eachSession([]string{accountID}, func(ses *session) { ses.endWithError(condition, text) })
	return nil
}

// RedirectSessions ends every session of an account with see-other-host.
func (s *Server) RedirectSessions(accountID, target string) {
	s.eachSession([]string{accountID}, func(ses *session) {
		ses.endWith(el(nsStream, "error").with(el(nsStreams, "see-other-host").withText(target)), true, closeOrderly)
	})
}

// eachSession visits the bound sessions of accounts, or of all.
func (s *Server) eachSession(accountIDs []string, visit func(*session)) {
	var list []*session
	collect := func(a *Account) {
		a.mu.Lock()
		for _, ses := range a.sessions {
			list = append(list, ses)
		}
		a.mu.Unlock()
	}
	if len(accountIDs) == 0 {
		list = s.allSessions()
	}
	for _, id := range accountIDs {
		if a := s.Account(id); a != nil {
			collect(a)
		}
	}
	for _, ses := range list {
		visit(ses)
	}
}

// Sessions are all signed-in streams.
func (s *Server) Sessions() []SessionInfo {
	list := []SessionInfo{}
	for _, a := range s.accounts() {
		list = append(list, a.Sessions()...)
	}
	return list
}

// Sweep closes streams that have been idle for too long, and, by the switch,
// those whose token has expired. The server does it about once a second; call
// it after moving a clock of your own.
func (s *Server) Sweep() {
	sw, now := s.sw(), s.now()
	s.eachSession(nil, func(ses *session) {
		last := ses.last.Load()
		if last == 0 {
			return // still negotiating, which has its own deadline; expires is set before last is
		}
		if sw.IdleCut > 0 && now.Sub(time.Unix(0, last)) >= sw.IdleCut {
			s.log.Info("idle stream closed", "session", ses.number)
			ses.end([]byte("</stream:stream>"), closeOrderly)
			return
		}
		if sw.TokenLife.Stream == "cut" && !ses.expires.IsZero() && !now.Before(ses.expires) {
			ses.endWithError("not-authorized", "The token has expired.")
		}
	})
}

// sweepLoop sweeps until the server closes; the shorter the idle time, the more often.
func (s *Server) sweepLoop() {
	for {
		pause := time.Second
		if idle := s.sw().IdleCut; idle > 0 {
			pause = max(20*time.Millisecond, min(pause, idle/4))
		}
		select {
		case <-time.After(pause):
			s.Sweep()
		case <-s.ctx.Done():
			return
		}
	}
}
