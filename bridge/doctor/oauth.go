package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"matrix-messenger/bridge/config"
)

// oauth asks both addresses whether somebody is there who can be trusted. Nothing secret is sent.
func (d *doctor) oauth(ctx context.Context) {
	const check = "oauth"
	settings := d.setup.network.OAuth
	if settings.ClientID == "" {
		d.skip(check, "No client ID is configured, so people sign in with an access token only.")
		return
	}
	if settings.RedirectURL == config.RedirectCallback && !hasPublicAddress(d.setup.framework) {
		d.fail(check, "network.oauth.redirect_url is callback, but the bridge has no public address.", "Set appservice.public_address.")
		return
	}
	roots, err := d.setup.network.TLS.Roots()
	if err != nil {
		d.fail(check, config.Sentence(err), "Correct network.tls.ca_file.")
		return
	}
	client := settings.Client(roots).HTTPClient
	client.Timeout = 20 * time.Second
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for _, address := range []struct{ key, url string }{
		{"authorize_url", settings.AuthorizeURL}, {"token_url", settings.TokenURL},
	} {
		if err := reach(ctx, client, address.url); err != nil {
			d.fail(check, fmt.Sprintf("network.oauth.%s does not answer: %v.", address.key, err),
				"Check the address, the network, and network.tls.ca_file if the service has a certificate of its own.")
			return
		}
	}
	d.ok(check, "The sign-in page and the token address answer.")
}

// reach makes one request. Any answer short of a server error is one: without parameters the addresses have to complain.
func reach(ctx context.Context, client *http.Client, address string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(request)
	if err != nil {
		var outer *url.Error
		if errors.As(err, &outer) {
			err = outer.Err
		}
		return errors.New(strings.TrimRight(err.Error(), "."))
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, 1<<16)
	if resp.StatusCode >= 500 {
		return fmt.Errorf("the answer was %s", resp.Status)
	}
	return nil
}
