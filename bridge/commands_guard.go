package bridge

import (
	"context"
	"strings"
	"sync"
	"time"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/commands"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// commandGuard stands before the framework's command processor. Commands of one user are handled one after the other, so that the answer to a question is never
// taken for a command because the question was still being asked. And what cannot be a command (a token that was pasted too late, say) never reaches
// the framework, which would write it into its log.
type commandGuard struct {
	br   *bridgev2.Bridge
	next bridgev2.CommandProcessor

	mu    sync.Mutex
	users map[id.UserID]*commandTurn
}

// commandTurn lets one command of a user run at a time.
type commandTurn struct {
	free    chan struct{} // holds one token while nobody's turn
	waiting int
}

func newCommandGuard(br *bridgev2.Bridge) *commandGuard {
	return &commandGuard{br: br, next: br.Commands, users: map[id.UserID]*commandTurn{}}
}

const (
	// commandPatience is how long a command waits for the one before it. Some last long (a login waits for the browser), and `cancel` must get through to them.
	commandPatience = 3 * time.Second
	// longestCommand is the longest word that is taken for a command.
	longestCommand = 40
)

// Handle implements bridgev2.CommandProcessor.
func (g *commandGuard) Handle(ctx context.Context, room id.RoomID, evt id.EventID, user *bridgev2.User, message string, replyTo id.EventID) {
	turn := g.enter(user.MXID)
	defer g.leave(user.MXID, turn)
	timer := time.NewTimer(commandPatience)
	defer timer.Stop()
	select {
	case <-turn.free:
		defer func() { turn.free <- struct{}{} }()
	case <-timer.C:
	}
	if commands.LoadCommandState(user) == nil && !looksLikeCommand(message) {
		g.refuse(ctx, room, evt, message)
		message = "unknown-command"
	}
	g.next.Handle(ctx, room, evt, user, message, replyTo)
}

func (g *commandGuard) enter(user id.UserID) *commandTurn {
	g.mu.Lock()
	defer g.mu.Unlock()
	turn := g.users[user]
	if turn == nil {
		turn = &commandTurn{free: make(chan struct{}, 1)}
		turn.free <- struct{}{}
		g.users[user] = turn
	}
	turn.waiting++
	return turn
}

func (g *commandGuard) leave(user id.UserID, turn *commandTurn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if turn.waiting--; turn.waiting == 0 {
		delete(g.users, user)
	}
}

// looksLikeCommand tells whether the first word could be the name of a command.
func looksLikeCommand(message string) bool {
	fields := strings.Fields(message)
	if len(fields) == 0 {
		return true
	}
	word := fields[0]
	return len(word) <= longestCommand && strings.Trim(strings.ToLower(word), "abcdefghijklmnopqrstuvwxyz-_0123456789") == ""
}

// refuse removes a message that may hold a secret which nobody asked for at the moment.
func (g *commandGuard) refuse(ctx context.Context, room id.RoomID, evt id.EventID, message string) {
	if fields := strings.Fields(message); len(fields[0]) <= longestCommand {
		return
	}
	_, _ = g.br.Bot.SendMessage(ctx, room, event.EventRedaction, &event.Content{Parsed: &event.RedactionEventContent{
		Redacts: evt, Reason: "It looked like a token or address of a sign-in, and no sign-in was waiting for one.",
	}}, nil)
}
