package scenario_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"matrix-messenger/internal/homeserver"
	"matrix-messenger/internal/scenario"
)

func makesSpace(r homeserver.Request) bool {
	return r.Endpoint == "createRoom" && strings.Contains(string(r.Body), `"m.space"`)
}

func inSpace(t *testing.T, s *scenario.Scenario, name string) {
	t.Helper()
	room := s.Room(name)
	within(t, func(ctx context.Context) error {
		_, err := s.Alice.WaitRoom(ctx, func(v homeserver.RoomView) bool {
			return v.Type == "m.space" && v.State("m.space.child", room.String()) != nil
		})
		return err
	})
}

// The framework writes where the space is while it reads that for each change of the session's state, so it has to be there before.
func TestTheSpaceIsMadeBeforeTheSession(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	space := s.HS.Block(makesSpace)
	within(t, s.SignInWithToken)
	within(t, func(ctx context.Context) error { return space.WaitHits(ctx, 1) })
	for _, session := range s.User().Sessions() {
		if session.Presence {
			t.Error("the session is up before the space is there")
		}
	}
	space.Remove()
	s.SessionIsUp()
	s.ServiceSends("mary", "hello")
	s.RoomShows("mary", "hello")
	inSpace(t, s, "mary")
	s.NothingElseWasSaid()
}

func TestASpaceThatTheHomeserverRefusesIsNoReasonToBeWithoutMessages(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.HS.Fail(makesSpace, http.StatusForbidden, `{"errcode":"M_FORBIDDEN","error":"no spaces here"}`, 0)
	s.LoginWithToken()
	s.ServiceSends("mary", "hello")
	s.RoomShows("mary", "hello")
	s.UserSends("mary", "hello you")
	s.ContactReceives("mary", "hello you")
	s.NothingElseWasSaid()
}

func TestASpaceThatTheHomeserverCannotMakeAtOnceIsMadeAllTheSame(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.HS.Fail(makesSpace, http.StatusBadGateway, `{}`, 1)
	s.LoginWithToken()
	s.ServiceSends("mary", "hello")
	s.RoomShows("mary", "hello")
	inSpace(t, s, "mary")
	s.NothingElseWasSaid()
}
