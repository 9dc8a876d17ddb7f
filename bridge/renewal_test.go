package bridge

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"matrix-messenger/oauth"
)

// tokenAddress answers like the service's token address, with tokens that live for an hour.
type tokenAddress struct{ asked atomic.Int64 }

func (a *tokenAddress) RoundTrip(req *http.Request) (*http.Response, error) {
	n := a.asked.Add(1)
	body := fmt.Sprintf(`{"access_token":"access-%d","refresh_token":"refresh-%d","token_type":"bearer","expires_in":3600}`, n, n)
	return &http.Response{
		StatusCode: http.StatusOK, Status: "200 OK", Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(body)), Request: req,
	}, nil
}

func TestATokenIsRenewedAheadOfItsEndUntilTheAccountEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		address := &tokenAddress{}
		client, err := oauth.NewClient(oauth.Config{
			ClientID: "1", AuthorizeURL: "https://login.example/a", TokenURL: "https://login.example/t", RedirectURL: "https://login.example/r",
			Scopes: []string{"wl.messenger"}, HTTPClient: &http.Client{Transport: address},
		})
		if err != nil {
			t.Fatal(err)
		}
		var stored atomic.Int64
		keeper, err := oauth.NewKeeper(client, oauth.Tokens{Access: "access", Refresh: "refresh", Expires: time.Now().Add(time.Hour)}, oauth.KeeperOptions{
			Store: func(context.Context, oauth.Tokens) error { stored.Add(1); return nil }, Jitter: func() time.Duration { return 0 },
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		stop := (&Client{log: zerolog.Nop()}).renewAhead(ctx, keeper)
		for _, step := range []struct {
			wait time.Duration
			want int64
		}{{54 * time.Minute, 0}, {2 * time.Minute, 1}, {50 * time.Minute, 1}, {5 * time.Minute, 2}} {
			time.Sleep(step.wait)
			synctest.Wait()
			if got := stored.Load(); got != step.want {
				t.Fatalf("renewed %d times instead of %d", got, step.want)
			}
		}
		cancel()
		stop()
		time.Sleep(3 * time.Hour)
		if got := address.asked.Load(); got != 2 {
			t.Errorf("renewed %d times after the end", got-2)
		}
	})
}
