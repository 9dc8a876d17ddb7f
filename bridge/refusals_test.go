package bridge

import (
	"errors"
	"fmt"
	"testing"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/event"
)

func TestAnEventThatIsNotStoredHasFailedAndIsNotRefused(t *testing.T) {
	for name, test := range map[string]struct {
		err  error
		want string
	}{
		"the database takes nothing":      {errStorage(errors.New("disk full")), resultFailed},
		"and the framework wrapped it":    {fmt.Errorf("handling: %w", errStorage(errors.New("disk full"))), resultFailed},
		"a file without anything to show": {errNothingToSend, resultRefused},
	} {
		t.Run(name, func(t *testing.T) {
			state := bridgev2.WrapErrorInStatus(test.err)
			if got := refusalResult(&state); got != test.want {
				t.Errorf("it counts as %s instead of %s", got, test.want)
			}
		})
	}
	if got := refusalResult(&bridgev2.MessageStatus{Status: event.MessageStatusRetriable}); got != resultFailed {
		t.Errorf("what may be tried again counts as %s", got)
	}
}
