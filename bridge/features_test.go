package bridge

import (
	"testing"

	"maunium.net/go/mautrix/event"

	"matrix-messenger/bridge/config"
	"matrix-messenger/xmppside"
)

func TestWhatWorksInRoomsHasAnIDThatChangesWithIt(t *testing.T) {
	of := func(cfg config.Config) *event.RoomFeatures {
		cfg.Domain = "chat.example"
		service, err := NewService(&cfg, xmppside.ServiceOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return (&Connector{Config: cfg, service: service}).features()
	}
	usual := of(config.Config{Reactions: config.AsNote, Redactions: config.AsNote})
	again := of(config.Config{Reactions: config.AsNote, Redactions: config.AsNote})
	refusing := of(config.Config{Reactions: config.Refuse, Redactions: config.Refuse})
	if usual.ID == "" || usual.ID != again.ID {
		t.Errorf("the same features have the IDs %q and %q", usual.ID, again.ID)
	}
	if refusing.ID == usual.ID {
		t.Error("other features have the same ID")
	}
	if !usual.Reaction.Partial() || !refusing.Reaction.Reject() || !usual.Delete.Partial() || !refusing.Delete.Reject() {
		t.Error("the settings are not what clients are told")
	}
	// A kind that is missing would be refused by the framework without a word of ours.
	for _, kind := range []event.CapabilityMsgType{
		event.MsgImage, event.MsgVideo, event.MsgAudio, event.MsgFile, event.CapMsgVoice, event.CapMsgGIF, event.CapMsgSticker,
	} {
		if usual.File[kind] == nil || usual.File[kind].GetMimeSupport("application/x-anything").Reject() {
			t.Errorf("%s is not taken", kind)
		}
	}
}
