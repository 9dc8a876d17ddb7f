package bridge

import (
	"context"
	"encoding/json"
	"fmt"

	"matrix-messenger/database"
)

// noticeHeldBeyond stands below what was held of somebody who had written more than is kept.
var noticeHeldBeyond = fmt.Sprintf("Only the first %d messages that came before you accepted the request are shown here; later ones may be missing. "+
	"Other %s programs may still show them.", database.DefaultHeldMessages, service)

// dropHeld forgets what somebody wrote whose request came to nothing, in the transaction that says so. The service's
// archive still has it, and nobody is to see it there either: in a chat that there was before the request it counts as
// known, and any other is left alone.
func (p *people) dropHeld(ctx context.Context, who string) error {
	log, err := p.cl.c.db.ChatLog.Tail(ctx, p.cl.id(), who, 1)
	if err != nil {
		return err
	}
	if len(log) == 0 {
		if err = p.cl.c.db.ArchiveRead.Dismiss(ctx, p.cl.id(), who); err != nil {
			return err
		}
		return p.cl.c.db.Held.Delete(ctx, p.cl.id(), who)
	}
	held, err := p.cl.c.db.Held.ListAll(ctx, p.cl.id(), who)
	if err != nil {
		return err
	}
	for _, message := range held {
		var what incoming
		if json.Unmarshal(message.Body, &what) != nil {
			continue // a damaged row, which nothing could be recognised by
		}
		row := database.Incoming{LoginID: p.cl.id(), ChatID: who, DedupeKey: message.DedupeKey, Kind: kindMessage}
		if err = p.cl.logIncoming(ctx, row, what); err != nil {
			return err
		}
	}
	return p.cl.c.db.Held.Delete(ctx, p.cl.id(), who)
}
