package bridge

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.mau.fi/util/exsync"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/appservice"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/bridgeconfig"
	bridgedb "maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/bridgev2/matrix"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"matrix-messenger/database"
)

// muteBot is the bot where some rooms cannot be written in.
type muteBot struct {
	bridgev2.MatrixAPI

	mu    sync.Mutex
	fails map[id.RoomID]error
	tries map[id.RoomID][]time.Time
	said  map[id.RoomID][]string
}

func (b *muteBot) SendMessage(
	_ context.Context, room id.RoomID, _ event.Type, content *event.Content, _ *bridgev2.MatrixSendExtra,
) (*mautrix.RespSendEvent, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tries[room] = append(b.tries[room], time.Now())
	if err := b.fails[room]; err != nil {
		return nil, err
	}
	b.said[room] = append(b.said[room], content.Parsed.(*event.MessageEventContent).Body)
	return &mautrix.RespSendEvent{}, nil
}

func (b *muteBot) in(room id.RoomID) (tries []time.Time, said []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.tries[room], b.said[room]
}

// answering is a homeserver that answers everything with nothing.
type answering struct{}

func (answering) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("{}")), Request: r}, nil
}

const (
	chatRoom  = id.RoomID("!chat:example.org")
	otherRoom = id.RoomID("!other:example.org")
	botRoom   = id.RoomID("!bot:example.org")
)

// mute is a connector with two failed messages, one in a room where the bot fails for an unclear reason. It is used within a
// bubble.
func mute(t *testing.T) (*Connector, *muteBot) {
	t.Helper()
	cl := newTestHistory(t).cl
	c := cl.c
	withDatabase(t, cl)
	cl.people = newPeople(cl)
	bot := &muteBot{fails: map[id.RoomID]error{chatRoom: errors.New("no session to encrypt with")}, tries: map[id.RoomID][]time.Time{}, said: map[id.RoomID][]string{}}
	c.telling, c.untold = exsync.NewKeyedMutex[string](), make(chan struct{}, 1)
	c.br = &bridgev2.Bridge{Bot: bot, Config: &bridgeconfig.BridgeConfig{}}
	c.clients = map[networkid.UserLoginID]*Client{cl.login.ID: cl}
	cl.login.User = &bridgev2.User{User: &bridgedb.User{ManagementRoom: botRoom}}
	config := &bridgeconfig.Config{}
	config.Matrix.MessageErrorNotices = true
	client, err := mautrix.NewClient("http://homeserver.example", "", "")
	if err != nil {
		t.Fatal(err)
	}
	client.Client = &http.Client{Transport: answering{}}
	c.matrix = &matrix.Connector{Config: config, Bot: &appservice.IntentAPI{Client: client, IsCustomPuppet: true}}
	for _, m := range [][2]string{{chatRoom.String(), "one"}, {otherRoom.String(), "two"}} {
		_, err := c.db.Outbox.Refuse(t.Context(), database.OutboxMessage{
			LoginID: cl.id(), ChatID: mary, EventID: "$" + m[1], StanzaID: m[1], RoomID: m[0], EventType: event.EventMessage.Type,
			Body: []byte("damaged"), Error: "it could not be sent.",
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return c, bot
}

// runs has everybody told for some time.
func runs(t *testing.T, c *Connector, long time.Duration) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var ended sync.WaitGroup
	ended.Go(func() { c.tellSenders(ctx) })
	time.Sleep(long)
	cancel()
	ended.Wait()
}

func (b *muteBot) isUntold(t *testing.T, c *Connector, room id.RoomID, untold bool) {
	t.Helper()
	since, err := c.db.Outbox.UntoldSince(t.Context(), room.String())
	if err != nil || since.IsZero() == untold {
		t.Fatalf("in %s something is to be told since %s (%v)", room, since, err)
	}
}

func TestARoomInWhichNothingCanBeToldIsTriedEverMoreRarelyAndNotForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, bot := mute(t)
		runs(t, c, tellFor-time.Minute)
		bot.isUntold(t, c, chatRoom, true)
		bot.isUntold(t, c, otherRoom, false)
		tries, _ := bot.in(chatRoom)
		if len(tries) < 30 || len(tries) > 70 { // twelve until an hour is reached, then one in half an hour to an hour
			t.Errorf("it was tried %d times in a day", len(tries))
		}
		if pause := tries[len(tries)-1].Sub(tries[len(tries)-2]); pause < longestTellPause/2 || pause > longestTellPause+time.Minute {
			t.Errorf("in the end it is tried after %s", pause)
		}
		if _, said := bot.in(botRoom); len(said) != 0 {
			t.Errorf("the user was told %q", said)
		}
		runs(t, c, 5*time.Minute) // a restart does not begin the day anew
		bot.isUntold(t, c, chatRoom, false)
		_, said := bot.in(botRoom)
		if len(said) != 1 || !strings.Contains(said[0], "Something that you wrote to mary was not delivered") || !strings.Contains(said[0], "“it could not be sent.”") {
			t.Errorf("the user was told %q", said)
		}
		before, _ := bot.in(chatRoom)
		runs(t, c, tellFor)
		if after, _ := bot.in(chatRoom); len(after) != len(before) {
			t.Errorf("it was tried %d times more", len(after)-len(before))
		}
	})
}

func TestARoomIsNotLetGoForWhatMayPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, bot := mute(t)
		bot.fails[chatRoom] = mautrix.HTTPError{Response: &http.Response{StatusCode: http.StatusBadGateway}}
		runs(t, c, 2*tellFor)
		bot.isUntold(t, c, chatRoom, true)
		bot.mu.Lock()
		bot.fails[chatRoom] = nil
		bot.mu.Unlock()
		runs(t, c, 2*time.Minute)
		bot.isUntold(t, c, chatRoom, false)
		if _, said := bot.in(chatRoom); len(said) != 1 {
			t.Errorf("the room was told %q", said)
		}
		if _, said := bot.in(botRoom); len(said) != 0 {
			t.Errorf("the user was told %q", said)
		}
	})
}

func TestARoomIsLetGoWhenNothingCanBeToldElsewhereEither(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, bot := mute(t)
		bot.fails[botRoom] = mautrix.HTTPError{Response: &http.Response{StatusCode: http.StatusBadGateway}}
		runs(t, c, tellFor+2*longestTellPause)
		bot.isUntold(t, c, chatRoom, true) // the homeserver may take it later
		bot.mu.Lock()
		bot.fails[botRoom] = errors.New("no session to encrypt with")
		bot.mu.Unlock()
		runs(t, c, 5*time.Minute)
		bot.isUntold(t, c, chatRoom, false)
	})
}
