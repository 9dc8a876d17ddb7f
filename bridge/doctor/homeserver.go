package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/appservice"
	"maunium.net/go/mautrix/bridgev2/matrix"
	"maunium.net/go/mautrix/id"

	"matrix-messenger/bridge/config"
)

// client talks to the homeserver as the bridge does.
func (d *doctor) client() (*mautrix.Client, error) {
	cfg := d.setup.framework
	bot := id.NewUserID(cfg.AppService.Bot.Username, cfg.Homeserver.Domain)
	client, err := mautrix.NewClient(cfg.Homeserver.Address, bot, cfg.AppService.ASToken)
	if err != nil {
		return nil, err
	}
	client.Client = &http.Client{Timeout: 20 * time.Second, Transport: clockWatch{d}}
	client.SetAppServiceUserID = true
	return client, nil
}

// clockWatch notes what time the homeserver thinks it is.
type clockWatch struct{ d *doctor }

func (w clockWatch) RoundTrip(r *http.Request) (*http.Response, error) {
	before := time.Now()
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err == nil {
		if stamp, parseErr := http.ParseTime(resp.Header.Get("Date")); parseErr == nil {
			w.d.skew, w.d.skewKnown = stamp.Sub(before.Add(time.Since(before)/2)), true
		}
	}
	return resp, err
}

func (d *doctor) homeserver(ctx context.Context) {
	const check = "homeserver"
	address := d.setup.framework.Homeserver.Address
	client, err := d.client()
	if err != nil {
		d.fail(check, fmt.Sprintf("homeserver.address %q is not an address: %v.", address, err), "Correct it.")
		return
	}
	// Whether the token is good is the next check's question; some homeservers answer nothing to a wrong one.
	client.AccessToken, client.SetAppServiceUserID = "", false
	versions, err := client.Versions(ctx)
	if err != nil {
		d.fail(check, fmt.Sprintf("The homeserver does not answer at %s: %v.", address, err),
			"Check that it runs, and that homeserver.address is its address as seen from here.")
		return
	}
	d.homeserverUp = true
	if !versions.ContainsGreaterOrEqual(matrix.MinSpecVersion) {
		d.warn(check, fmt.Sprintf("The homeserver answers, but knows only Matrix %s; the bridge asks for %s.", versions.GetLatest(), matrix.MinSpecVersion),
			"Start the bridge with --ignore-unsupported-server (needed for Dendrite), or update the homeserver.")
		return
	}
	d.ok(check, "The homeserver answers at %s and knows Matrix %s.", address, versions.GetLatest())
}

// unregistered is what Synapse and Dendrite say of an appservice's user who does not exist yet.
const unregistered = "has not registered this user"

// registration finds out whether the homeserver knows the bridge.
func (d *doctor) registration(ctx context.Context) {
	const check = "registration"
	if !d.homeserverUp {
		d.skip(check, "The homeserver does not answer, so it cannot be asked.")
		return
	}
	if !d.registrationFile() {
		return
	}
	client, err := d.client()
	if err != nil {
		d.fail(check, config.Sentence(err), "")
		return
	}
	who, err := client.Whoami(ctx)
	switch {
	case errors.Is(err, mautrix.MUnknownToken):
		d.fail(check, "The homeserver does not know the bridge's as_token.",
			"Install the registration file in the homeserver (app_service_config_files in Synapse, app_service_api.config_files in Dendrite) and restart the homeserver.")
		return
	case errors.Is(err, mautrix.MForbidden) && strings.Contains(err.Error(), unregistered):
		// The bot is made at the first start. Until then the homeserver is asked as the appservice itself.
		client.SetAppServiceUserID = false
	case err != nil:
		d.fail(check, fmt.Sprintf("The homeserver does not accept the bridge's bot: %v.", err),
			"Check that appservice.bot.username and username_template match the registration file.")
		return
	case who.UserID != client.UserID:
		d.fail(check, fmt.Sprintf("The homeserver takes the bridge for %s, not for %s.", who.UserID, client.UserID), "Check homeserver.domain and appservice.bot.username.")
		return
	}
	d.wayBack(ctx, client)
}

// registrationFile compares the file, if there is one, with the configuration.
func (d *doctor) registrationFile() bool {
	const check = "registration"
	raw, err := os.ReadFile(d.opts.Registration)
	if err != nil {
		return true // the homeserver has its own copy; only that one counts
	}
	var file appservice.Registration
	if err = yaml.Unmarshal(raw, &file); err != nil {
		d.fail(check, fmt.Sprintf("%s is not valid YAML: %v.", d.opts.Registration, err), "Write it anew with -g.")
		return false
	}
	cfg := d.setup.framework.AppService
	for _, same := range []struct{ key, file, config string }{
		{"as_token", file.AppToken, cfg.ASToken}, {"hs_token", file.ServerToken, cfg.HSToken}, {"id", file.ID, cfg.ID}, {"url", file.URL, cfg.Address},
	} {
		if same.file != same.config {
			d.fail(check, fmt.Sprintf("%s of %s differs from the configuration.", same.key, d.opts.Registration),
				"Write the registration anew with -g, install it in the homeserver and restart that.")
			return false
		}
	}
	bot := id.NewUserID(cfg.Bot.Username, d.setup.framework.Homeserver.Domain)
	for _, namespace := range file.Namespaces.UserIDs {
		if regex, err := regexp.Compile(namespace.Regex); err == nil && regex.MatchString(bot.String()) {
			return true
		}
	}
	d.fail(check, fmt.Sprintf("%s has no place for the bridge's bot, %s.", d.opts.Registration, bot),
		"Write the registration anew with -g, install it in the homeserver and restart that.")
	return false
}

// wayBack asks the homeserver to reach the bridge (MSC2659). When no bridge runs, we answer in its place.
func (d *doctor) wayBack(ctx context.Context, client *mautrix.Client) {
	const check = "registration"
	stop, running := d.answerInPlace()
	defer stop()
	_, err := client.AppservicePing(ctx, d.setup.framework.AppService.ID, "doctor")
	var answer mautrix.HTTPError
	switch {
	case err == nil:
		d.ok(check, "The homeserver knows the bridge, and reaches it at %s.", d.setup.framework.AppService.Address)
	case errors.Is(err, mautrix.MUnrecognized), errors.As(err, &answer) && answer.Response != nil && answer.Response.StatusCode == http.StatusNotFound:
		d.ok(check, "The homeserver knows the bridge. Whether it reaches the bridge cannot be asked of this homeserver.")
	case errors.As(err, &answer) && answer.RespError != nil && answer.RespError.ErrCode == "M_CONNECTION_FAILED" && !running:
		d.fail(check, fmt.Sprintf("The homeserver knows the bridge, but cannot reach %s.", d.setup.framework.AppService.Address),
			"Set appservice.address to an address of the bridge as seen from the homeserver, write the registration anew with -g and restart the homeserver.")
	default:
		d.fail(check, fmt.Sprintf("The homeserver knows the bridge, but its way back fails: %v.", err),
			"Check appservice.address, appservice.hostname and appservice.port, and that hs_token is the same in the homeserver's copy of the registration.")
	}
}

// answerInPlace listens where the bridge would, unless it runs already.
func (d *doctor) answerInPlace() (stop func(), running bool) {
	cfg := d.setup.framework.AppService
	listener, err := net.Listen("tcp", net.JoinHostPort(cfg.Hostname, strconv.Itoa(int(cfg.Port))))
	if err != nil {
		return func() {}, true
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /_matrix/app/v1/ping", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+cfg.HSToken {
			mautrix.MUnknownToken.WithMessage("Invalid access token").Write(w)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte("{}"))
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener)
	}()
	return func() {
		_ = server.Close()
		<-done
	}, false
}

// skewTolerance is how far clocks may be apart before invitations, tokens and time stamps start to look odd.
const skewTolerance = time.Minute

func (d *doctor) clock(context.Context) {
	const check = "clock"
	switch {
	case !d.skewKnown:
		d.skip(check, "Nobody answered who could tell the time.")
	case d.skew.Abs() > skewTolerance:
		d.warn(check, fmt.Sprintf("This machine's clock and the homeserver's differ by %s.", d.skew.Abs().Round(time.Second)), "Let both set their clocks by the network (NTP).")
	default:
		d.ok(check, "This machine's clock agrees with the homeserver's.")
	}
}
