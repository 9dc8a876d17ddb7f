package database

import (
	"context"
	"time"

	"go.mau.fi/util/dbutil"
)

// RequestDirection says who asked.
type RequestDirection string

// Directions of contact requests.
const (
	RequestIn  RequestDirection = "in"  // the contact asked the user
	RequestOut RequestDirection = "out" // the user asked the contact
)

// RequestState is what became of a contact request.
type RequestState string

// States of contact requests. Accepting and declining are the user's decision while the service has not been told yet.
const (
	RequestPending   RequestState = "pending"
	RequestAccepting RequestState = "accepting"
	RequestDeclining RequestState = "declining"
	RequestAccepted  RequestState = "accepted"
	RequestDeclined  RequestState = "declined"
	RequestWithdrawn RequestState = "withdrawn"
)

// Request is a contact request (messenger-protocol.md section 6.3); one per login, contact and direction.
type Request struct {
	LoginID    string
	JID        string // bare, lower case
	Direction  RequestDirection
	JIDAsSent  string
	State      RequestState
	Nick       string
	Text       string
	RoomID     string    // empty without a room, or RoomBeingMade
	CreatedAt  time.Time // of the pending request; a new one after a decision starts anew
	UpdatedAt  time.Time
	NotifiedAt time.Time // when the user was told how it stands in its present state
}

// RoomBeingMade stands for the room of a request from before it is asked for until its ID is stored: there may be one.
const RoomBeingMade = "?"

// RequestStore keeps contact requests and what was decided, so that a request that the service repeats at each sign-in is
// known.
type RequestStore struct{ db *Database }

// Open notes a request. fresh is true when there was none, or an earlier one had been decided (a declined contact may ask
// again): then it is pending from now on, without room. Else the stored one is returned, its nickname and text brought up
// to date while it is pending.
func (s *RequestStore) Open(ctx context.Context, request Request) (stored Request, fresh bool, err error) {
	err = s.db.Write(ctx, func(ctx context.Context) error {
		before, found, err := s.Get(ctx, request.LoginID, request.JID, request.Direction)
		if err != nil {
			return err
		}
		fresh = !found || before.Decided()
		stored = before
		if fresh {
			stored = request
			stored.State, stored.RoomID = RequestPending, ""
			stored.CreatedAt, stored.NotifiedAt = time.Now(), time.Time{}
			return s.Put(ctx, stored)
		}
		if request.Nick != "" {
			stored.Nick = request.Nick
		}
		if request.Text != "" {
			stored.Text = request.Text
		}
		if stored == before {
			return nil
		}
		return s.Put(ctx, stored)
	})
	return stored, fresh && err == nil, err
}

// Decided tells that nothing more is to be done about a request.
func (r Request) Decided() bool {
	return r.State == RequestAccepted || r.State == RequestDeclined || r.State == RequestWithdrawn
}

// Put stores a request as it is given.
func (s *RequestStore) Put(ctx context.Context, r Request) error {
	if r.JIDAsSent == "" {
		r.JIDAsSent = r.JID
	}
	_, err := s.db.exec(ctx, `
		INSERT INTO messenger_request (login_id, jid, direction, jid_as_sent, state, nick, request_text, room_id, created_at, updated_at, notified_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
		ON CONFLICT (login_id, jid, direction) DO UPDATE SET
			jid_as_sent=excluded.jid_as_sent, state=excluded.state, nick=excluded.nick, request_text=excluded.request_text,
			room_id=excluded.room_id, created_at=excluded.created_at, updated_at=excluded.updated_at, notified_at=excluded.notified_at
	`, r.LoginID, r.JID, string(r.Direction), r.JIDAsSent, string(r.State), r.Nick, r.Text, r.RoomID, millis(r.CreatedAt), millis(time.Now()), millis(r.NotifiedAt))
	return err
}

// Get reads one request.
func (s *RequestStore) Get(ctx context.Context, loginID, jid string, direction RequestDirection) (request Request, found bool, err error) {
	return queryOne(ctx, s.db, scanRequest, selectRequest+` WHERE login_id=$1 AND jid=$2 AND direction=$3`, loginID, jid, string(direction))
}

// ByRoom finds the request that a room was made for.
func (s *RequestStore) ByRoom(ctx context.Context, roomID string) (request Request, found bool, err error) {
	return queryOne(ctx, s.db, scanRequest, selectRequest+` WHERE room_id=$1 AND room_id<>'' ORDER BY updated_at DESC LIMIT 1`, roomID)
}

// List reads the requests of a login in a direction and state (empty: any), oldest first.
func (s *RequestStore) List(ctx context.Context, loginID string, direction RequestDirection, state RequestState) ([]Request, error) {
	return queryAll(ctx, s.db, scanRequest, selectRequest+`
		WHERE login_id=$1 AND ($2='' OR direction=$2) AND ($3='' OR state=$3) ORDER BY created_at, jid, direction
	`, loginID, string(direction), string(state))
}

// Decide moves a request from one of the given states to another, of which nobody has been told. moved is false when it was in none of them: then somebody
// else has decided.
func (s *RequestStore) Decide(ctx context.Context, loginID, jid string, direction RequestDirection, to RequestState, from ...RequestState) (moved bool, err error) {
	if len(from) == 0 {
		return false, nil
	}
	list, args := listOf(6, []any{loginID, jid, string(direction), string(to), millis(time.Now())}, stateNames(from))
	count, err := s.db.exec(ctx, `
		UPDATE messenger_request SET state=$4, updated_at=$5, notified_at=0 WHERE login_id=$1 AND jid=$2 AND direction=$3 AND state IN (`+list+`)
	`, args...)
	return count > 0, err
}

func stateNames(states []RequestState) []string {
	names := make([]string, len(states))
	for i, state := range states {
		names[i] = string(state)
	}
	return names
}

// SetRoom notes the room that was made for a request.
func (s *RequestStore) SetRoom(ctx context.Context, loginID, jid string, direction RequestDirection, roomID string) error {
	_, err := s.db.exec(ctx, `
		UPDATE messenger_request SET room_id=$4, updated_at=$5 WHERE login_id=$1 AND jid=$2 AND direction=$3
	`, loginID, jid, string(direction), roomID, millis(time.Now()))
	return err
}

// LoseRoom takes a room away from undecided requests of a login, because the room is no chat's any more. count is how many had it.
func (s *RequestStore) LoseRoom(ctx context.Context, loginID, roomID string) (count int64, err error) {
	return s.db.exec(ctx, `
		UPDATE messenger_request SET room_id='' WHERE login_id=$1 AND room_id=$2 AND direction='`+string(RequestIn)+`' AND state='`+string(RequestPending)+`'
	`, loginID, roomID)
}

// MarkNotified notes that the user was told about a request.
func (s *RequestStore) MarkNotified(ctx context.Context, loginID, jid string, direction RequestDirection) error {
	_, err := s.db.exec(ctx, `
		UPDATE messenger_request SET notified_at=$4 WHERE login_id=$1 AND jid=$2 AND direction=$3
	`, loginID, jid, string(direction), millis(time.Now()))
	return err
}

// Delete forgets a request.
func (s *RequestStore) Delete(ctx context.Context, loginID, jid string, direction RequestDirection) error {
	_, err := s.db.exec(ctx, `DELETE FROM messenger_request WHERE login_id=$1 AND jid=$2 AND direction=$3`, loginID, jid, string(direction))
	return err
}

const selectRequest = `
	SELECT login_id, jid, direction, jid_as_sent, state, nick, request_text, room_id, created_at, updated_at, notified_at FROM messenger_request`

func scanRequest(row dbutil.Scannable) (r Request, err error) {
	var direction, state string
	var createdAt, updatedAt, notifiedAt int64
	err = row.Scan(&r.LoginID, &r.JID, &direction, &r.JIDAsSent, &state, &r.Nick, &r.Text, &r.RoomID, &createdAt, &updatedAt, &notifiedAt)
	r.Direction, r.State = RequestDirection(direction), RequestState(state)
	r.CreatedAt, r.UpdatedAt, r.NotifiedAt = fromMillis(createdAt), fromMillis(updatedAt), fromMillis(notifiedAt)
	return r, err
}
