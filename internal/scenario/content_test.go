package scenario_test

import (
	"testing"

	"maunium.net/go/mautrix/event"

	"matrix-messenger/internal/scenario"
)

func TestWhatMatrixFormatsReadsWellAtTheContact(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.ServiceSends("mary", "/me waves", "see https://example.org :)")
	if waves := s.RoomShows("mary", "waves", "see https://example.org :)"); waves.MsgType() != event.MsgText {
		t.Errorf("the last message is %s", waves.MsgType())
	}
	s.UserFormats("mary", "fallback", `<p>Bring</p><ul><li>a <del>towel</del></li><li><a href="https://example.org/map">the map</a></li></ul>`)
	s.ContactReceives("mary", "Bring\n\n- a ~towel~\n- the map (https://example.org/map)")
	s.UserPosts("mary", &event.MessageEventContent{MsgType: event.MsgEmote, Body: "nods"})
	s.ContactReceives("mary", "/me nods")
	s.NothingElseWasSaid()
}

func TestRepliesEditsAndReactionsAreTextTheContactUnderstands(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.ServiceSends("mary", "shall we meet?")
	question := s.RoomShows("mary", "shall we meet?").ID
	answer := s.UserReplies("mary", question, "yes, at eigth")
	s.ContactReceives("mary", "> Mary: shall we meet?\nyes, at eigth")
	s.UserEdits("mary", answer, "yes, at eight")
	s.ContactReceives("mary", "* yes, at eight")
	s.UserReacts("mary", question, "👍")
	s.ContactReceives("mary", "(reacted 👍 to “shall we meet?”)")
	s.NothingElseWasSaid()
}
