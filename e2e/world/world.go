package world

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"

	"matrix-messenger/e2e/bridge"
	"matrix-messenger/e2e/homeserver"
	"matrix-messenger/e2e/matrix"
	"matrix-messenger/e2e/process"
	"matrix-messenger/messengerd"
	"matrix-messenger/messengerd/oauthserver/browsertest"

	"maunium.net/go/mautrix/id"
)

// Names of the world's people and places.
const (
	ServerName = "home.test"
	Domain     = "messenger.live.com"
	User       = "john" // the Matrix user's localpart
	UserMail   = "john@contoso.com"
	Password   = "messenger-demo" // of both accounts

	clientID = "e2e" // the bridge's name at the service's sign-in pages
)

// Bot is the bridge's bot.
var Bot = id.NewUserID("messengerbot", ServerName)

// World is the whole of it.
type World struct {
	Home    homeserver.Server
	Service *messengerd.Server
	Bridge  *bridge.Bridge
	John    *matrix.Client // the Matrix user
	Chat    *matrix.Room   // John's room with the bot, after TalkToBot

	removeHome func() error // nil: it leaves nothing behind

	dir     string
	token   string // an access token that outlives a restart of the service
	config  messengerd.Config
	options []messengerd.Option
}

// Setup says how a world differs from the usual one.
type Setup struct {
	Dir string
	// HomeAddress is where the homeserver listens; empty: a free port.
	HomeAddress string
	// Service changes the service's configuration before it starts.
	Service func(*messengerd.Config)
	// Bridge holds values of the bridge's configuration by path.
	Bridge map[string]any
	// Log receives the service's log; nil: none.
	Log *slog.Logger
	// Progress gets a line for each step of a build; nil: silent.
	Progress func(string)
	// Client holds options of John's Matrix client.
	Client []matrix.Option
}

// New builds the programs, writes all configuration and starts everything but the bridge. What has been
// started is ended again when it fails.
func New(ctx context.Context, setup Setup) (w *World, err error) {
	w = &World{dir: setup.Dir, token: rand.Text()}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.Close())
		}
	}()
	program, err := bridge.Build(ctx, "matrix-messenger", setup.Progress)
	if err != nil {
		return w, err
	}
	var places [4]string
	for i := range places {
		if places[i], err = process.FreeAddress(); err != nil {
			return w, err
		}
	}
	homeAddress, bridgeAddress, serviceAddress, signInAddress := places[0], places[1], places[2], places[3]
	if setup.HomeAddress != "" {
		homeAddress = setup.HomeAddress
	}

	w.config = *messengerd.DefaultConfig()
	w.config.Listen = serviceAddress
	w.config.Domain = Domain
	w.config.State = filepath.Join(setup.Dir, "messengerd.state")
	w.config.Certificate.CAFile = w.CAFile()
	w.config.Tokens = []messengerd.TokenConfig{{Account: UserMail, Token: w.token}}
	w.config.OAuth = messengerd.OAuthConfig{
		Listen: signInAddress, ClientID: clientID,
		RedirectURLs: []string{"http://" + bridgeAddress + "/_messenger/oauth/callback"},
	}
	w.config.Accounts = []messengerd.AccountConfig{
		{Email: UserMail, Password: Password, Name: "John Contoso"},
		{
			Email: "mary@contoso.com", Name: "Mary Contoso", Contact: true,
			Contacts: []messengerd.ContactConfig{{Account: UserMail, Subscription: "both"}},
		},
	}
	if setup.Service != nil {
		setup.Service(&w.config)
	}
	if setup.Log != nil {
		w.options = append(w.options, messengerd.WithLogger(setup.Log))
	}
	if err = w.StartService(ctx); err != nil {
		return w, err
	}
	values := map[string]any{
		"appservice.public_address":   "http://" + bridgeAddress,
		"network.oauth.client_id":     clientID,
		"network.oauth.authorize_url": "http://" + signInAddress + "/oauth20_authorize.srf",
		"network.oauth.token_url":     "http://" + signInAddress + "/oauth20_token.srf",
		"network.oauth.redirect_url":  "callback",
	}
	maps.Copy(values, setup.Bridge)
	w.Bridge, err = bridge.New(ctx, program, bridge.Options{
		Dir: filepath.Join(setup.Dir, "bridge"), Homeserver: "http://" + homeAddress, ServerName: ServerName, Admin: User,
		Address: bridgeAddress, Service: serviceAddress, Domain: Domain, CAFile: w.CAFile(), Config: values,
	})
	if err != nil {
		return w, err
	}
	home, remove, err := NewHome(ctx, setup.Progress, homeserver.Options{
		Name: ServerName, Dir: setup.Dir, Address: homeAddress, Registrations: []string{w.Bridge.RegistrationFile()},
	})
	if err != nil {
		return w, err
	}
	w.Home, w.removeHome = home, remove
	if err = w.Home.Start(ctx); err != nil {
		return w, err
	}
	if err = w.Home.CreateUser(ctx, User, Password, "John"); err != nil {
		return w, err
	}
	w.John, err = matrix.Login(ctx, w.Home.URL(), User, Password, setup.Client...)
	return w, err
}

// CAFile is where the service writes the certificate of its authority.
func (w *World) CAFile() string { return filepath.Join(w.dir, "messenger-ca.pem") }

// Mary is the contact who is in John's contact list from the start.
func (w *World) Mary() *messengerd.Account { return w.Service.Account("mary@contoso.com") }

// StartService starts the service, again with the same state when it ran before.
func (w *World) StartService(ctx context.Context) error {
	config := w.config
	service, err := messengerd.New(&config, w.options...)
	if err != nil {
		return err
	}
	// The service must outlive the deadline of whoever starts it.
	if err := service.Start(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	w.Service = service
	return nil
}

// StopService ends the service in order.
func (w *World) StopService() error {
	service := w.Service
	w.Service = nil
	if service == nil {
		return nil
	}
	return service.Close()
}

// TalkToBot opens John's direct room with the bot.
func (w *World) TalkToBot(ctx context.Context) error {
	room, err := w.John.DirectChat(ctx, Bot)
	w.Chat = room
	return err
}

// Command says something to the bot and waits for an answer that contains text (case does not matter).
func (w *World) Command(ctx context.Context, command, text string) (matrix.Message, error) {
	seen := map[id.EventID]bool{}
	for _, message := range w.Chat.Messages() {
		seen[message.ID] = true
	}
	if _, err := w.Chat.Say(ctx, command); err != nil {
		return matrix.Message{}, err
	}
	return w.Chat.WaitMessage(ctx, fmt.Sprintf("an answer with %q to the command %q", text, firstWords(command)), func(m matrix.Message) bool {
		return m.Sender == Bot && !seen[m.ID] && strings.Contains(strings.ToLower(m.Body), strings.ToLower(text))
	})
}

// firstWords leaves out what may be a secret.
func firstWords(command string) string {
	words := strings.Fields(command)
	return strings.Join(words[:min(2, len(words))], " ")
}

// SignIn signs John in with a token, by talking to the bot.
func (w *World) SignIn(ctx context.Context) error {
	if err := w.AskForToken(ctx); err != nil {
		return err
	}
	_, err := w.Command(ctx, w.token, "logged in")
	return err
}

// AskForToken brings the bot to ask for an access token.
func (w *World) AskForToken(ctx context.Context) error {
	if w.Chat == nil {
		if err := w.TalkToBot(ctx); err != nil {
			return err
		}
	}
	_, err := w.Command(ctx, "login token", "access token")
	return err
}

var signInLink = regexp.MustCompile(`http://\S+/oauth20_authorize\.srf\?\S+`)

// SignInWithBrowser signs John in with his e-mail address and password: the bot gives a link, the page
// behind it is filled in, and the browser is sent back to the bridge.
func (w *World) SignInWithBrowser(ctx context.Context) error {
	if w.Chat == nil {
		if err := w.TalkToBot(ctx); err != nil {
			return err
		}
	}
	answer, err := w.Command(ctx, "login oauth", "oauth20_authorize")
	if err != nil {
		return err
	}
	link := signInLink.FindString(answer.Body)
	if link == "" {
		return fmt.Errorf("the bot gave no link: %s", answer.Body)
	}
	back, err := browsertest.Visitor{Email: UserMail, Password: Password}.Visit(ctx, link)
	if err != nil {
		return err
	}
	// The page is only answered when the bridge knows how the sign-in ended, and it says so in the chat, too.
	page, err := get(ctx, back)
	if err != nil {
		return err
	}
	if page.StatusCode != http.StatusOK {
		return fmt.Errorf("the browser came back and got %s", page.Status)
	}
	_, err = w.Chat.WaitMessage(ctx, "the bot's word that John is signed in", func(m matrix.Message) bool {
		return m.Sender == Bot && strings.Contains(m.Body, "logged in")
	})
	return err
}

func get(ctx context.Context, address string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	return answer, answer.Body.Close()
}

// Close ends everything. It may be called at any stage.
func (w *World) Close() error {
	var errs []error
	if w.John != nil {
		w.John.Close()
	}
	if w.Bridge != nil {
		errs = append(errs, w.Bridge.Stop())
	}
	if w.Home != nil {
		errs = append(errs, w.Home.Stop())
		if w.removeHome != nil {
			errs = append(errs, w.removeHome())
		}
	}
	return errors.Join(append(errs, w.StopService())...)
}

// Report shows the ends of the logs, for failures.
func (w *World) Report() string {
	var text strings.Builder
	if w.Bridge != nil {
		fmt.Fprintf(&text, "--- bridge\n%s\n", w.Bridge.Log(60))
	}
	if w.Home != nil {
		fmt.Fprintf(&text, "--- homeserver\n%s\n", w.Home.Log(20))
	}
	if w.Chat != nil {
		fmt.Fprintf(&text, "--- chat with the bot\n%s", w.Chat.Transcript())
	}
	return text.String()
}
