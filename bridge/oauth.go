package bridge

import (
	"fmt"
	"net/http"
	"strings"

	"matrix-messenger/bridge/config"
	"matrix-messenger/oauth"
)

// startOAuth prepares the flow `oauth` when a client ID is configured.
func (c *Connector) startOAuth() error {
	if c.Config.OAuth.ClientID == "" {
		return nil
	}
	roots, err := c.Config.TLS.Roots()
	if err != nil {
		return err
	}
	settings := c.Config.OAuth.Client(roots)
	settings.Service = service
	if c.Config.OAuth.RedirectURL == config.RedirectCallback {
		public := strings.TrimRight(c.matrix.GetPublicAddress(), "/")
		if public == "" {
			return &config.KeyError{
				Path:    "network.oauth.redirect_url",
				Problem: "is callback, but the bridge has no public address for the browser to come back to; set appservice.public_address, or use the service's own desktop address",
			}
		}
		settings.RedirectURL = public + oauth.CallbackPath
	}
	client, err := oauth.NewClient(settings)
	if err != nil {
		return fmt.Errorf("network.oauth.%w", err)
	}
	if c.Config.OAuth.RedirectURL == config.RedirectCallback {
		handler := client.Callback(c.log)
		c.callback.Store(&handler)
	}
	c.oauth = client
	return nil
}

// checkPublicMedia refuses public media without an address to serve them at, as the framework would later.
func (c *Connector) checkPublicMedia() error {
	if !c.matrix.Config.PublicMedia.Enabled || c.matrix.GetPublicAddress() != "" {
		return nil
	}
	return &config.KeyError{
		Path:    "public_media.enabled",
		Problem: "is true, but the bridge has no public address at which contacts could open files; set appservice.public_address",
	}
}

// serveCallback routes the browser's way back. The framework's router takes no further routes once it serves, and the
// settings are not checked before that, so the route is there from the beginning and answers as soon as there is
// somebody to answer.
func (c *Connector) serveCallback(router *http.ServeMux) {
	router.HandleFunc("GET "+oauth.CallbackPath, func(w http.ResponseWriter, r *http.Request) {
		if handler := c.callback.Load(); handler != nil {
			(*handler).ServeHTTP(w, r)
			return
		}
		http.NotFound(w, r)
	})
}
