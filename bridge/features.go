package bridge

import (
	"maunium.net/go/mautrix/event"
)

// features tells clients what works in a room. It is one value for all rooms, made once: its ID is a hash of its contents.
func (c *Connector) features() *event.RoomFeatures {
	c.featuresOnce.Do(func() {
		c.roomFeatures = &event.RoomFeatures{
			MaxTextLength:       longestText,
			TypingNotifications: true,
		}
		c.roomFeatures.ID = "com.matrix-messenger." + c.roomFeatures.GetID()
	})
	return c.roomFeatures
}
