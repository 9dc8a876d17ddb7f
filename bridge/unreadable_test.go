package bridge

import (
	"strings"
	"testing"

	"maunium.net/go/mautrix/event"

	"matrix-messenger/matrixside/inbox"
)

func TestEachReasonThatAnEventCannotBeReadForHasASentenceOfItsOwn(t *testing.T) {
	seen := make(map[string]inbox.Unreadable)
	for _, why := range []inbox.Unreadable{
		inbox.KeysMissing, inbox.KeysWithheld, inbox.KeysTooLate, inbox.KeyUsedTwice, inbox.BadlySealed,
		inbox.Untrusted, inbox.NoEncryption, inbox.NotSealed, inbox.OwnFault,
	} {
		sentence, state := unreadableSentence(why)
		if other, taken := seen[sentence]; taken {
			t.Errorf("%s is told like %s", why, other)
		}
		seen[sentence] = why
		if !strings.HasSuffix(sentence, ".") {
			t.Errorf("%s: %q is no sentence", why, sentence)
		}
		// What can be sent again as it is, clients offer to send again.
		if again := strings.Contains(sentence, "Please send it again"); again != (state == event.MessageStatusRetriable) {
			t.Errorf("%s: the status %s and %q do not agree", why, state, sentence)
		}
	}
}

func TestOnlyWhatRefersToSomethingElseHasAStatusWithoutANotice(t *testing.T) {
	for relation, want := range map[event.RelationType]bool{
		"": false, event.RelReplace: false, event.RelThread: false, event.RelAnnotation: true, event.RelReference: true,
	} {
		content := &event.EncryptedEventContent{RelatesTo: &event.RelatesTo{Type: relation}}
		if got := isAside(&event.Event{Type: event.EventEncrypted, Content: event.Content{Parsed: content}}); got != want {
			t.Errorf("%q: %v", relation, got)
		}
	}
	if isAside(&event.Event{Type: event.EventEncrypted, Content: event.Content{Parsed: &event.EncryptedEventContent{}}}) {
		t.Error("a message that refers to nothing")
	}
}
