package scenario_test

import (
	"strings"
	"testing"

	"matrix-messenger/internal/scenario"
)

// words is a text of n numbered words.
func words(n int) string {
	return strings.TrimSpace(strings.Join(numbered("word", n), " "))
}

func TestALongMessageIsSeveralStanzasButOneMessage(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.ServiceSends("mary", "tell me everything")
	s.RoomShows("mary", "tell me everything")
	long := words(3000)
	sent := s.UserSends("mary", long)
	first := s.ContactReads("mary")
	parts := []string{first, s.ContactReads("mary"), s.ContactReads("mary")}
	if strings.Join(parts, " ") != long {
		t.Errorf("the parts do not make up the text; they have %d, %d and %d bytes", len(parts[0]), len(parts[1]), len(parts[2]))
	}
	s.UserReplies("mary", sent, "sorry for the length")
	if reply := s.ContactReads("mary"); !strings.HasPrefix(reply, "> word 1 word 2") || !strings.HasSuffix(reply, "\nsorry for the length") {
		t.Errorf("the reply reads %q", reply)
	}
	s.UserEdits("mary", sent, strings.Replace(long, "word 1500 ", "a new word ", 1))
	s.ContactReceives("mary", "* … 1498 word 1499 a new word word 1501 word …")
	s.UserDeletes("mary", sent)
	s.ContactReceives("mary", "(deleted a message)")
	s.NothingElseWasSaid()
}

func TestAMessageDeletedBeforeItLeftIsNeverSent(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.ServiceSends("mary", "hello")
	s.RoomShows("mary", "hello")
	s.ServiceGoesDown()
	regretted := s.UserSends("mary", "I quit")
	s.UserSends("mary", "good morning")
	s.UserDeletes("mary", regretted)
	s.BridgeHasHandledWhatIsIn("mary")
	s.ServiceComesBack()
	s.ContactReceives("mary", "good morning")
	s.NothingElseWasSaid()
}

func TestADeletedMessageAndATakenBackReactionAreToldToTheContact(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.ServiceSends("mary", "look at this")
	look := s.RoomShows("mary", "look at this").ID
	reaction := s.UserReacts("mary", look, "😀")
	s.ContactReceives("mary", "(reacted 😀 to “look at this”)")
	s.UserDeletes("mary", reaction)
	s.ContactReceives("mary", "(took back: reacted 😀 to “look at this”)")
	sent := s.UserSends("mary", "a slip")
	s.ContactReceives("mary", "a slip")
	s.UserDeletes("mary", sent)
	s.ContactReceives("mary", "(deleted a message)")
	s.UserDeletes("mary", look) // the contact's own message: the contact is told nothing
	s.UserSends("mary", "that was all")
	s.ContactReceives("mary", "that was all")
}

func TestWhatTheAdminRefusesIsRefusedInWords(t *testing.T) {
	s := scenario.Start(t, scenario.Options{Network: map[string]any{"reactions": "refuse", "redactions": "refuse"}})
	s.LoginWithToken()
	s.ServiceSends("mary", "hello")
	hello := s.RoomShows("mary", "hello").ID
	reaction := s.UserReacts("mary", hello, "👍")
	s.NoticeOn("mary", reaction, "Messenger has no reactions")
	s.UserDeletes("mary", reaction)
	sent := s.UserSends("mary", "oh dear")
	s.ContactReceives("mary", "oh dear")
	redaction := s.UserDeletes("mary", sent)
	s.NoticeOn("mary", redaction, "your contact still has it")
	s.NothingElseWasSaid()
}

func TestAnEditThatChangesNothingToSeeIsNotSent(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.ServiceSends("mary", "hello")
	s.RoomShows("mary", "hello")
	sent := s.UserSends("mary", "good morning")
	s.ContactReceives("mary", "good morning")
	s.UserEdits("mary", sent, "good morning ")
	s.UserEdits("mary", sent, "good evening")
	s.ContactReceives("mary", "* good evening")
	s.NothingElseWasSaid()
}
