package bridge

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix/bridgev2/matrix/mxmain"

	"matrix-messenger/bridge/config"
	"matrix-messenger/database"
	"matrix-messenger/matrixside/inbox"
	"matrix-messenger/matrixside/stablesend"
	"matrix-messenger/oauth"
)

// Version is the release the program was built from.
const Version = "0.1.0"

// Commit is the revision the program was built from, when the build says it (with -ldflags -X).
var Commit string

// Main is the program: the framework's main with the parts of ours that have to be in place before it starts.
type Main struct {
	*mxmain.BridgeMain
	Connector *Connector

	phase phase
}

// NewMain assembles the program. Nothing is read or opened before its Run (or PreInit, Init and Start) is called.
func NewMain() *Main {
	c := &Connector{metrics: newMetrics()}
	m := &Main{Connector: c, BridgeMain: &mxmain.BridgeMain{
		Name:        "matrix-messenger",
		Description: "A bridge that gives Matrix users their own session on the " + service + " XMPP service.",
		URL:         networkName.NetworkURL,
		Version:     Version,
		Connector:   c,
	}}
	c.wrongKeys = refuseWrongKeys
	m.PostInit = func() {
		if err := m.prepare(m.Log.WithContext(context.Background())); err != nil {
			m.Log.WithLevel(zerolog.FatalLevel).Err(err).Msg("The bridge cannot start")
			os.Exit(startStatus(err))
		}
	}
	m.PostStart = func() {
		if !m.phase.CompareAndSwap(phaseStarting, phaseRunning) {
			return // the program is ending
		}
		c.inbox.Ready()
		c.spawn(c.overseeQueues)
		c.spawn(c.tellSenders)
		c.spawn(c.notifySystemd)
		c.spawn(c.giveMemoryBack)
		c.spawn(c.forgetLeftChats)
		c.spawn(c.departLeft)
	}
	return m
}

// Exit statuses of our own; the framework's are below 40.
const (
	// ExitConfig is the status when a key of the network section does not exist.
	ExitConfig = 11
	// ExitStart is the status when the database cannot be used at the moment, or another process has it.
	ExitStart = 40
	// ExitTaken is the status when another process has taken the database while this one could not reach it.
	ExitTaken = 41
	// ExitSettings is the status when settings, or settings and database, do not fit each other: a restart mends nothing.
	ExitSettings = 42
)

// startStatus is the exit status of a start that failed.
func startStatus(err error) int {
	var key *config.KeyError
	var owner *database.NotOwnerError
	var oauthKey *oauth.ConfigError
	switch {
	case errors.As(err, &key), errors.As(err, &owner), errors.As(err, &oauthKey),
		errors.Is(err, database.ErrWeakKey), errors.Is(err, database.ErrWrongKey), errors.Is(err, database.ErrTooNew):
		return ExitSettings
	}
	return ExitStart
}

// refuseWrongKeys ends the program. It is called while the framework rewrites the configuration file, which would drop what it does not know: there
// is no other moment to stop it, and no error to return.
func refuseWrongKeys(problems []*config.KeyError) {
	for _, p := range problems {
		_, _ = fmt.Fprintln(os.Stderr, "Configuration error:", p)
	}
	os.Exit(ExitConfig)
}

// prepare runs when everything exists and nothing has started: Matrix events can come in before the network's Start, so the tables they
// are stored in have to be there.
func (m *Main) prepare(ctx context.Context) error {
	c := m.Connector
	if c.SecretGenerated() && !m.SaveConfig {
		return &config.KeyError{
			Path:    "network.secret_key",
			Problem: "must be set when the configuration file is not updated (--no-update): a key made now would be lost at the end, and with it everybody's sign-in. Make one with: openssl rand -hex 32",
		}
	}
	sealer, err := database.NewSealer(c.Config.SecretKey, c.Config.PreviousSecretKeys)
	if err != nil {
		return fmt.Errorf("network.secret_key: %w", err)
	}
	c.sealer = sealer
	c.matrix = m.Matrix
	if err = c.checkPublicMedia(); err == nil {
		err = c.startOAuth()
	}
	if err != nil {
		return err
	}
	if err = m.claimDatabase(ctx); err != nil {
		return err
	}
	c.db = database.New(m.DB, c.log)
	if err = c.db.Upgrade(ctx); err != nil {
		return fmt.Errorf("database: %w", err)
	}
	if err = m.checkOwner(ctx); err != nil {
		return err
	}
	if err = c.db.CheckKey(ctx, sealer); err != nil {
		return fmt.Errorf("network.secret_key: %w", err)
	}
	c.db.Outbox.ReportConfirmed = c.reportsStates()
	m.Bridge.Commands = newCommandGuard(m.Bridge)
	m.Bridge.Matrix = &statusGate{m.Matrix, c}
	stablesend.Install(m.Matrix.AS)
	c.inbox = inbox.New(inbox.Config{
		Connector:    m.Matrix,
		DB:           c.db,
		Log:          c.log,
		MaxPending:   c.Config.Limits.MatrixInbox,
		OnUnreadable: c.tellUnreadable,
		OnPoisoned:   c.tellPoisoned,
		OnPresence:   c.matrixPresence,
	})
	c.inbox.Install()
	c.handleMisuse()
	c.serveCallback(m.Matrix.AS.Router)
	m.serveReady()
	if err = c.findLeftover(ctx); err != nil {
		return fmt.Errorf("database: %w", err)
	}
	c.metrics.observe(c)
	return c.inbox.Start(c.ctx)
}

// SecretGenerated tells, once the configuration was loaded, that nobody has set a secret key, in the file or in the
// environment, so that one was made which is nowhere else.
func (c *Connector) SecretGenerated() bool {
	return c.generated != "" && c.Config.SecretKey == c.generated
}
