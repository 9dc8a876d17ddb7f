package oauth_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"matrix-messenger/oauth"
)

func TestASignInEndsAfterTenMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, a, _ := begin(t)
		start := time.Now()
		if _, err := c.ParsePasted(a, "code"); err != nil {
			t.Error(err)
		}
		_, err := a.Wait(t.Context())
		if oauth.ClassOf(err) != oauth.StartAgain || time.Since(start) != 10*time.Minute {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
		if _, err = c.ParsePasted(a, "code"); oauth.ClassOf(err) != oauth.StartAgain {
			t.Errorf("pasting afterwards: %v", err)
		}
		if _, err = c.Exchange(t.Context(), a, "code"); oauth.ClassOf(err) != oauth.StartAgain {
			t.Errorf("exchanging afterwards: %v", err)
		}
	})
}

func TestWaitingEndsWithItsContextOrTheAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, a, _ := begin(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := a.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error is %v", err)
		}
		go func() {
			time.Sleep(time.Second)
			a.Cancel()
			a.Cancel()
		}()
		if _, err := a.Wait(t.Context()); oauth.ClassOf(err) != oauth.StartAgain {
			t.Errorf("error is %v", err)
		}
	})
}

func TestSignInsAreBoundedPerUserAndInAll(t *testing.T) {
	c, err := oauth.NewClient(goodConfig())
	if err != nil {
		t.Fatal(err)
	}
	alive := func(a *oauth.Attempt) bool {
		_, err := c.ParsePasted(a, "code")
		return err == nil
	}
	_, other := c.Begin("@mary:example.org")
	var mine []*oauth.Attempt
	for range 6 {
		_, a := c.Begin(owner)
		mine = append(mine, a)
	}
	if alive(mine[0]) || !alive(mine[1]) || !alive(mine[5]) || !alive(other) {
		t.Error("six sign-ins of one user should leave the newest five, and others' alone")
	}
	for i := range 9_994 {
		c.Begin(fmt.Sprintf("@user%d:example.org", i))
	}
	if !alive(other) {
		t.Error("a sign-in ended although there are only 10,000")
	}
	c.Begin("@one-more:example.org")
	if alive(other) || !alive(mine[5]) {
		t.Error("one sign-in too many should end just the oldest")
	}
}
