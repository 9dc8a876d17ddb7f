package matrix

import (
	"context"
	"fmt"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// Invite is what an invite says before it is accepted.
type Invite struct {
	Room    *Room
	Inviter id.UserID
	Name    string // the inviter's display name
	Title   string // the room's
	Direct  bool
}

// WaitInvite waits for an invite that the client does not accept by itself, to a room titled so.
func (c *Client) WaitInvite(ctx context.Context, title string) (Invite, error) {
	var found Invite
	err := c.Wait(ctx, fmt.Sprintf("an invite to a room titled %q", title), func() bool {
		for _, roomID := range c.order {
			room := c.rooms[roomID]
			if room.membership == event.MembershipInvite && room.titleLocked() == title {
				found = Invite{
					Room: room, Inviter: room.inviter, Name: room.memberNameLocked(room.inviter), Title: title, Direct: room.direct,
				}
				return true
			}
		}
		return false
	})
	return found, err
}

// WaitPresence waits until /sync shows a user like this.
func (c *Client) WaitPresence(ctx context.Context, user id.UserID, state event.Presence, text string) error {
	var last event.PresenceEventContent
	err := c.Wait(ctx, fmt.Sprintf("%s to be shown as %s (%q)", user, state, text), func() bool {
		last = c.presence[user]
		return last.Presence == state && last.StatusMessage == text
	})
	if err != nil {
		return fmt.Errorf("%w; shown is %s (%q)", err, last.Presence, last.StatusMessage)
	}
	return nil
}

// Join accepts an invite and waits until the room is there.
func (r *Room) Join(ctx context.Context) error {
	if _, err := r.client.api.JoinRoomByID(ctx, r.id); err != nil {
		return err
	}
	return r.waitMembership(ctx, event.MembershipJoin)
}

// Leave leaves the room or rejects the invite to it.
func (r *Room) Leave(ctx context.Context) error {
	if _, err := r.client.api.LeaveRoom(ctx, r.id); err != nil {
		return err
	}
	return r.waitMembership(ctx, event.MembershipLeave)
}

// WaitGone waits until the user is neither in the room nor invited to it.
func (r *Room) WaitGone(ctx context.Context) error {
	return r.waitMembership(ctx, event.MembershipLeave)
}

func (r *Room) waitMembership(ctx context.Context, wanted event.Membership) error {
	return r.client.Wait(ctx, fmt.Sprintf("the membership in %s to be %q", r.id, wanted), func() bool { return r.membership == wanted })
}

// WaitMember waits until a user is in the room with a display name.
func (r *Room) WaitMember(ctx context.Context, user id.UserID, name string) error {
	var last member
	err := r.client.Wait(ctx, fmt.Sprintf("%s to be in the room %s as %q", user, r.id, name), func() bool {
		last = r.members[user]
		return last.membership == event.MembershipJoin && last.name == name
	})
	if err != nil {
		return fmt.Errorf("%w; it is there as %q (%s)", err, last.name, last.membership)
	}
	return nil
}

// WaitPicture waits until a user has a picture in the room, and returns its address.
func (r *Room) WaitPicture(ctx context.Context, user id.UserID) (id.ContentURIString, error) {
	var picture id.ContentURIString
	err := r.client.Wait(ctx, fmt.Sprintf("a picture of %s in the room %s", user, r.id), func() bool {
		picture = r.members[user].picture
		return picture != ""
	})
	return picture, err
}

// WaitTyping waits until the room shows that a user is typing, or is not.
func (r *Room) WaitTyping(ctx context.Context, user id.UserID, typing bool) error {
	return r.client.Wait(ctx, fmt.Sprintf("typing of %s in the room %s to be shown as %t", user, r.id, typing), func() bool {
		return r.typing[user] == typing
	})
}
