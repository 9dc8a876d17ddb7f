package bridge

import (
	"testing"

	"maunium.net/go/mautrix/event"

	"matrix-messenger/bridge/config"
	"matrix-messenger/database"
	"matrix-messenger/xmppside"
	wire "matrix-messenger/xmppside/presence"
)

func TestWhatContactsSeeOfTheUser(t *testing.T) {
	follow := config.Presence{FromMatrix: true, WhenOffline: config.OfflineAway}
	for name, c := range map[string]struct {
		choice presenceChoice
		cfg    config.Presence
		want   xmppside.Presence
	}{
		"nothing known is available":             {presenceChoice{mode: modeAuto}, follow, xmppside.Presence{}},
		"online is available":                    {presenceChoice{mode: modeAuto, matrix: event.PresenceOnline, said: "hi"}, follow, xmppside.Presence{Status: "hi"}},
		"idle is away, not offline":              {presenceChoice{mode: modeAuto, matrix: event.PresenceUnavailable}, follow, xmppside.Presence{Show: wire.Away}},
		"busy in Matrix is busy":                 {presenceChoice{mode: modeAuto, matrix: presenceBusy}, follow, xmppside.Presence{Show: wire.DND}},
		"offline is away by default":             {presenceChoice{mode: modeAuto, matrix: event.PresenceOffline}, follow, xmppside.Presence{Show: wire.Away}},
		"offline may be available":               {presenceChoice{mode: modeAuto, matrix: event.PresenceOffline}, config.Presence{FromMatrix: true, WhenOffline: config.OfflineAvailable}, xmppside.Presence{}},
		"offline may be invisible":               {presenceChoice{mode: modeAuto, matrix: event.PresenceOffline, text: "x"}, config.Presence{FromMatrix: true, WhenOffline: config.OfflineInvisible}, xmppside.Presence{Invisible: true}},
		"a chosen text goes before Matrix's":     {presenceChoice{mode: modeAuto, matrix: event.PresenceOnline, text: "mine", said: "hi"}, follow, xmppside.Presence{Status: "mine"}},
		"what was chosen goes before Matrix":     {presenceChoice{mode: modeBusy, matrix: event.PresenceOffline, text: "call", said: "hi"}, follow, xmppside.Presence{Show: wire.DND, Status: "call"}},
		"available although Matrix says offline": {presenceChoice{mode: modeAvailable, matrix: event.PresenceOffline}, follow, xmppside.Presence{}},
		"invisible says nothing":                 {presenceChoice{mode: modeInvisible, text: "x"}, follow, xmppside.Presence{Invisible: true}},
		"Matrix does not count when switched off": {
			presenceChoice{mode: modeAuto, matrix: event.PresenceUnavailable, said: "hi"},
			config.Presence{WhenOffline: config.OfflineAway},
			xmppside.Presence{},
		},
	} {
		if got := c.choice.shows(c.cfg); got != c.want {
			t.Errorf("%s: %+v instead of %+v", name, got, c.want)
		}
	}
}

func TestTheChosenPresenceIsStoredAndReadBack(t *testing.T) {
	for _, choice := range []presenceChoice{
		{mode: modeAuto}, {mode: modeAuto, matrix: event.PresenceUnavailable}, {mode: modeBusy, text: "call", matrix: event.PresenceOffline}, {mode: modeInvisible},
	} {
		if got := choiceFrom(database.Setting{PresenceMode: choice.stored(), StatusText: choice.text}); got != choice {
			t.Errorf("%+v came back as %+v", choice, got)
		}
	}
	if got := choiceFrom(database.Setting{PresenceMode: "from a later version"}); got.mode != modeAuto {
		t.Errorf("an unknown mode became %q", got.mode)
	}
}
