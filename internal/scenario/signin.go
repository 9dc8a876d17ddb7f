package scenario

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"maunium.net/go/mautrix/id"

	"matrix-messenger/internal/homeserver"
	"matrix-messenger/messengerd/oauthserver/browsertest"
)

// AuthorizeLink waits for the bot's link to the sign-in page.
func (s *Scenario) AuthorizeLink() string {
	s.t.Helper()
	text := s.BotSays("open this link")
	link := regexp.MustCompile(`http://\S+`).FindString(text)
	if link == "" {
		s.t.Fatalf("there is no link in %q", text)
	}
	return link
}

// UserVisits signs in at the service's page and returns the address that the browser is sent to.
func (s *Scenario) UserVisits(link string, deny bool) string {
	s.t.Helper()
	var sent string
	s.within("signing in on the service's page", func(ctx context.Context) (err error) {
		sent, err = browsertest.Visitor{Email: userEmail, Password: "secret", Deny: deny}.Visit(ctx, link)
		return err
	})
	return sent
}

// UserAnswersBot sends the bot something secret and waits until the bot has removed it.
func (s *Scenario) UserAnswersBot(secret string) {
	s.t.Helper()
	s.UserTellsBot(secret)
	s.within("the bot to remove the message", func(ctx context.Context) error {
		_, err := s.Alice.WaitEvent(ctx, s.bot, func(ev *homeserver.Event) bool {
			return ev.Type == "m.room.redaction" && ev.Sender == s.Bot()
		})
		return err
	})
}

// BotRoom is the management room.
func (s *Scenario) BotRoom() id.RoomID { return s.bot }

// secretShapes are what the service's access and refresh tokens look like, whoever they were given to.
var secretShapes = map[string]*regexp.Regexp{
	"an access token":               regexp.MustCompile(`(?:^|[^A-Za-z0-9+/])EwA[A-Za-z0-9+/]{60}`),
	"an access token in lower case": regexp.MustCompile(`(?:^|[^A-Za-z0-9+/])ewa[a-z0-9+/]{60}`),
	"a refresh token":               regexp.MustCompile(`MR\.[A-Za-z0-9_-]{60}`),
}

// AreNowhere checks that none of the secrets, nor any token of the service, stands in anything that the bridge has written: its log, its database, or a room (except in what the
// user wrote there). What they are called goes into the message, the secrets do not.
func (s *Scenario) AreNowhere(secrets map[string]string) {
	s.t.Helper()
	files, err := filepath.Glob(s.file("bridge*"))
	if err != nil || len(files) == 0 {
		s.t.Fatalf("the bridge's files were not found: %v, %v", files, err)
	}
	written := map[string][]byte{}
	for _, file := range files {
		if written[filepath.Base(file)], err = os.ReadFile(file); err != nil {
			s.t.Fatal(err)
		}
	}
	for table, rows := range s.Tables() {
		written["the table "+table] = []byte(strings.Join(rows, "\n"))
	}
	for where, text := range written {
		for name, shape := range secretShapes {
			if shape.Match(text) {
				s.t.Errorf("%s stands in %s", name, where)
			}
		}
		for name, secret := range secrets {
			if secret != "" && bytes.Contains(bytes.ToLower(text), []byte(strings.ToLower(secret))) {
				s.t.Errorf("%s stands in %s", name, where)
			}
		}
	}
	for _, request := range s.HS.Requests(func(homeserver.Request) bool { return true }) {
		for name, secret := range secrets {
			if secret != "" && (bytes.Contains(request.Body, []byte(secret)) || strings.Contains(request.Path, secret)) {
				s.t.Errorf("%s was sent to the homeserver with %s", name, request.Path)
			}
		}
	}
}

// NewerSession waits until the account is signed in with a session that began after the given one, and returns its ID.
func (s *Scenario) NewerSession(after uint64) (newer uint64) {
	s.t.Helper()
	s.awaitAccount(s.User(), "a new session", func() bool {
		for _, session := range s.User().Sessions() {
			if session.ID > after && session.Presence {
				newer = session.ID
				return true
			}
		}
		return false
	})
	return newer
}

// UserIsSignedOut waits until the account has no session.
func (s *Scenario) UserIsSignedOut() {
	s.t.Helper()
	s.awaitAccount(s.User(), "the session to end", func() bool { return len(s.User().Sessions()) == 0 })
}

// ConfigFile is the path of the bridge's configuration.
func (s *Scenario) ConfigFile() string { return s.file("config.yaml") }
