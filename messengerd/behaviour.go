package messengerd

import "time"

// behave is the goroutine of an account's program that does something by
// itself (configuration key behaviour). It ends with the server.
type behave struct {
	srv *Server
	a   *Account
}

func (s *Server) startBehaviour(a *Account) {
	b := &behave{srv: s, a: a}
	var run func()
	switch a.cfg.Behaviour {
	case "echo":
		run = b.echo
	case "script":
		run = b.script
	case "away_and_back":
		run = b.awayAndBack
	default:
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closing {
		s.wg.Go(run)
	}
}

// pause waits; false when the server closes.
func (b *behave) pause(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-b.srv.ctx.Done():
		return false
	}
}

// echo answers every message with the same text.
func (b *behave) echo() {
	for {
		select {
		case r := <-b.a.program.events:
			_ = b.a.SetTyping(r.From, "composing")
			if err := b.a.SendMessage(bareOf(r.From), r.Body); err != nil {
				b.srv.log.Warn("echo not sent", "account", b.a.jid, "err", err)
			}
		case <-b.srv.ctx.Done():
			return
		}
	}
}

// awayAndBack goes away, offline and comes back, again and again.
func (b *behave) awayAndBack() {
	period := b.a.cfg.Period
	if period <= 0 {
		period = 20 * time.Second
	}
	status := b.a.cfg.Status
	steps := []struct{ state, status string }{{"available", status}, {"away", "back soon"}, {"offline", ""}}
	for i := 0; ; i++ {
		step := steps[i%len(steps)]
		_ = b.a.SetPresence(step.state, step.status)
		if !b.pause(period) {
			return
		}
	}
}

// script runs the account's script once its partner is online, and again if it
// is to repeat.
func (b *behave) script() {
	partner := b.partner()
	if partner == nil {
		b.srv.log.Warn("a script has no partner", "account", b.a.jid)
		return
	}
	for {
		if partner.WaitOnline(b.srv.ctx) != nil {
			return
		}
		for _, step := range b.a.cfg.Script {
			if !b.step(partner, step) {
				return
			}
		}
		if !b.a.cfg.Repeat {
			return
		}
		if !b.pause(time.Second) { // a script without waits must not spin
			return
		}
	}
}

func (b *behave) partner() *Account {
	if id := b.a.cfg.ScriptTo; id != "" {
		return b.srv.Account(id)
	}
	if list := b.a.Contacts(); len(list) > 0 {
		return b.srv.byBareJID(list[0].JID)
	}
	return nil
}

// step does one step; false when the server closes.
func (b *behave) step(partner *Account, step ScriptStep) bool {
	if step.Wait > 0 && !b.pause(step.Wait) {
		return false
	}
	for step.Await {
		select {
		case r := <-b.a.program.events:
			step.Await = bareOf(r.From) != partner.key
		case <-b.srv.ctx.Done():
			return false
		}
	}
	if step.Presence != "" {
		_ = b.a.SetPresence(step.Presence, step.Status)
	}
	if step.Typing > 0 {
		_ = b.a.SetTyping(partner.jid, "composing")
		if !b.pause(step.Typing) {
			return false
		}
	}
	if step.Say != "" {
		if err := b.a.SendMessage(partner.jid, step.Say); err != nil {
			b.srv.log.Warn("a script's message was not sent", "account", b.a.jid, "err", err)
		}
	}
	return true
}

// anyOnline says whether one of the account's sessions takes part and has been
// given what waited for it.
func (a *Account) anyOnline() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, ses := range a.sessions {
		if ses.active() && ses.receives {
			return true
		}
	}
	return false
}
