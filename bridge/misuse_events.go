package bridge

import (
	"context"
	"encoding/json"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/event"
)

// Kinds of events that the framework does not know.
var (
	callTypes = []event.Type{
		event.CallInvite,
		{Type: "m.rtc.notification", Class: event.MessageEventType},
		{Type: "org.matrix.msc4075.rtc.notification", Class: event.MessageEventType},
	}
	liveLocation = event.Type{Type: "org.matrix.msc3672.beacon_info", Class: event.StateEventType}
	pollStart    = event.Type{Type: "m.poll.start", Class: event.MessageEventType}
)

func (c *Connector) refuseCall(ctx context.Context, evt *event.Event, portal *bridgev2.Portal) {
	if c.owner(portal) != nil {
		c.refuse(ctx, evt, "calls are not possible through this bridge, and your contact does not hear it ring.")
	}
}

func (c *Connector) refuseLiveLocation(ctx context.Context, evt *event.Event, portal *bridgev2.Portal) {
	if isLive, _ := evt.Content.Raw["live"].(bool); isLive && c.owner(portal) != nil {
		c.refuse(ctx, evt, service+" cannot follow a live location. Please send where you are as a single location.")
	}
}

// newPoll is the content of m.poll.start (client-server API, MSC 3381) as far as it is text.
type newPoll struct {
	Poll struct {
		Question textBlock `json:"question"`
		Answers  []struct {
			ID string `json:"m.id"`
			textBlock
		} `json:"answers"`
	} `json:"m.poll"`
}

type textBlock struct {
	Text []struct {
		Type string `json:"mimetype"`
		Body string `json:"body"`
	} `json:"m.text"`
}

// plain is the block's plain text.
func (b textBlock) plain() string {
	for _, form := range b.Text {
		if form.Type == "" || form.Type == "text/plain" {
			return form.Body
		}
	}
	return ""
}

// takePoll hands a poll in its final form to the framework as what it knows, the form before that.
func (c *Connector) takePoll(ctx context.Context, evt *event.Event, portal *bridgev2.Portal) {
	if c.owner(portal) == nil {
		return
	}
	raw, err := json.Marshal(evt.Content.Raw)
	if err != nil {
		return
	}
	var poll newPoll
	if err = json.Unmarshal(raw, &poll); err != nil || poll.Poll.Question.plain() == "" {
		c.refuse(ctx, evt, "the poll cannot be read. Please write it as a message.")
		return
	}
	content := &event.PollStartEventContent{}
	content.PollStart.Question.Text = poll.Poll.Question.plain()
	for _, answer := range poll.Poll.Answers {
		option := event.PollOption{ID: answer.ID}
		option.Text = answer.plain()
		content.PollStart.Answers = append(content.PollStart.Answers, option)
	}
	known := *evt
	known.Type = event.EventUnstablePollStart
	known.Content = event.Content{Parsed: content, Raw: evt.Content.Raw}
	c.br.QueueMatrixEvent(ctx, &known)
}
