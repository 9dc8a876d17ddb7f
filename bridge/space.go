package bridge

import (
	"context"
	"time"
)

const (
	// spaceTimeout bounds how long an account waits for its space, its turn included.
	spaceTimeout = 30 * time.Second
	// spacesAtATime is for how many accounts a space is made at the same time, after an operator has switched spaces on.
	spacesAtATime = 4
)

// makeSpace makes the login's space, if there is to be one and there is none. It is called before anything is told about the
// session: the framework would make the space beside the first chat, and would write its address while the next change of the
// session's state reads it. Without an answer of the homeserver in time the account goes on, and the space is left to the framework.
func (cl *Client) makeSpace(ctx context.Context) {
	if !cl.c.br.Config.PersonalFilteringSpaces {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, spaceTimeout)
	defer cancel()
	select {
	case cl.c.spaces <- struct{}{}:
		defer func() { <-cl.c.spaces }()
	case <-ctx.Done():
		return
	}
	for attempt := 1; ; attempt++ {
		_, err := cl.login.GetSpaceRoom(ctx) // the one there is, after whoever makes it at the moment
		if err == nil {
			return
		}
		cl.log.Warn().Err(err).Int("attempt", attempt).Msg("The account's space could not be made")
		if !passing(err) || !sleep(ctx, backoff(attempt)) {
			return
		}
	}
}
