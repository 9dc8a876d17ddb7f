package bridge

import (
	"context"
	"errors"
	"sync"
	"time"

	"maunium.net/go/mautrix/id"
)

// roomMaker makes rooms for chats at a bounded pace. Its goroutine exists while there is something to make.
type roomMaker struct {
	mu      sync.Mutex
	queue   []string
	queued  map[string]bool
	running bool
}

// makeRooms makes the rooms of chats that have none, in the background and no faster than limits.rooms_per_minute. Chats with people whose request is undecided are left out:
// their rooms are invites.
func (p *people) makeRooms(chats []string) {
	p.rooms.mu.Lock()
	defer p.rooms.mu.Unlock()
	for _, chat := range chats {
		if p.rooms.queued[chat] {
			continue
		}
		if p.rooms.queued == nil {
			p.rooms.queued = map[string]bool{}
		}
		p.rooms.queued[chat] = true
		p.rooms.queue = append(p.rooms.queue, chat)
	}
	if !p.rooms.running && len(p.rooms.queue) > 0 {
		p.rooms.running = true
		p.cl.c.spawn(p.workRooms)
	}
}

// nextRoom takes a chat off the queue.
func (p *people) nextRoom() (chat string, ok bool) {
	p.rooms.mu.Lock()
	defer p.rooms.mu.Unlock()
	if len(p.rooms.queue) == 0 {
		p.rooms.queue, p.rooms.queued, p.rooms.running = nil, nil, false
		return "", false
	}
	chat, p.rooms.queue = p.rooms.queue[0], p.rooms.queue[1:]
	delete(p.rooms.queued, chat)
	return chat, true
}

func (p *people) workRooms(ctx context.Context) {
	ctx = p.cl.log.WithContext(ctx)
	pause := time.Minute / time.Duration(p.cl.c.Config.Limits.RoomsPerMinute)
	for ctx.Err() == nil && p.cl.IsLoggedIn() {
		chat, ok := p.nextRoom()
		if !ok {
			return
		}
		if made := p.makeRoom(ctx, chat); made && !sleep(ctx, pause) {
			break
		}
	}
	p.rooms.mu.Lock()
	p.rooms.queue, p.rooms.queued, p.rooms.running = nil, nil, false
	p.rooms.mu.Unlock()
}

// makeRoom makes one room; a failure that may pass is tried a few times. made is false when there was nothing to do.
func (p *people) makeRoom(ctx context.Context, chat string) (made bool) {
	for attempt := 1; attempt <= maxRefusals; attempt++ {
		room, err := p.roomOf(ctx, chat)
		if err == nil && (room != "" || p.isUndecided(ctx, chat)) {
			return made
		}
		if err == nil {
			made = true
			err = p.cl.inbound.ensureRoom(ctx, portalKey(p.cl.login.ID, chat))
		}
		if err == nil {
			return made
		}
		p.cl.log.Warn().Err(err).Msg("The room of a chat was not made")
		if errors.Is(err, errNoRoomAllowed) || !passing(err) || !sleep(ctx, backoff(attempt)) {
			return made
		}
	}
	return made
}

// roomOf is the room of a chat, empty when there is none. It asks the database: the framework changes its own record of a room without a lock that others could take.
func (p *people) roomOf(ctx context.Context, chat string) (id.RoomID, error) {
	stored, err := p.cl.c.br.DB.Portal.GetByKey(ctx, portalKey(p.cl.login.ID, chat))
	if err != nil || stored == nil {
		return "", err
	}
	return stored.MXID, nil
}
