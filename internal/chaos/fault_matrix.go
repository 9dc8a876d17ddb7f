package chaos

import (
	"context"
	"errors"
	"sync"
	"time"

	"maunium.net/go/mautrix/event"

	"matrix-messenger/internal/homeserver"
)

// isSend picks what makes events.
func isSend(r homeserver.Request) bool { return r.Endpoint == "send" }

func homeserverAway(_ context.Context, w *World) error {
	w.s.HomeserverGoesDown()
	w.pause(700 * time.Millisecond)
	w.s.HomeserverComesBack()
	return nil
}

func killWithoutHomeserver(ctx context.Context, w *World) error {
	w.s.HomeserverGoesDown()
	w.pause(300 * time.Millisecond)
	w.killNow(ctx)
	w.s.LaunchBridge()
	w.pause(time.Second)
	if w.rand.IntN(2) == 0 {
		w.s.HS.ForgetTransactions()
	}
	w.s.HomeserverComesBack()
	w.s.BridgeIsReady()
	return nil
}

// homeserverRefuses answers some requests with a passing error.
func homeserverRefuses(ctx context.Context, w *World) error {
	answers := []struct {
		status int
		body   string
	}{
		{500, `{"errcode":"M_UNKNOWN","error":"scripted"}`},
		{502, `bad gateway`},
		{503, `{"errcode":"M_UNKNOWN","error":"scripted"}`},
		{429, `{"errcode":"M_LIMIT_EXCEEDED","error":"scripted","retry_after_ms":50}`},
	}
	answer := answers[w.rand.IntN(len(answers))]
	match := isSend
	if w.rand.IntN(3) == 0 {
		match = nil
	}
	trouble := w.s.HS.Fail(match, answer.status, answer.body, 1+w.rand.IntN(6))
	waitTrouble(ctx, w, trouble)
	return nil
}

// homeserverLosesAnswers lets sends take effect without the bridge learning of it.
func homeserverLosesAnswers(ctx context.Context, w *World) error {
	trouble := &homeserver.Fault{Match: isSend, After: true, Status: 502, Times: 1 + w.rand.IntN(5)}
	switch w.rand.IntN(3) {
	case 0:
		trouble.Cut = true
	case 1:
		trouble.Delay = 50 * time.Millisecond
	}
	waitTrouble(ctx, w, w.s.HS.Inject(trouble))
	return nil
}

// waitTrouble takes a fault away after it was met, or when nobody meets it.
func waitTrouble(ctx context.Context, w *World, trouble *homeserver.Fault) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(500+w.rand.IntN(1500))*time.Millisecond)
	defer cancel()
	_ = trouble.WaitHits(ctx, trouble.Times) // met or not, it ends here
	trouble.Remove()
}

func killWithLostAnswers(ctx context.Context, w *World) error {
	trouble := w.s.HS.Inject(&homeserver.Fault{Match: isSend, After: true, Cut: true, Times: 1 + w.rand.IntN(5)})
	waiting, cancel := context.WithTimeout(ctx, time.Second)
	_ = trouble.WaitHits(waiting, 1)
	cancel()
	w.killNow(ctx)
	trouble.Remove()
	if w.rand.IntN(2) == 0 {
		w.s.HS.ForgetTransactions()
	}
	w.s.StartBridge()
	return nil
}

// killWithLateEffects makes the homeserver slow, and lets it go on with what the bridge was killed over: when the next run looks for a message in its room, it may not be there yet.
func killWithLateEffects(ctx context.Context, w *World) error {
	trouble := w.s.HS.Inject(&homeserver.Fault{
		Match: func(r homeserver.Request) bool { return isSend(r) && r.EventType == event.EventMessage.Type },
		Delay: time.Duration(300+w.rand.IntN(2700)) * time.Millisecond, Anyway: true, Times: 1 + w.rand.IntN(4),
	})
	waiting, cancel := context.WithTimeout(ctx, time.Second)
	_ = trouble.WaitHits(waiting, 1)
	cancel()
	w.pause(50 * time.Millisecond)
	w.killNow(ctx)
	trouble.Remove()
	w.s.StartBridge()
	return nil
}

// killWithForgottenEffects makes the homeserver work off a moment later what the bridge was killed over, without its transactions, as Dendrite does after its own death. That is
// over within two seconds: of what takes longer nobody could tell whether it will still come.
func killWithForgottenEffects(ctx context.Context, w *World) error {
	trouble := w.s.HS.Inject(&homeserver.Fault{
		Match: func(r homeserver.Request) bool { return isSend(r) && r.EventType == event.EventMessage.Type },
		Delay: time.Duration(500+w.rand.IntN(1200)) * time.Millisecond, Anyway: true, Unremembered: true, Times: 1 + w.rand.IntN(4),
	})
	waiting, cancel := context.WithTimeout(ctx, time.Second)
	_ = trouble.WaitHits(waiting, 1)
	cancel()
	w.pause(50 * time.Millisecond)
	w.killNow(ctx)
	trouble.Remove()
	w.s.StartBridge()
	return nil
}

// repeatTransactions delivers transactions again that the bridge has answered: some twice, at once, and so in any order among new ones.
func repeatTransactions(ctx context.Context, w *World) error {
	var repeats sync.WaitGroup
	for range 2 {
		n := 1 + w.rand.IntN(20)
		repeats.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
			defer cancel()
			_, _ = w.s.Appservice.Repeat(ctx, n) // a bridge that is just busy gives no answer, and need not
		})
	}
	repeats.Wait()
	return nil
}

func fillDisk(_ context.Context, w *World) error {
	if err := w.disk.fill(); err != nil {
		return errors.Join(err, w.disk.empty())
	}
	w.pause(1500 * time.Millisecond)
	return w.disk.empty()
}
