package bridge

import (
	"context"
	"strings"
	"sync"
	"time"

	"mellium.im/xmpp/stanza"

	"matrix-messenger/database"
	"matrix-messenger/xmppside"
)

// outbox sends what is queued for one account, in order, and settles it (design.md section 4). Its state is in the database; in memory there is only
// whether its goroutine runs, which exists while there is something to do and a session to do it with.
type outbox struct {
	cl *Client

	mu      sync.Mutex
	cancel  context.CancelFunc // of the worker that runs, nil when none does
	again   bool               // something has come in since the worker last looked
	done    chan struct{}
	ending  bool   // no further burst is begun
	settled uint64 // the session whose predecessors' unconfirmed messages are settled
	suspect string // stanza ID of the message that the service ended a stream over
	rests   chatRests
	// stumbles are the chats of which it could not be read where their messages go to; they are the worker's.
	stumbles map[string]*tries
}

func newOutbox(cl *Client) *outbox { return &outbox{cl: cl} }

// burst is how many messages share one barrier. It bounds what a broken connection leaves unconfirmed.
const burst = 50

// kick makes sure that what is queued gets sent. It returns at once.
func (o *outbox) kick() {
	if o.cl.session() == nil {
		return // the state Online kicks
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.cancel != nil || o.ending {
		o.again = true
		return
	}
	ctx, cancel := context.WithCancel(o.cl.log.WithContext(o.cl.c.ctx))
	done := make(chan struct{})
	o.cancel, o.done, o.again = cancel, done, false
	begun := o.cl.c.work.Go(func() {
		defer close(done)
		defer cancel()
		o.work(ctx)
	})
	if !begun { // the bridge ends; what is queued is written after its next start
		o.cancel = nil
		cancel()
		close(done)
	}
}

// drain lets the burst that is under way be confirmed, for a moment: what is not would have to be looked for in the archive afterwards. No other one is begun until stop.
func (o *outbox) drain() {
	o.mu.Lock()
	running, done := o.cancel != nil, o.done
	o.ending = true
	o.mu.Unlock()
	if !running {
		return
	}
	select {
	case <-done:
	case <-time.After(drainTimeout):
	}
}

// drainTimeout is as long as a confirmation may take while the session is to be closed.
const drainTimeout = 2 * time.Second

// stop ends the worker and waits for it.
func (o *outbox) stop() {
	o.mu.Lock()
	o.ending = false
	cancel, done := o.cancel, o.done
	o.mu.Unlock()
	if cancel != nil {
		cancel()
		<-done
	}
}

func (o *outbox) isEnding() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.ending
}

// rest ends the worker unless something has come in meanwhile.
func (o *outbox) rest(force bool) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.again && !force {
		o.again = false
		return false
	}
	o.cancel = nil
	return true
}

func (o *outbox) onState(ev xmppside.StateEvent) {
	if ev.Suspect != "" {
		o.mu.Lock()
		o.suspect = ev.Suspect
		o.mu.Unlock()
	}
	if ev.State == xmppside.Online {
		o.kick()
	}
}

// work sends until nothing is left, or there is no session.
func (o *outbox) work(ctx context.Context) {
	for {
		more := o.advance(ctx)
		if ctx.Err() != nil || o.isEnding() {
			o.rest(true)
			return
		}
		if !more && o.rest(false) {
			return
		}
	}
}

// advance does one round and tells whether another one is to follow at once. When its session is over meanwhile, none is: the next session asks for it, or has done so already.
func (o *outbox) advance(ctx context.Context) (more bool) {
	session := o.cl.session()
	if session == nil {
		return false
	}
	more, err := o.round(ctx, session)
	if err == nil {
		return more
	}
	if ctx.Err() == nil {
		o.cl.log.Debug().Err(err).Msg("Sending paused")
	}
	return o.pause(ctx, session)
}

// pause waits before something is tried again, and tells whether the session goes on.
func (o *outbox) pause(ctx context.Context, session *xmppside.Session) bool {
	timer := time.NewTimer(outboxPause)
	defer timer.Stop()
	select {
	case <-session.Done():
		return false
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// outboxPause is the wait after something failed while the session was up: the database, or the question behind a burst.
const outboxPause = 2 * time.Second

// round settles what an earlier session left, and sends one burst.
func (o *outbox) round(ctx context.Context, session *xmppside.Session) (more bool, err error) {
	if err = o.settleEarlier(ctx, session); err != nil {
		return false, err
	}
	rows, err := o.next(ctx)
	if err != nil || len(rows) == 0 {
		return false, err
	}
	rows, to, err := o.addressed(ctx, rows)
	if err != nil || len(rows) == 0 {
		return true, err
	}
	return true, o.send(ctx, session, rows, to)
}

// next is the next burst. Chats that wait for their archives, or that rest, are left out; when one may go on, the outbox is
// kicked.
func (o *outbox) next(ctx context.Context) ([]database.OutboxMessage, error) {
	for without := append(o.cl.history.waiting(), o.rests.now()...); ; {
		rows, err := o.cl.c.db.Outbox.NextQueued(ctx, o.cl.id(), burst, o.cl.c.archiveShows(), without...)
		if err != nil || len(rows) == 0 {
			return nil, err
		}
		ready, waiting := rows[:0:0], map[string]bool{}
		for _, row := range rows {
			if isWaiting, asked := waiting[row.ChatID]; !asked {
				waiting[row.ChatID] = !o.cl.history.mayWrite(row.ChatID)
			} else if isWaiting {
				continue
			}
			if waiting[row.ChatID] {
				without = append(without, row.ChatID)
				continue
			}
			ready = append(ready, row)
		}
		if len(ready) > 0 {
			return ready, nil
		}
	}
}

// refused handles an error stanza for a message: what kind it is decides between one more try and a notice on the very event (messenger-protocol.md 12.3).
func (o *outbox) refused(ctx context.Context, ev xmppside.MessageError) error {
	row, found, err := o.cl.c.db.Outbox.ByStanzaID(ctx, o.cl.id(), ev.ID)
	if err != nil || !found {
		return err
	}
	if ev.Err.Type == stanza.Wait && ev.Err.Condition != stanza.RecipientUnavailable && row.Attempts < maxWaitAttempts && len(row.Body) > 0 {
		isLater, err := o.sendLater(ctx, row)
		if err != nil {
			return err
		} else if isLater {
			o.rests.begin(row.ChatID, backoff(row.Attempts+1), o.kick)
			return nil
		}
	}
	return o.fail(ctx, row, refusedText(ev.Err))
}

// sendLater queues a message again that the service has sent back. isLater is false when it is settled: an answer may have confirmed it at the same moment, and then there is no text left to send.
func (o *outbox) sendLater(ctx context.Context, row database.OutboxMessage) (isLater bool, err error) {
	err = o.cl.c.db.Write(ctx, func(ctx context.Context) error {
		now, _, err := o.cl.c.db.Outbox.ByStanzaID(ctx, row.LoginID, row.StanzaID)
		if isLater = now.State == database.OutboxQueued || now.State == database.OutboxWritten; err != nil || !isLater {
			return err
		}
		return o.unwrite(ctx, []database.OutboxMessage{now})
	})
	return isLater, err
}

// maxWaitAttempts is how often a message is written that the service asks to repeat later.
const maxWaitAttempts = 4

// fail settles a row as not delivered, and with it the parts of its event that have not left yet: half a message is of no use to anybody. Its sender is told once,
// however many of its parts are refused.
func (o *outbox) fail(ctx context.Context, row database.OutboxMessage, sentence string) error {
	var changed int64
	err := o.cl.c.db.Write(ctx, func(ctx context.Context) error {
		parts, err := o.cl.c.db.Outbox.ByEvent(ctx, row.EventID)
		if err != nil {
			return err
		}
		ends := []int64{row.Seq}
		for _, part := range parts {
			if part.State == database.OutboxQueued && part.Seq != row.Seq {
				ends = append(ends, part.Seq)
			}
		}
		if changed, err = o.cl.c.db.Outbox.Fail(ctx, sentence, ends...); err != nil {
			return err
		}
		return o.cl.c.db.ChatLog.Delete(ctx, row.LoginID, row.ChatID, row.StanzaID)
	})
	if err == nil && changed > 0 {
		o.cl.c.notDelivered(1, resultRefused)
	}
	return err
}

// refusedText says why the service did not take a message.
func refusedText(err stanza.Error) string {
	switch err.Condition {
	case stanza.Forbidden, stanza.NotAuthorized, stanza.SubscriptionRequired, stanza.RegistrationRequired:
		return "this person is not among your " + service + " contacts. Invite them with the command `start-chat`, and write again when they have accepted."
	case stanza.ItemNotFound, stanza.JIDMalformed, stanza.Gone, stanza.RemoteServerNotFound:
		return service + " does not know this person any more."
	case stanza.ServiceUnavailable, stanza.RecipientUnavailable:
		return service + " could not deliver it to this person. Please try again later."
	case stanza.NotAcceptable, stanza.PolicyViolation, stanza.NotAllowed, stanza.BadRequest, stanza.FeatureNotImplemented:
		return service + " does not accept this message. Please write it differently."
	}
	text := service + " refused it"
	for _, t := range err.Text {
		if t = strings.TrimSpace(t); t != "" {
			return text + " and said: “" + clip(t, 200) + "”. Please try again later."
		}
	}
	return text + ". Please try again later."
}
