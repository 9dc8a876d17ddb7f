package chaos

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"time"

	"matrix-messenger/messengerd"
)

// fault is one kind of trouble. Its strike begins and ends it: afterwards everything works again, though the bridge may still have to find out.
type fault struct {
	name string
	// reconnects tells that the bridge has to connect again. Its waits between attempts double with each, so no more than a few of these come between two starts.
	reconnects bool
	// restarts tells that the bridge is started anew, with the waits at their beginning.
	restarts bool
	strike   func(ctx context.Context, w *World) error
}

// faults are all kinds that a round of either kind survives without a loss while the windows hold.
func faults() []fault {
	return []fault{
		{name: "the bridge is killed", restarts: true, strike: func(ctx context.Context, w *World) error { return w.kill(ctx, 0) }},
		{name: "the bridge is killed and stays away for a while", restarts: true, strike: func(ctx context.Context, w *World) error {
			return w.kill(ctx, int64(1+w.rand.IntN(9*len(w.chats))))
		}},
		{name: "the bridge is killed, and again while it starts", restarts: true, strike: killTwice},
		{name: "the bridge is stopped and started", restarts: true, strike: stopAndStart},
		{name: "the bridge is killed while the homeserver is away", restarts: true, strike: killWithoutHomeserver},
		{name: "the bridge is killed with answers of the homeserver lost", restarts: true, strike: killWithLostAnswers},
		{name: "the bridge is killed, and what the homeserver had from it takes effect late", restarts: true, strike: killWithLateEffects},
		{name: "the bridge is killed with the connection half dead", restarts: true, strike: killWithLostRecords},
		{name: "the bridge is killed with the connection half dead, and the service is slow afterwards", restarts: true, strike: killIntoSlowService},
		{name: "the connection breaks", reconnects: true, strike: breakLine},
		{name: "the connection is dead for a moment, then breaks", reconnects: true, strike: loseLine},
		{name: "the next sign-in breaks, too", reconnects: true, strike: breakSignIn},
		{name: "the service restarts", reconnects: true, strike: func(_ context.Context, w *World) error {
			w.restartService(w.rand.IntN(2) == 0, time.Duration(w.rand.IntN(300))*time.Millisecond)
			return nil
		}},
		{name: "the service ends the stream with an error", reconnects: true, strike: streamError},
		{name: "the service sends the session elsewhere", reconnects: true, strike: redirect},
		{name: "the service is slow and pings stay without answer", strike: slowService},
		{name: "the homeserver is away", strike: homeserverAway},
		{name: "the homeserver restarts and forgets", strike: func(_ context.Context, w *World) error { return w.s.HS.Restart() }},
		{name: "the homeserver refuses for a while", strike: homeserverRefuses},
		{name: "answers of the homeserver are lost", strike: homeserverLosesAnswers},
		{name: "answers of the homeserver are lost, and it forgets", strike: func(ctx context.Context, w *World) error {
			return errors.Join(homeserverLosesAnswers(ctx, w), w.s.HS.Restart())
		}},
		{name: "the homeserver repeats transactions", strike: repeatTransactions},
		{name: "the bridge is killed, and the homeserver stores soon what it had from it and forgets who sent it", restarts: true, strike: killWithForgottenEffects},
		{name: "the disk is full", strike: fillDisk},
	}
}

// maxReconnects is how many faults in a row may make the bridge connect again.
const maxReconnects = 2

// faultsWith names the word that the names of faults must have; empty: all take part. It is for looking into one kind of trouble.
const faultsWith = "CHAOS_FAULTS"

// schedule draws the faults of a round. The first ones of a long run take turns, so that every kind comes.
func schedule(random *rand.Rand, n int, hasDisk bool) []fault {
	all := faults()
	if !hasDisk {
		all = all[:len(all)-1]
	}
	if word := os.Getenv(faultsWith); word != "" {
		all = slices.DeleteFunc(all, func(f fault) bool { return !strings.Contains(f.name, word) })
	}
	if len(all) == 0 {
		return nil
	}
	list, reconnects := make([]fault, 0, n), 0
	canRestart := slices.ContainsFunc(all, func(f fault) bool { return f.restarts })
	for len(list) < n {
		next := all[random.IntN(len(all))]
		if next.reconnects {
			if reconnects == maxReconnects && canRestart {
				continue
			}
			reconnects++
		}
		if next.restarts {
			reconnects = 0
		}
		list = append(list, next)
	}
	return list
}

// kill ends the bridge as kill -9 does, lets people go on for some messages, and starts it.
func (w *World) kill(ctx context.Context, messages int64) error {
	w.killNow(ctx)
	if messages > 0 {
		w.waitSaid(ctx, w.sent.Load()+messages, 100*time.Millisecond)
	}
	w.s.StartBridge()
	return nil
}

func (w *World) killNow(ctx context.Context) {
	w.metrics.look(ctx)
	w.s.KillBridge()
	w.metrics.ended()
}

func killTwice(ctx context.Context, w *World) error {
	w.killNow(ctx)
	w.s.LaunchBridge()
	w.pause(2500 * time.Millisecond)
	return w.kill(ctx, 0)
}

func stopAndStart(ctx context.Context, w *World) error {
	w.metrics.look(ctx)
	w.s.StopBridge()
	w.metrics.ended()
	w.waitSaid(ctx, w.sent.Load()+int64(w.rand.IntN(9*len(w.chats))), 100*time.Millisecond)
	w.s.StartBridge()
	return nil
}

func breakLine(_ context.Context, w *World) error {
	w.line.BreakNow(Break{From: side(w.rand.IntN(2)), Records: w.rand.IntN(12), Part: w.rand.Float64()})
	w.waitBreak()
	return nil
}

func loseLine(_ context.Context, w *World) error {
	w.line.BreakNow(w.loss())
	w.waitBreak()
	return nil
}

// loss is a connection that seems to live after one side's, or both sides', words do not get through any more.
func (w *World) loss() Break {
	lose := [][2]bool{{true, false}, {false, true}, {true, true}}[w.rand.IntN(3)]
	return Break{
		From: side(w.rand.IntN(2)), Records: w.rand.IntN(12), Part: w.rand.Float64(),
		Lose: lose, Hold: time.Duration(50+w.rand.IntN(600)) * time.Millisecond,
	}
}

// signInRecords is more than a sign-in takes in one direction, TLS and roster and archives included.
const signInRecords = 40

// breakSignIn breaks the connection at any step of the next sign-in, or soon after it.
func breakSignIn(_ context.Context, w *World) error {
	b := Break{From: side(w.rand.IntN(2)), Records: w.rand.IntN(signInRecords), Part: w.rand.Float64()}
	if w.rand.IntN(2) == 0 {
		b.Lose, b.Hold = [2]bool{true, true}, 200*time.Millisecond
	}
	w.line.BreakNext(b)
	w.line.Cut()
	w.waitBreak()
	return nil
}

// waitBreak gives an armed break some time to come to pass, and then takes it back.
func (w *World) waitBreak() {
	met := w.line.Met()
	for range 30 {
		if w.line.Met() > met {
			w.pause(700 * time.Millisecond)
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	w.line.Heal()
}

func killWithLostRecords(ctx context.Context, w *World) error {
	b := w.loss()
	b.Hold = time.Minute
	w.line.BreakNow(b)
	w.pause(500 * time.Millisecond)
	err := w.kill(ctx, int64(w.rand.IntN(2*len(w.chats))))
	w.line.Heal()
	return err
}

// killIntoSlowService makes what was missed be known later than what comes new: the answer with the archive takes its time.
// So little is said while the connection is dead that everybody may say more afterwards.
func killIntoSlowService(ctx context.Context, w *World) (err error) {
	slow := func(delay time.Duration) {
		w.service(func(s *messengerd.Server) {
			err = errors.Join(err, s.SetSwitches(func(sw *messengerd.Switches) { sw.Faults.Delay = delay }))
		})
	}
	allowed := w.restrain(int64(2 * len(w.chats)))
	b := w.loss()
	b.Hold = time.Minute
	w.line.BreakNow(b)
	w.pause(500 * time.Millisecond)
	w.killNow(ctx)
	w.line.Heal()
	time.Sleep(100 * time.Millisecond) // what the service still holds of the old connection must not be slow: it would come after the archive was read
	slow(time.Duration(30+w.rand.IntN(90)) * time.Millisecond)
	w.allow(allowed)
	w.s.StartBridge()
	w.pause(2 * time.Second)
	slow(0)
	return err
}

func streamError(_ context.Context, w *World) (err error) {
	conditions := []string{"internal-server-error", "system-shutdown", "connection-timeout", "undefined-condition", "reset"}
	w.service(func(s *messengerd.Server) {
		err = s.StreamError(userMail, conditions[w.rand.IntN(len(conditions))], "chaos")
	})
	return err
}

// redirect sends the session elsewhere, which is the line again, at once or at a later sign-in.
func redirect(_ context.Context, w *World) (err error) {
	w.service(func(s *messengerd.Server) {
		if w.rand.IntN(2) == 0 {
			s.RedirectSessions(userMail, w.line.Addr())
			return
		}
		stages := []string{"after_tls", "during_sasl", "after_sasl", "at_bind", "signed_in"}
		err = s.SetSwitches(func(sw *messengerd.Switches) {
			sw.RedirectStage = stages[w.rand.IntN(len(stages))]
			sw.RedirectTarget = messengerd.RedirectTarget{Form: "literal", Text: w.line.Addr(), Via: "self", Chain: 1}
		})
		s.CutSessions(userMail)
	})
	w.pause(3 * time.Second)
	w.service(func(s *messengerd.Server) {
		err = errors.Join(err, s.SetSwitches(func(sw *messengerd.Switches) { sw.RedirectStage = "none" }))
	})
	return err
}

func slowService(_ context.Context, w *World) (err error) {
	w.service(func(s *messengerd.Server) {
		err = s.SetSwitches(func(sw *messengerd.Switches) {
			sw.Ping = "silence"
			sw.Faults.Delay = time.Duration(w.rand.IntN(40)) * time.Millisecond
		})
	})
	w.pause(time.Second)
	w.service(func(s *messengerd.Server) {
		err = errors.Join(err, s.SetSwitches(func(sw *messengerd.Switches) { sw.Ping, sw.Faults.Delay = "service-unavailable", 0 }))
		s.CutSessions(userMail) // a barrier that got no answer would keep the session waiting for long
	})
	return err
}
