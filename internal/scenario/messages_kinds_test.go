package scenario_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"matrix-messenger/internal/scenario"
)

// place is a location message.
var place = &event.MessageEventContent{MsgType: event.MsgLocation, Body: "The old mill", GeoURI: "geo:48.20849,16.37208;u=10"}

// poll is a poll as clients send it.
func poll(question string, answers ...string) map[string]any {
	choices := make([]map[string]any, len(answers))
	for i, answer := range answers {
		choices[i] = map[string]any{"id": fmt.Sprint(i), "org.matrix.msc1767.text": answer}
	}
	return map[string]any{
		"org.matrix.msc1767.text": question,
		"org.matrix.msc3381.poll.start": map[string]any{
			"kind": "org.matrix.msc3381.poll.disclosed", "max_selections": 1, "answers": choices,
			"question": map[string]any{"org.matrix.msc1767.text": question},
		},
	}
}

func TestPlacesPollsThreadsAndCommandsEachHaveTheirWay(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.ServiceSends("mary", "where is it?")
	question := s.RoomShows("mary", "where is it?").ID

	s.UserPosts("mary", place)
	s.ContactReceives("mary", "The old mill (48.20849, 16.37208): https://www.openstreetmap.org/?mlat=48.20849&mlon=16.37208#map=16/48.20849/16.37208")

	start := s.UserSendsEvent("mary", event.EventUnstablePollStart, poll("Coffee or tea?", "Coffee", "Tea"))
	s.ContactReceives("mary", "Poll: Coffee or tea?\n1. Coffee\n2. Tea")
	s.UserSendsEvent("mary", event.Type{Type: "m.poll.start", Class: event.MessageEventType}, map[string]any{"m.poll": map[string]any{
		"question": map[string]any{"m.text": []map[string]any{{"body": "Milk?"}}},
		"answers":  []map[string]any{{"m.id": "a", "m.text": []map[string]any{{"body": "Yes"}}}, {"m.id": "b", "m.text": []map[string]any{{"body": "No"}}}},
	}})
	s.ContactReceives("mary", "Poll: Milk?\n1. Yes\n2. No")
	vote := s.UserSendsEvent("mary", event.EventUnstablePollResponse, map[string]any{
		"m.relates_to":                     map[string]any{"rel_type": "m.reference", "event_id": start},
		"org.matrix.msc3381.poll.response": map[string]any{"answers": []string{"1"}},
	})
	s.NoticeOn("mary", vote, "Messenger has no polls")

	live, err := s.Alice.SetState(s.Room("mary"), event.Type{Type: "org.matrix.msc3672.beacon_info", Class: event.StateEventType}, s.Alice.ID.String(), map[string]any{
		"live": true, "timeout": 60000, "description": "on my way",
	})
	if err != nil {
		t.Fatal(err)
	}
	s.NoticeOn("mary", live, "cannot follow a live location")

	thread := &event.MessageEventContent{MsgType: event.MsgText, Body: "behind the church"}
	thread.RelatesTo = (&event.RelatesTo{}).SetThread(question, question)
	s.UserPosts("mary", thread)
	s.ContactReceives("mary", "> Mary: where is it?\nbehind the church")

	s.UserPosts("mary", &event.MessageEventContent{MsgType: event.MsgNotice, Body: "a program speaks"})
	s.UserSends("mary", "!messenger id")
	s.RoomTells("mary", "This room is bridged to")
	call := s.UserSendsEvent("mary", event.CallInvite, map[string]any{"call_id": "1", "version": "1", "lifetime": 60000})
	s.NoticeOn("mary", call, "calls are not possible")
	s.NothingElseWasSaid()
}

// file is a file of the user that is on the homeserver.
func file(s *scenario.Scenario, kind event.MessageType, name, mimeType, caption string, data []byte) *event.MessageEventContent {
	content := &event.MessageEventContent{
		MsgType: kind, Body: name, URL: s.Alice.Upload(name, mimeType, data), Info: &event.FileInfo{MimeType: mimeType, Size: len(data)},
	}
	if caption != "" {
		content.Body, content.FileName = caption, name
	}
	return content
}

func TestFilesAreRefusedInWordsWhileNobodyOutsideCouldFetchThem(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.ServiceSends("mary", "show me")
	s.RoomShows("mary", "show me")
	picture := s.UserPosts("mary", file(s, event.MsgImage, "mill.jpg", "image/jpeg", "the mill", []byte("JPEG")))
	s.NoticeOn("mary", picture, "Your administrator can switch that on")
	sticker := s.UserSendsEvent("mary", event.EventSticker, file(s, "", "Cat", "image/png", "", []byte("PNG")))
	s.NoticeOn("mary", sticker, "public_media")
	s.NothingElseWasSaid()
}

func TestFilesArriveAsALinkToThem(t *testing.T) {
	const outside = "https://bridge.contoso.example"
	s := scenario.Start(t, scenario.Options{Sections: map[string]map[string]any{
		"appservice":   {"public_address": outside},
		"public_media": {"enabled": true, "use_database": true, "signing_key": "a key of the scenario"},
	}})
	s.LoginWithToken()
	s.ServiceSends("mary", "show me")
	s.RoomShows("mary", "show me")
	voice := file(s, event.MsgAudio, "Voice message.ogg", "audio/ogg", "", []byte("OGG"))
	voice.MSC3245Voice, voice.Info.Duration = &event.MSC3245Voice{}, 7000
	sticker := file(s, "", "Cat", "image/png", "", []byte("PNG"))
	for _, sent := range []struct {
		what, start, end, data string
		send                   func() id.EventID
	}{
		{"a picture with a caption", "mill.jpg (picture, image/jpeg, 4 bytes): ", "\nthe mill", "JPEG", func() id.EventID {
			return s.UserPosts("mary", file(s, event.MsgImage, "mill.jpg", "image/jpeg", "the mill", []byte("JPEG")))
		}},
		{"a film", "mill.mp4 (video, video/mp4, 4 bytes): ", "", "MPEG", func() id.EventID {
			return s.UserPosts("mary", file(s, event.MsgVideo, "mill.mp4", "video/mp4", "", []byte("MPEG")))
		}},
		{"a file", "list.txt (file, text/plain, 4 bytes): ", "", "milk", func() id.EventID {
			return s.UserPosts("mary", file(s, event.MsgFile, "list.txt", "text/plain", "", []byte("milk")))
		}},
		{"a voice message", "voice message (audio/ogg, 0:07, 3 bytes): ", "", "OGG", func() id.EventID { return s.UserPosts("mary", voice) }},
		{"a sticker", "Cat (sticker, 3 bytes): ", "", "PNG", func() id.EventID { return s.UserSendsEvent("mary", event.EventSticker, sticker) }},
	} {
		sent.send()
		line := s.ContactReads("mary")
		link, startsSo := strings.CutPrefix(line, sent.start)
		link, endsSo := strings.CutSuffix(link, sent.end)
		path, isOutside := strings.CutPrefix(link, outside)
		if !startsSo || !endsSo || !isOutside || strings.ContainsAny(link, " \n") {
			t.Fatalf("%s arrived as %q", sent.what, line)
		}
		if data := fetch(t, s.BridgeURL()+path); data != sent.data {
			t.Errorf("the link of %s leads to %q", sent.what, data)
		}
	}
	s.NothingElseWasSaid()
}

func fetch(t *testing.T, address string) string {
	t.Helper()
	resp, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v", address, resp.Status, err)
	}
	return string(data)
}

func TestMessengersEmoticonCodesAreTranslatedBothWaysWhenAskedTo(t *testing.T) {
	s := scenario.Start(t, scenario.Options{Network: map[string]any{"emoticons": true}})
	s.LoginWithToken()
	s.ServiceSends("mary", "hello :) (K) http://x.example/:D")
	s.RoomShows("mary", "hello 🙂 💋 http://x.example/:D")
	s.UserSends("mary", "fine 😃 thanks")
	s.ContactReceives("mary", "fine :D thanks")
	s.NothingElseWasSaid()
}

func TestOddStanzasOfOtherProgramsAreShownOrIgnoredButDoNoHarm(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.ServiceSends("mary", "hello")
	s.RoomShows("mary", "hello")
	from, to := s.Contact("mary").ProgramJID(), s.User().JID()
	stanza := func(attributes, inside string) {
		s.Service.SendRaw(to, fmt.Sprintf("<message from='%s' to='%s' %s>%s</message>", from, to, attributes, inside))
	}
	stanza("type='chat'", "<x xmlns='jabber:x:oob'><url>https://x.example</url></x>")                 // no body
	stanza("type='chat'", "<html xmlns='http://jabber.org/protocol/xhtml-im'><body>no</body></html>") // formatting without a body
	stanza("type='chat'", "<body/>")
	stanza("type='groupchat'", "<body>in a group</body>")
	stanza("", "<subject>a subject</subject><body>of type normal</body>")
	stanza("type='chat'", "<body>plain</body><html xmlns='http://jabber.org/protocol/xhtml-im'><body xmlns='http://www.w3.org/1999/xhtml'><b onclick='x()'>bold</b></body></html>")
	stanza("type='headline'", "<body xml:lang='de'>Kopfzeile</body>")
	s.RoomShows("mary", "of type normal", "plain", "Kopfzeile")
	s.NothingElseWasSaid()
}
