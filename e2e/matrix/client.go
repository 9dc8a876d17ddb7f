package matrix

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// syncFilter asks for enough of a room's past that no test has to page.
const syncFilter = `{"room":{"timeline":{"limit":1000}}}`

// Client is one signed-in Matrix user.
type Client struct {
	api    *mautrix.Client
	cancel context.CancelFunc
	done   chan struct{}

	mu         sync.Mutex
	rooms      map[id.RoomID]*Room
	order      []id.RoomID                              // rooms in the order in which they were first seen
	changed    chan struct{}                            // closed and replaced at every change
	presence   map[id.UserID]event.PresenceEventContent // the last of each user
	onEvent    func(*Room, *event.Event)
	onPresence func(*event.Event)
	joins      func(inviter id.UserID) bool
	unseen     bool
	syncErr    error // the last failed /sync, for messages
	joinErr    error // the last failed join, for messages
}

// Option changes how a Client works.
type Option func(*Client)

// WithEvents calls see with every timeline event, in order, from the goroutine that reads /sync. The
// room may be asked for its title and names.
func WithEvents(see func(*Room, *event.Event)) Option {
	return func(c *Client) { c.onEvent = see }
}

// WithPresence calls see with every presence event, from the same goroutine.
func WithPresence(see func(*event.Event)) Option {
	return func(c *Client) { c.onPresence = see }
}

// WithInvitesFrom joins by itself only where somebody invites of whom joins says true; other invites wait for Room.Join and
// Room.Leave. Without it every invite is accepted.
func WithInvitesFrom(joins func(inviter id.UserID) bool) Option {
	return func(c *Client) { c.joins = joins }
}

// WithPresenceLeftAlone reads /sync without being online for it, so that what SetPresence said stays.
func WithPresenceLeftAlone() Option {
	return func(c *Client) { c.unseen = true }
}

// Login signs in and starts to follow /sync.
func Login(ctx context.Context, homeserver, localpart, password string, options ...Option) (*Client, error) {
	api, err := mautrix.NewClient(homeserver, "", "")
	if err != nil {
		return nil, err
	}
	_, err = api.Login(ctx, &mautrix.ReqLogin{
		Type:             mautrix.AuthTypePassword,
		Identifier:       mautrix.UserIdentifier{Type: mautrix.IdentifierTypeUser, User: localpart},
		Password:         password,
		StoreCredentials: true,
	})
	if err != nil {
		return nil, fmt.Errorf("sign in as %s: %w", localpart, err)
	}
	run, cancel := context.WithCancel(context.Background())
	c := &Client{
		api: api, cancel: cancel, done: make(chan struct{}),
		rooms: map[id.RoomID]*Room{}, changed: make(chan struct{}),
		presence: map[id.UserID]event.PresenceEventContent{}, joins: func(id.UserID) bool { return true },
	}
	for _, option := range options {
		option(c)
	}
	go c.follow(run)
	return c, nil
}

// Close ends the /sync goroutine.
func (c *Client) Close() {
	c.cancel()
	<-c.done
}

// UserID is the user's full ID.
func (c *Client) UserID() id.UserID { return c.api.UserID }

// API is the client-server API signed in as this user, for calls that this package does not wrap.
func (c *Client) API() *mautrix.Client { return c.api }

// follow reads /sync until the context ends; a homeserver that is down is asked again.
func (c *Client) follow(ctx context.Context) {
	defer close(c.done)
	since := ""
	for ctx.Err() == nil {
		timeout := 20000
		if !c.joinInvites(ctx) {
			timeout = 500 // ask again soon: the homeserver may just not be ready for the join
		}
		request := mautrix.ReqSync{Timeout: timeout, Since: since, FilterID: syncFilter}
		if c.unseen {
			request.SetPresence = event.PresenceOffline
		}
		answer, err := c.api.FullSyncRequest(ctx, request)
		if err != nil {
			c.mu.Lock()
			c.syncErr = err
			c.mu.Unlock()
			since = "" // the last answer of a homeserver that was going down may have had gaps
			select {
			case <-ctx.Done():
			case <-time.After(200 * time.Millisecond):
			}
			continue
		}
		if since != "" && c.joinedAnew(answer) {
			// Dendrite's incremental answer can leave out events of a room that was joined since
			// the last one; a first /sync has them all.
			since = ""
			continue
		}
		c.apply(answer, since == "")
		since = answer.NextBatch
	}
}

// joinedAnew reports whether the answer holds a joined room that has not been read before.
func (c *Client) joinedAnew(answer *mautrix.RespSync) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for roomID := range answer.Rooms.Join {
		if room := c.rooms[roomID]; room == nil || !room.read {
			return true
		}
	}
	return false
}

// apply takes over what one answer of /sync says; first tells that it was one without "since".
func (c *Client) apply(answer *mautrix.RespSync, first bool) {
	type seen struct {
		room *Room
		evt  *event.Event
	}
	var news []seen
	c.mu.Lock()
	c.syncErr = nil
	for roomID, data := range answer.Rooms.Invite {
		room := c.roomLocked(roomID)
		for _, evt := range data.State.Events {
			room.applyState(evt)
		}
		room.membership = event.MembershipInvite
	}
	for roomID, data := range answer.Rooms.Join {
		room := c.roomLocked(roomID)
		room.membership, room.read = event.MembershipJoin, true
		for _, evt := range data.State.Events {
			room.applyState(evt)
		}
		if first {
			room.forgetOrder(data.Timeline.Events)
		}
		for _, evt := range data.Timeline.Events {
			if evt.StateKey != nil {
				room.applyState(evt)
			}
			if room.appendTimeline(evt) {
				news = append(news, seen{room, evt})
			}
		}
		for _, evt := range data.Ephemeral.Events {
			room.applyEphemeral(evt)
		}
	}
	for roomID := range answer.Rooms.Leave {
		room := c.roomLocked(roomID)
		room.membership, room.read = event.MembershipLeave, false
	}
	for _, evt := range answer.Presence.Events {
		evt.Type.Class = event.EphemeralEventType
		_ = evt.Content.ParseRaw(evt.Type)
		c.presence[evt.Sender] = *evt.Content.AsPresence()
	}
	close(c.changed)
	c.changed = make(chan struct{})
	c.mu.Unlock()

	for _, n := range news {
		if c.onEvent != nil {
			c.onEvent(n.room, n.evt)
		}
	}
	for _, evt := range answer.Presence.Events {
		if c.onPresence != nil {
			c.onPresence(evt)
		}
	}
}

// joinInvites joins the rooms that the user is invited to, as far as the client does that by itself; it says false when one refused.
func (c *Client) joinInvites(ctx context.Context) bool {
	var invites []id.RoomID
	c.mu.Lock()
	for _, roomID := range c.order {
		if room := c.rooms[roomID]; room.membership == event.MembershipInvite && c.joins(room.inviter) {
			invites = append(invites, roomID)
		}
	}
	c.mu.Unlock()
	all := true
	for _, roomID := range invites {
		_, err := c.api.JoinRoomByID(ctx, roomID)
		c.mu.Lock()
		if err == nil {
			c.rooms[roomID].membership = event.MembershipJoin
		} else {
			c.joinErr = fmt.Errorf("join %s: %w", roomID, err)
			all = false
		}
		c.mu.Unlock()
	}
	return all
}

func (c *Client) roomLocked(roomID id.RoomID) *Room {
	room := c.rooms[roomID]
	if room == nil {
		room = newRoom(c, roomID)
		c.rooms[roomID] = room
		c.order = append(c.order, roomID)
	}
	return room
}

// Wait returns when found says true, with an error that tells what was waited for when ctx ends first.
// found is called with the client locked: it may look at rooms with their *Locked methods only.
func (c *Client) Wait(ctx context.Context, what string, found func() bool) error {
	for {
		c.mu.Lock()
		ok, changed, lastErr := found(), c.changed, errors.Join(c.syncErr, c.joinErr)
		c.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("waited in vain for %s: %w", what, errors.Join(ctx.Err(), lastErr))
		case <-c.done:
			return fmt.Errorf("waited for %s with a closed client", what)
		}
	}
}

// DirectChat makes a direct room with another user (the bridge's bot, a ghost) and waits until that
// user has joined it.
func (c *Client) DirectChat(ctx context.Context, with id.UserID) (*Room, error) {
	answer, err := c.api.CreateRoom(ctx, &mautrix.ReqCreateRoom{
		Preset: "trusted_private_chat", IsDirect: true, Invite: []id.UserID{with},
	})
	if err != nil {
		return nil, fmt.Errorf("make a direct room with %s: %w", with, err)
	}
	var room *Room
	err = c.Wait(ctx, fmt.Sprintf("%s to join its direct room", with), func() bool {
		room = c.rooms[answer.RoomID]
		return room != nil && room.members[with].membership == event.MembershipJoin
	})
	return room, err
}

// RoomWithTitle waits for a joined room that is titled so (by name, or by its other member).
func (c *Client) RoomWithTitle(ctx context.Context, title string) (*Room, error) {
	var room *Room
	err := c.Wait(ctx, fmt.Sprintf("a room titled %q", title), func() bool {
		for _, roomID := range c.order {
			candidate := c.rooms[roomID]
			if candidate.membership == event.MembershipJoin && candidate.titleLocked() == title {
				room = candidate
				return true
			}
		}
		return false
	})
	if err != nil {
		return nil, fmt.Errorf("%w (there are: %v)", err, c.Titles())
	}
	return room, nil
}

// Titles lists the titles of the joined rooms.
func (c *Client) Titles() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var titles []string
	for _, roomID := range c.order {
		if room := c.rooms[roomID]; room.membership == event.MembershipJoin {
			titles = append(titles, room.titleLocked())
		}
	}
	return titles
}

// NameOf is a user's display name in any room, else the user's ID.
func (c *Client) NameOf(user id.UserID) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, roomID := range c.order {
		if m := c.rooms[roomID].members[user]; m.name != "" {
			return m.name
		}
	}
	return string(user)
}
