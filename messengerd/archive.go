package messengerd

import (
	"fmt"
	"sort"
	"strconv"
	"strings"
	"time"
)

// archiveKept is how many messages are kept for each conversation.
const archiveKept = 200

// conversation is what one side has archived with one contact.
type conversation struct {
	With     string          `json:"with"` // bare JID of the other side
	Messages []archivedEntry `json:"messages"`
}

// archivedEntry is one archived message. There is no ID: the archive never had any.
type archivedEntry struct {
	Mine bool      `json:"mine"` // written by the account whose archive this is
	Body string    `json:"body"`
	At   time.Time `json:"at"`
}

// archiveMessage keeps a message for both sides, if one of them keeps a history
// (protocol, section 10).
func (s *Server) archiveMessage(from, to *Account, body string, at time.Time) {
	if !from.keep && !to.keep {
		return
	}
	from.keepEntry(to.jid, archivedEntry{Mine: true, Body: body, At: at})
	if to != from {
		to.keepEntry(from.jid, archivedEntry{Body: body, At: at})
	}
	s.changed()
}

func (a *Account) keepEntry(with string, e archivedEntry) {
	a.mu.Lock()
	defer a.mu.Unlock()
	key := strings.ToLower(with)
	c := a.archive[key]
	if c == nil {
		c = &conversation{With: with}
		a.archive[key] = c
	}
	c.Messages = append(c.Messages, e)
	if len(c.Messages) > archiveKept {
		c.Messages = append([]archivedEntry(nil), c.Messages[len(c.Messages)-archiveKept:]...)
	}
}

// archive answers XEP-0136 requests.
func (ses *session) archive(iq, child *element, kind string) {
	commands := ses.srv.sw().Archive.Commands
	switch {
	case child.name == "retrieve" && kind == "get" && (commands == "both" || commands == "retrieve"):
		ses.retrieve(iq, child)
	case child.name == "list" && kind == "get" && (commands == "both" || commands == "list"):
		ses.listArchive(iq, child)
	default:
		ses.refuse(iq, "feature-not-implemented")
	}
}

// entries copies a conversation out of the archive.
func (a *Account) entries(with string) (jid string, list []archivedEntry) {
	bare, _, _ := strings.Cut(with, "/")
	a.mu.Lock()
	defer a.mu.Unlock()
	c := a.archive[strings.ToLower(bare)]
	if c == nil {
		return bare, nil
	}
	return c.With, append([]archivedEntry(nil), c.Messages...)
}

// retrieve gives the latest messages with one contact, oldest first. Paging
// other than <max/> is ignored, as the documentation says.
func (ses *session) retrieve(iq, request *element) {
	sw := ses.srv.sw()
	with, start := request.attr("with"), request.attr("start")
	if with == "" || start == "" {
		ses.refuse(iq, "bad-request")
		return
	}
	bare, list := ses.account.entries(with)
	if sw.Archive.Start == "enforced" {
		list = collectionAt(split(list, sw.Archive.Split), start)
	}
	count := sw.Archive.Messages
	if n, err := strconv.Atoi(strings.TrimSpace(request.child(nsRSM, "set").childText(nsRSM, "max"))); err == nil && n >= 0 {
		count = min(count, n)
	}
	if len(list) > count {
		list = list[len(list)-count:]
	}
	if len(list) == 0 {
		ses.emptyArchive(iq, bare, start)
		return
	}
	ses.reply(iq, chatElement(bare, list))
}

// chatElement is a collection with its messages (protocol, section 13.8).
func chatElement(with string, list []archivedEntry) *element {
	begin := list[0].At.Truncate(time.Second)
	chat := el(nsArchive, "chat", "with", with, "start", stampOf(begin), "version", "0")
	before := begin
	for _, m := range list {
		at := m.At.Truncate(time.Second)
		if at.Before(before) {
			at = before // secs cannot be negative
		}
		name := "from"
		if m.Mine {
			name = "to"
		}
		secs := strconv.FormatInt(int64(at.Sub(before)/time.Second), 10)
		chat.with(el(nsArchive, name, "secs", secs).with(el(nsArchive, "body").withText(m.Body)))
		before = at
	}
	set := el(nsRSM, "set").with(el(nsRSM, "first", "index", "0").withText("0"),
		el(nsRSM, "last").withText(strconv.Itoa(len(list)-1)), el(nsRSM, "count").withText(strconv.Itoa(len(list))))
	return chat.with(set)
}

// listArchive lists the collections: one for each contact, or one for each
// stretch of conversation by the switch archive.split.
func (ses *session) listArchive(iq, request *element) {
	sw, a := ses.srv.sw(), ses.account
	with, _, _ := strings.Cut(request.attr("with"), "/")
	var list []archivedChat
	a.mu.Lock()
	for key, c := range a.archive {
		if with != "" && key != strings.ToLower(with) {
			continue
		}
		for _, part := range split(c.Messages, sw.Archive.Split) {
			list = append(list, archivedChat{c.With, part[0].At})
		}
	}
	a.mu.Unlock()
	list = within(list, request.attr("start"), request.attr("end"))
	sort.Slice(list, func(i, j int) bool {
		if !list[i].start.Equal(list[j].start) {
			return list[i].start.Before(list[j].start)
		}
		return list[i].with < list[j].with
	})
	if len(list) == 0 && sw.EmptyArchive == "item-not-found" {
		ses.refuse(iq, "item-not-found")
		return
	}
	answer := el(nsArchive, "list")
	for _, c := range list {
		answer.with(el(nsArchive, "chat", "with", c.with, "start", stampOf(c.start)))
	}
	ses.reply(iq, answer)
}

type archivedChat struct {
	with  string
	start time.Time
}

// within keeps the collections that begin between two XEP-0082 times.
func within(list []archivedChat, start, end string) []archivedChat {
	from, errFrom := time.Parse(time.RFC3339, start)
	until, errUntil := time.Parse(time.RFC3339, end)
	kept := list[:0]
	for _, c := range list {
		at := c.start.Truncate(time.Second)
		if (errFrom == nil && at.Before(from)) || (errUntil == nil && at.After(until)) {
			continue
		}
		kept = append(kept, c)
	}
	return kept
}

// split cuts messages into collections at pauses of at least gap; 0 never cuts.
func split(list []archivedEntry, gap time.Duration) [][]archivedEntry {
	if len(list) == 0 {
		return nil
	}
	var parts [][]archivedEntry
	begin := 0
	for i := 1; i < len(list); i++ {
		if gap > 0 && list[i].At.Sub(list[i-1].At) >= gap {
			parts = append(parts, list[begin:i])
			begin = i
		}
	}
	return append(parts, list[begin:])
}

// collectionAt finds the collection that starts at a time.
func collectionAt(parts [][]archivedEntry, start string) []archivedEntry {
	at, err := time.Parse(time.RFC3339, start)
	if err != nil {
		return nil
	}
	for _, part := range parts {
		if part[0].At.Truncate(time.Second).Equal(at.Truncate(time.Second)) {
			return part
		}
	}
	return nil
}

// emptyArchive is the "empty response", whose form nobody knows.
func (ses *session) emptyArchive(iq *element, with, start string) {
	switch ses.srv.sw().EmptyArchive {
	case "iq":
		ses.reply(iq, nil)
	case "list":
		ses.reply(iq, el(nsArchive, "list"))
	case "item-not-found":
		ses.refuse(iq, "item-not-found")
	default:
		ses.reply(iq, el(nsArchive, "chat", "with", with, "start", start))
	}
}

// AddHistory puts a message into the archives of both sides as if it had been
// sent at that time; nobody receives it.
func (s *Server) AddHistory(from, to, body string, at time.Time) error {
	a, b := s.Account(from), s.Account(to)
	if a == nil || b == nil {
		return fmt.Errorf("there is no account %q or %q", from, to)
	}
	s.archiveMessage(a, b, body, at)
	return nil
}
