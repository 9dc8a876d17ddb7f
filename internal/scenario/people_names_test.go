package scenario_test

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"image/png"
	"net/http"
	"strings"
	"testing"

	"matrix-messenger/internal/homeserver"
	"matrix-messenger/internal/scenario"
	"matrix-messenger/messengerd"
)

// picture is a PNG of one colour.
func picture(t *testing.T, shade uint8) []byte {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, 4, 4))
	img.Set(1, 1, color.RGBA{shade, shade, shade, 255})
	var buf bytes.Buffer
	if err := png.Encode(&buf, img); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// profileOf waits until somebody's profile matches.
func profileOf(t *testing.T, s *scenario.Scenario, name string, match func(name, avatar string) bool) {
	t.Helper()
	within(t, func(ctx context.Context) error { return s.HS.WaitProfile(ctx, s.Ghost(name), match) })
}

func TestAContactsPictureIsShownAndUploadedOnce(t *testing.T) {
	photo := picture(t, 10)
	s := scenario.Start(t, scenario.Options{Service: func(cfg *messengerd.Config) {
		for i := range cfg.Accounts {
			if cfg.Accounts[i].Name == "Mary" {
				cfg.Accounts[i].VCard = &messengerd.VCardConfig{FullName: "Mary of the card", PhotoData: photo, PhotoType: "image/png"}
			}
		}
	}})
	s.LoginWithToken()
	s.ServiceSends("mary", "hello")
	s.RoomShows("mary", "hello")
	profileOf(t, s, "mary", func(name, avatar string) bool { return name == "Mary" && avatar != "" })
	uploads := func() int {
		ghost := s.Ghost("mary")
		return len(s.HS.Requests(func(r homeserver.Request) bool { return r.Endpoint == "media/upload" && r.UserID == ghost }))
	}
	if uploads() != 1 {
		t.Fatalf("uploaded %d times: %v", uploads(), s.HS.Counts())
	}
	s.RestartBridge()
	s.SessionIsUp()
	everythingSoFarIsHandled(s)
	if uploads() != 1 {
		t.Errorf("uploaded %d times after a restart", uploads())
	}
}

func TestAContactWithoutANameInTheRosterIsCalledAsItsCardSays(t *testing.T) {
	photo := picture(t, 30)
	s := scenario.Start(t, scenario.Options{Service: func(cfg *messengerd.Config) {
		for i := range cfg.Accounts {
			if cfg.Accounts[i].Name == "Mary" {
				cfg.Accounts[i].VCard = &messengerd.VCardConfig{FullName: "Mary of the card", PhotoData: photo, PhotoType: "image/png"}
			}
		}
	}})
	s.LoginWithToken()
	s.ServiceSends("mary", "hello")
	s.RoomShows("mary", "hello")
	profileOf(t, s, "mary", func(name, avatar string) bool { return name == "Mary" && avatar != "" }) // the card was read
	s.User().Rename("mary@contoso.example", "")
	profileOf(t, s, "mary", func(name, _ string) bool { return name == "Mary of the card" })
}

func TestAContactWithoutACardStillHasAName(t *testing.T) {
	s := scenario.Start(t, scenario.Options{Service: func(cfg *messengerd.Config) {
		for i := range cfg.Accounts {
			cfg.Accounts[i].NoVCard = true
		}
	}})
	s.LoginWithToken()
	s.ServiceSends("mary", "hello")
	s.RoomShows("mary", "hello")
	profileOf(t, s, "mary", func(name, _ string) bool { return name == "Mary" })
}

func TestARenamedContactIsRenamedInMatrix(t *testing.T) {
	s := scenario.Start(t, scenario.Options{Network: map[string]any{"displayname_template": "{{.Name}} (Messenger)"}})
	s.LoginWithToken()
	s.ServiceSends("mary", "hello")
	s.RoomShows("mary", "hello")
	profileOf(t, s, "mary", func(name, _ string) bool { return name == "Mary (Messenger)" })
	s.User().Rename("mary@contoso.example", "Mary Smith")
	profileOf(t, s, "mary", func(name, _ string) bool { return name == "Mary Smith (Messenger)" })
	within(t, func(ctx context.Context) error {
		_, err := s.Alice.WaitRoom(ctx, func(v homeserver.RoomView) bool { return v.Has(s.Ghost("mary")) && v.Name == "Mary Smith (Messenger)" })
		return err
	})
}

func TestSomebodyWhoAsksIsCalledByTheirNicknameAndTheirCardIsLeftAlone(t *testing.T) {
	photo := picture(t, 20)
	s := scenario.Start(t, scenario.Options{Service: func(cfg *messengerd.Config) {
		for i := range cfg.Accounts {
			if cfg.Accounts[i].Name == "Zoe" {
				cfg.Accounts[i].VCard = &messengerd.VCardConfig{FullName: "Zoe of the card", PhotoData: photo, PhotoType: "image/png"}
			}
		}
	}})
	s.LoginWithToken()
	s.StrangerAsks("zoe", "Zoe the stranger", "")
	room := s.UserIsInvited("zoe")
	everythingSoFarIsHandled(s)
	if name, avatar, _ := s.HS.Profile(s.Ghost("zoe")); name != "Zoe the stranger" || avatar != "" {
		t.Errorf("before: %q %q", name, avatar)
	}
	s.UserJoins(room.ID)
	s.RosterOf("zoe", "both")
	profileOf(t, s, "zoe", func(_, avatar string) bool { return avatar != "" })
}

func TestALostContactIsToldInItsRoom(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.ServiceSends("mary", "hello")
	s.RoomShows("mary", "hello")
	s.Contact("mary").Remove("alice@contoso.example")
	s.RoomTells("mary", "is no longer one of your Messenger contacts")
}

func TestTheLastOfSeveralNamesIsShown(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.ServiceSends("john", "hello")
	s.RoomShows("john", "hello")
	making := s.HS.Block(func(r homeserver.Request) bool { return r.Endpoint == "createRoom" }) // all changes wait for the room
	s.ServiceSends("mary", "hello")
	within(t, func(ctx context.Context) error { return making.WaitHits(ctx, 1) })
	for _, name := range []string{"Mary 1", "Mary 2", "Mary 3", "Mary 4", "Mary 5", "Mary 6", "Mary 7", "Mary 8"} {
		s.User().Rename("mary@contoso.example", name)
	}
	s.ServiceSends("john", "a word behind it")
	s.RoomShows("john", "a word behind it")
	making.Remove()
	s.RoomShows("mary", "hello")
	profileOf(t, s, "mary", func(name, _ string) bool { return name == "Mary 8" })
	s.ServiceSends("john", "another word behind it")
	s.RoomShows("john", "another word behind it")
	profileOf(t, s, "mary", func(name, _ string) bool { return name == "Mary 8" })
	latest := ""
	for _, r := range s.HS.Requests(func(r homeserver.Request) bool {
		return r.UserID == s.Ghost("mary") && r.Method == http.MethodPut && r.Endpoint == "profile" && strings.HasSuffix(r.Path, "/displayname")
	}) {
		if body := strings.TrimSuffix(string(r.Body), `"}`); body < latest {
			t.Errorf("after %s came %s", latest, body)
		} else {
			latest = body
		}
	}
	if latest == "" {
		t.Error("no name was shown")
	}
}
