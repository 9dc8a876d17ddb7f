package stablesend

import (
	"context"
	"fmt"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/id"
)

// How far [Find] looks back: pages of /messages, newest first.
const (
	findPages = 3
	findPage  = 100
)

// Find looks for the event that was sent with a key among the newest 300 events of a room, as the given client (whose user has
// to be in the room). Where a key has several events, the newest is found. An event that was redacted has lost its mark and is
// not found. An error means that nothing is known, not that there is no event.
func Find(ctx context.Context, client *mautrix.Client, room id.RoomID, key string) (eventID id.EventID, found bool, err error) {
	mark := Mark(key)
	from := ""
	for range findPages {
		page, err := client.Messages(ctx, room, from, "", mautrix.DirectionBackward, nil, findPage)
		if err != nil {
			return "", false, fmt.Errorf("looking for a message in its room failed: %w", err)
		}
		for _, evt := range page.Chunk {
			if evt.Content.Raw[KeyProperty] == mark {
				return evt.ID, true, nil
			}
		}
		if page.End == "" || page.End == from || len(page.Chunk) == 0 {
			break
		}
		from = page.End
	}
	return "", false, nil
}
