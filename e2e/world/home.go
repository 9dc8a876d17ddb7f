package world

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"matrix-messenger/e2e/dendrite"
	"matrix-messenger/e2e/homeserver"
	"matrix-messenger/e2e/synapse"
)

// HomeserverEnv is the environment variable that says against which homeserver the tests run: dendrite, as without it, or synapse.
const HomeserverEnv = "E2E_HOMESERVER"

// OnSynapse tells whether the homeserver is Synapse.
func OnSynapse() bool { return os.Getenv(HomeserverEnv) == "synapse" }

// NewHome makes the homeserver, and a function that takes away what it leaves outside of its folder (nil: nothing).
func NewHome(ctx context.Context, progress func(string), options homeserver.Options) (homeserver.Server, func() error, error) {
	switch kind := os.Getenv(HomeserverEnv); kind {
	case "", "dendrite":
		options.Dir = filepath.Join(options.Dir, "dendrite")
		programs, err := dendrite.Build(ctx, progress)
		if err != nil {
			return nil, nil, err
		}
		server, err := dendrite.New(ctx, programs, options)
		return server, nil, err
	case "synapse":
		root, err := synapse.Install(ctx, progress)
		if err != nil {
			return nil, nil, err
		}
		server, err := synapse.New(ctx, root, options)
		if err != nil {
			return nil, nil, err
		}
		return server, server.Remove, nil
	default:
		return nil, nil, fmt.Errorf("%s: there is no homeserver %q here, only dendrite and synapse", HomeserverEnv, kind)
	}
}
