package archive

import (
	"context"
	"sort"
	"strconv"
	"strings"

	"mellium.im/xmpp/jid"
	"mellium.im/xmpp/stanza"

	"matrix-messenger/xmppside/iq"
	"matrix-messenger/xmppside/xmltext"
)

const (
	// DefaultMax is how many messages the Messenger service gives at most.
	DefaultMax = 10
	// maxRequests bounds the requests of one Retrieve.
	maxRequests = 12
	// epoch is the start to ask with where it does not count.
	epoch = "1970-01-01T00:00:00Z"
)

// Retrieve asks for the latest max messages exchanged with a contact, DefaultMax when max is not positive, and gives them
// oldest first. All forms of "nothing there" give no entries and no error. An error means that the archive is not known:
// refused, silent or unreadable. It is "no history" too, but never a proof that a message did not arrive.
//
// Whether there are earlier ones nobody can tell: a service may count just what it sends.
func Retrieve(ctx context.Context, r iq.Requester, with jid.JID, max int) ([]Entry, error) {
	if max <= 0 {
		max = DefaultMax
	}
	q := &query{r: r, with: with.Bare(), max: max, left: maxRequests}
	first, err := q.retrieve(ctx, link{With: q.with.String(), Start: epoch}, "")
	switch {
	case iq.IsError(err, stanza.ItemNotFound, stanza.FeatureNotImplemented):
		// The start counts here, or only lists are answered.
		return q.fromList(ctx, err)
	case err != nil:
		return nil, err
	case first.XMLName.Local == "":
		return q.fromList(ctx, nil)
	case first.is("list") && len(first.Chats) > 0:
		return q.fromChats(ctx, first.Chats)
	case first.is("list"):
		return q.fromList(ctx, nil)
	case !first.is("chat") || !q.isWith(first.With):
		return nil, iq.ErrUnreadable
	case first.Next != nil && q.isWith(first.Next.With):
		// A server that took the epoch for "the first from then on": there are later ones.
		return q.fromList(ctx, iq.ErrUnreadable)
	}
	if len(first.entries()) == 0 && first.Previous == nil {
		// Nothing, or nothing that begins just then.
		return q.fromList(ctx, nil)
	}
	return q.fromCollection(ctx, first)
}

// query is one Retrieve under way.
type query struct {
	r    iq.Requester
	with jid.JID
	max  int
	left int // requests that may still be made
}

// isWith says whether an answer is about the contact asked for. An answer that does not say is.
func (q *query) isWith(with string) bool {
	if strings.TrimSpace(with) == "" {
		return true
	}
	other, err := jid.Parse(strings.TrimSpace(with))
	return err == nil && strings.EqualFold(other.Bare().String(), q.with.String())
}

// retrieve asks for one collection; page is XML to put into <set/> beside <max/>.
func (q *query) retrieve(ctx context.Context, which link, page string) (answer, error) {
	q.left--
	var a answer
	b := append([]byte(nil), `<retrieve xmlns="`+NS+`"`...)
	b = xmltext.AppendAttr(b, "with", which.With)
	b = xmltext.AppendAttr(b, "start", which.Start)
	b = append(b, `><set xmlns="`+NSPaging+`"><max>`+strconv.Itoa(q.max)+`</max>`+page+`</set></retrieve>`...)
	err := q.r.Request(ctx, iq.Request{Type: iq.Get, Payload: b}, &a)
	return a, err
}

// fromCollection makes the tail out of the latest collection and, where it is short, its earlier neighbours. Once there
// is something to show, a failure of a further request only ends the asking.
func (q *query) fromCollection(ctx context.Context, a answer) ([]Entry, error) {
	seen := map[string]bool{a.Start: true}
	var tail []Entry
	for {
		entries, earlier := q.lastPage(ctx, a)
		tail = append(entries, tail...)
		if earlier || len(tail) >= q.max {
			break
		}
		if a.Previous == nil || !q.follow(*a.Previous, seen) {
			break
		}
		previous, err := q.retrieve(ctx, *a.Previous, "")
		if err != nil || !previous.is("chat") || !q.isWith(previous.With) {
			break
		}
		a = previous
	}
	return q.cut(tail), nil
}

// follow says whether a link may be asked for: one that leads to this contact, to where this query was not yet, with a
// request left.
func (q *query) follow(to link, seen map[string]bool) bool {
	if q.left <= 0 || to.Start == "" || to.With == "" || seen[to.Start] || !q.isWith(to.With) {
		return false
	}
	seen[to.Start] = true
	return true
}

// lastPage is the end of a collection of which one page is here. earlier says that the collection has more before it.
func (q *query) lastPage(ctx context.Context, a answer) (entries []Entry, earlier bool) {
	before, after := a.Paging.missing(len(a.Children))
	if after && q.left > 0 && a.Start != "" {
		// XEP-0059 2.5: an empty <before/> asks for the last page.
		last, err := q.retrieve(ctx, link{With: q.with.String(), Start: a.Start}, "<before/>")
		if err == nil && last.is("chat") && q.isWith(last.With) && len(last.entries()) > 0 {
			a = last
			before, _ = a.Paging.missing(len(a.Children))
		}
	}
	return a.entries(), before
}

// fromList asks for the list of collections after a retrieve that did not find the latest one; refusal is what to return
// when the service has no lists, item-not-found and nil for "nothing there".
func (q *query) fromList(ctx context.Context, refusal error) ([]Entry, error) {
	q.left--
	var a answer
	b := append([]byte(nil), `<list xmlns="`+NS+`"`...)
	b = xmltext.AppendAttr(b, "with", q.with.String())
	// The last page, for servers that would give the first; the Messenger service ignores it.
	b = append(b, `><set xmlns="`+NSPaging+`"><max>`+strconv.Itoa(q.max)+`</max><before/></set></list>`...)
	err := q.r.Request(ctx, iq.Request{Type: iq.Get, Payload: b}, &a)
	switch {
	case err == nil && a.is("list"):
		return q.fromChats(ctx, a.Chats)
	case err != nil && !iq.IsError(err):
		return nil, err
	case iq.IsError(refusal, stanza.ItemNotFound), iq.IsError(err, stanza.ItemNotFound):
		return nil, nil
	}
	return nil, refusal
}

// fromChats retrieves the newest of the listed collections, and earlier ones until there are enough messages.
func (q *query) fromChats(ctx context.Context, chats []link) ([]Entry, error) {
	var own []link
	for _, c := range chats {
		if c.Start != "" && q.isWith(c.With) {
			if strings.TrimSpace(c.With) == "" {
				c.With = q.with.String()
			}
			own = append(own, c)
		}
	}
	sort.SliceStable(own, func(i, j int) bool { return own[i].at().After(own[j].at()) })
	var tail []Entry
	for i, c := range own {
		if q.left <= 0 || len(tail) >= q.max {
			break
		}
		a, err := q.retrieve(ctx, c, "")
		if i == 0 && err != nil && !iq.IsError(err, stanza.ItemNotFound) {
			return nil, err
		}
		if err != nil {
			break
		}
		if !a.is("chat") || !q.isWith(a.With) {
			continue
		}
		entries, earlier := q.lastPage(ctx, a)
		tail = append(entries, tail...)
		if earlier {
			break
		}
	}
	return q.cut(tail), nil
}

// cut leaves the latest max entries.
func (q *query) cut(tail []Entry) []Entry {
	return tail[max(0, len(tail)-q.max):]
}
