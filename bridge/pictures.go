package bridge

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"sync"
	"time"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/id"

	"matrix-messenger/database"
	"matrix-messenger/xmppside/vcard"
)

// pictures fetches the vCards of contacts, with name and picture, when they are needed: of contacts that have a ghost in Matrix, or no other name; once a day at most, whether it
// went well or not; one at a time for each account, and cardsAtOnce over all. People who are not contacts are never asked about: the service does not tell, and
// would learn who is looked at.
type pictures struct {
	p *people

	mu      sync.Mutex
	queue   []string
	queued  map[string]bool
	running bool
}

const (
	// cardAge is how long a vCard, or the failure to get one, is good for.
	cardAge = 24 * time.Hour
	// cardPause is the pause between two vCards of one account.
	cardPause = 200 * time.Millisecond
	// cardTimeout bounds the wait for one.
	cardTimeout = 30 * time.Second
	// maxCardError is how much of an error is stored.
	maxCardError = 200
)

// want notes contacts whose vCard may be due. It returns at once.
func (q *pictures) want(chats ...string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, chat := range chats {
		if q.queued[chat] {
			continue
		}
		if q.queued == nil {
			q.queued = map[string]bool{}
		}
		q.queued[chat] = true
		q.queue = append(q.queue, chat)
	}
	if !q.running && len(q.queue) > 0 {
		q.running = true
		q.p.cl.c.spawn(q.work)
	}
}

func (q *pictures) next() (chat string, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.queue) == 0 {
		q.queue, q.queued, q.running = nil, nil, false
		return "", false
	}
	chat, q.queue = q.queue[0], q.queue[1:]
	delete(q.queued, chat)
	return chat, true
}

func (q *pictures) drop() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.queue, q.queued, q.running = nil, nil, false
}

func (q *pictures) work(ctx context.Context) {
	ctx = q.p.cl.log.WithContext(ctx)
	for {
		// What is still queued when a session ends is wanted again after the next roster.
		if ctx.Err() != nil || q.p.cl.session() == nil {
			q.drop()
			return
		}
		chat, ok := q.next()
		if !ok {
			return
		}
		asked, err := q.look(ctx, chat)
		if err != nil && ctx.Err() == nil {
			q.p.cl.log.Debug().Err(err).Msg("A contact's name and picture could not be brought up to date")
		}
		if asked && !sleep(ctx, cardPause) {
			q.drop()
			return
		}
	}
}

// look brings one contact up to date. asked tells whether the service was asked.
func (q *pictures) look(ctx context.Context, chat string) (asked bool, err error) {
	cl := q.p.cl
	contact, found, err := cl.c.db.Contact.Get(ctx, cl.id(), chat)
	if err != nil || !found || !isContact(contact) || time.Since(contact.VCardFetchedAt) < cardAge {
		return false, err
	}
	stored, err := cl.c.br.DB.Ghost.GetByID(ctx, networkid.UserID(chat))
	if err != nil || stored == nil && contact.Name != "" {
		return false, err
	}
	session := cl.session()
	if session == nil {
		return false, nil
	}
	cl.c.crowd.prepare()
	select {
	case cl.c.crowd.cards <- struct{}{}:
		defer func() { <-cl.c.crowd.cards }()
	case <-ctx.Done():
		return false, ctx.Err()
	}
	ask, cancel := context.WithTimeout(ctx, cardTimeout)
	defer cancel()
	card, _, err := vcard.Fetch(ask, session, contact.JIDAsSent)
	if err != nil {
		if session == cl.session() {
			err = q.failed(ctx, chat, err)
		}
		return true, err
	}
	photo, err := q.photo(ctx, card.Photo)
	if err != nil {
		// The name is good without the picture, which stays as it was.
		return true, q.store(ctx, chat, card, nil, false, err)
	}
	return true, q.store(ctx, chat, card, photo, true, nil)
}

// photo is the picture of a card, nil when it has none.
func (q *pictures) photo(ctx context.Context, photo *vcard.Photo) ([]byte, error) {
	switch {
	case photo == nil:
		return nil, nil
	case photo.URL == "":
		return photo.Data, nil
	}
	fetched, err := q.p.cl.c.crowd.pictures.Fetch(ctx, photo.URL)
	return fetched.Data, err
}

// failed notes that a vCard could not be had.
func (q *pictures) failed(ctx context.Context, chat string, reason error) error {
	_, _, err := q.p.cl.c.db.Contact.Update(ctx, q.p.cl.id(), chat, func(c *database.Contact) {
		c.VCardFetchedAt, c.VCardError = time.Now().Truncate(time.Millisecond), clip(reason.Error(), maxCardError)
	})
	return err
}

// store keeps what a card says and shows it on the ghost. An unchanged picture is not uploaded again.
func (q *pictures) store(ctx context.Context, chat string, card vcard.Card, photo []byte, photoKnown bool, reason error) error {
	cl := q.p.cl
	hash := ""
	if len(photo) > 0 {
		sum := sha256.Sum256(photo)
		hash = hex.EncodeToString(sum[:])
	}
	_, _, err := cl.c.db.Contact.Update(ctx, cl.id(), chat, func(c *database.Contact) {
		c.VCardFetchedAt, c.VCardError = time.Now().Truncate(time.Millisecond), ""
		if reason != nil {
			c.VCardError = clip(reason.Error(), maxCardError)
		}
		c.VCardName = card.Name()
	})
	if err != nil {
		return err
	}
	var picture func(database.Contact) *bridgev2.Avatar
	if photoKnown {
		picture = func(contact database.Contact) *bridgev2.Avatar { return avatar(hash, contact, photo) }
	}
	uploaded := true
	var mxc id.ContentURIString
	err = q.p.updateGhost(ctx, chat, time.Now().Add(ghostWait), func(ctx context.Context, ghost *bridgev2.Ghost) {
		q.p.showContact(ctx, ghost, picture)
		uploaded = hash == "" || ghost.AvatarID == networkid.AvatarID(hash) && ghost.AvatarMXC != ""
		mxc = ghost.AvatarMXC
	})
	if err != nil {
		return err
	}
	if !photoKnown {
		return nil
	}
	if !uploaded {
		return errors.New("the picture could not be given to the homeserver")
	}
	_, _, err = cl.c.db.Contact.Update(ctx, cl.id(), chat, func(c *database.Contact) {
		c.PhotoHash, c.AvatarMXC = hash, string(mxc)
		if hash == "" || mxc == "" { // no picture, or no ghost to show it
			c.PhotoHash, c.AvatarMXC = "", ""
		}
	})
	return err
}

// avatar is a contact's picture for the framework. Its ID is the hash, by which the framework knows a picture that the ghost already has.
func avatar(hash string, contact database.Contact, photo []byte) *bridgev2.Avatar {
	if hash == "" {
		if contact.PhotoHash == "" {
			return nil
		}
		return &bridgev2.Avatar{Remove: true}
	}
	picture := &bridgev2.Avatar{ID: networkid.AvatarID(hash)}
	if contact.PhotoHash == hash && contact.AvatarMXC != "" {
		picture.MXC = id.ContentURIString(contact.AvatarMXC)
		if sum, err := hex.DecodeString(hash); err == nil {
			copy(picture.Hash[:], sum)
		}
		return picture
	}
	picture.Get = func(context.Context) ([]byte, error) { return photo, nil }
	return picture
}
