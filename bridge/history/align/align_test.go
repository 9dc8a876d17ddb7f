package align

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// start is when the tests' chats begin.
var start = time.Date(2012, 6, 1, 10, 0, 0, 0, time.UTC)

// parse reads messages as tests write them, one a word: direction, text, '@', seconds since start. A trailing '!' is an
// uncertain message, a leading '(' one that carries the service's stamp, a leading '=' one before which all is known, '#n' names its stream.
//
//	>hello@0 <hi@7 >how@12!
func parse(t testing.TB, chat string) []LogEntry {
	t.Helper()
	var log []LogEntry
	for i, word := range strings.Fields(chat) {
		var e LogEntry
		word, e.Stamped = strings.CutPrefix(word, "(")
		word, e.Known = strings.CutPrefix(word, "=")
		if rest, stream, ok := strings.Cut(word, "#"); ok {
			if _, err := fmt.Sscan(stream, &e.Stream); err != nil {
				t.Fatal(err)
			}
			word = rest
		}
		if rest, ok := strings.CutSuffix(word, "!"); ok {
			word, e.State = rest, Uncertain
		}
		text, at, ok := strings.Cut(word[1:], "@")
		var seconds float64
		if _, err := fmt.Sscan(at, &seconds); err != nil || !ok {
			t.Fatalf("%q is no message: %v", word, err)
		}
		e.Key = fmt.Sprintf("%d:%s", i, text)
		e.Mine = word[0] == '>'
		e.Hash = Hash(text)
		e.Time = start.Add(time.Duration(seconds * float64(time.Second)))
		log = append(log, e)
	}
	return log
}

func parseTail(t testing.TB, chat string) []Entry {
	t.Helper()
	var tail []Entry
	for _, e := range parse(t, chat) {
		tail = append(tail, Entry{Mine: e.Mine, Hash: e.Hash, Time: e.Time})
	}
	return tail
}

// merged is the log with the missing messages in their places, marked +, by their texts.
func merged(log []LogEntry, tail []Entry, r Result) string {
	after := make(map[string][]string)
	for _, m := range r.Missing {
		after[m.After] = append(after[m.After], "+"+string(tail[m.Index].Hash))
	}
	words := after[""]
	for _, e := range log {
		words = append(words, string(e.Hash))
		words = append(words, after[e.Key]...)
	}
	return strings.Join(words, " ")
}

// texts are the texts of keys.
func texts(keys []string) string {
	var words []string
	for _, key := range keys {
		_, text, _ := strings.Cut(key, ":")
		words = append(words, text)
	}
	return strings.Join(words, " ")
}

func TestWhatATailSays(t *testing.T) {
	known := Options{OffsetKnown: true}
	for _, c := range []struct {
		name, log, tail string
		opts            Options
		merged          string
		arrived         string
		absent          string
		undecided       string
		gap             bool
	}{
		{name: "a new chat", tail: "<a@0 >b@9", merged: "+a +b"},
		{name: "nothing known of a full tail is no gap in a new chat", tail: "<a@0 <b@1 <c@2 <d@3 <e@4 <f@5 <g@6 <h@7 <i@8 <j@9", merged: "+a +b +c +d +e +f +g +h +i +j"},
		{name: "an empty archive", log: "<a@0 >b@5", merged: "a b"},
		{name: "all is known", log: "<a@0.4 >b@5.8", tail: "<a@0 >b@5", merged: "a b"},
		{name: "missed at the end, from both sides", log: "<a@0 >b@5", tail: "<a@0 >b@5 <c@60 >d@70", merged: "a b +c +d"},
		{name: "missed in the middle", log: "<a@0 >d@90", tail: "<a@0 <b@30 >c@60 >d@90", merged: "a +b +c d"},
		{name: "the direction counts", log: "<ok@0", tail: "<ok@0 >ok@0", merged: "ok +ok"},
		{
			name: "ok five times, two of them missed", log: "<ok@0 <ok@60 <ok@180", tail: "<ok@0 <ok@60 <ok@120 <ok@180 <ok@240",
			merged: "ok ok +ok ok +ok",
		},
		{name: "ok five times within five seconds", log: "<ok@0.2 <ok@1.3 <ok@2.1 <ok@3.9 <ok@4.5", tail: "<ok@0 <ok@1 <ok@2 <ok@3 <ok@4", merged: "ok ok ok ok ok"},
		{
			name: "what is older than a full tail is left alone", log: "<ok@0 <ok@300", tail: "<ok@300 <b@301 <c@302 <d@303 <e@304 <f@305 <g@306 <h@307 <i@308 <ok@400",
			merged: "ok ok +b +c +d +e +f +g +h +i +ok",
		},
		{
			name: "a full tail that does not reach back", log: "<x@0 >y@5", tail: "<a@900 <b@901 <c@902 <d@903 <e@904 <f@905 <g@906 <h@907 <i@908 <j@909",
			merged: "x y +a +b +c +d +e +f +g +h +i +j", gap: true,
		},
		{
			name: "a full tail that reaches back by one", log: "<x@0 >y@5", tail: ">y@5 <b@901 <c@902 <d@903 <e@904 <f@905 <g@906 <h@907 <i@908 <j@909",
			merged: "x y +b +c +d +e +f +g +h +i +j",
		},
		{
			name: "a service that shows fewer than was thought", log: "<ok@0 <ok@100 >b@200 >c@300 <d@400", tail: "<d@400 <ok@460 >e@470",
			merged: "ok ok b c d +ok +e",
		},
		{
			name: "fewer than was thought, and none of them known", log: "<a@0 >b@100 >c@300!", tail: "<e@900",
			merged: "a b +e c", undecided: "c", gap: true,
		},
		{
			name: "a full tail that the service calls whole", log: "", tail: "<a@900 <b@901 <c@902", opts: Options{Capacity: 3, Whole: true, Break: start},
			merged: "+a +b +c",
		},
		{
			name: "a tail that begins with what came after the break", log: "<x@0 <y@600", tail: "<y@600 <z@601", opts: Options{Capacity: 2, Break: start.Add(60 * time.Second)},
			merged: "x y +z", gap: true,
		},
		{
			name: "a tail that begins before the break", log: "<x@50 <y@600", tail: "<w@40 <x@50 <y@600", opts: Options{Capacity: 3, OffsetKnown: true, Break: start.Add(60 * time.Second)},
			merged: "+w x y",
		},
		{
			name: "a tail that begins before the break, as far as is known", log: "<x@50 <y@600", tail: "<w@40 <x@50 <y@600", opts: Options{Capacity: 3, Break: start.Add(60 * time.Second)},
			merged: "+w x y", gap: true,
		},
		{
			name: "a tail that reaches back to what is known", log: "<w@30 =<x@50 <y@51", tail: "<x@50 <y@51 <z@51", opts: Options{Capacity: 3, Break: start.Add(50 * time.Second)},
			merged: "w x y +z",
		},
		{
			name: "a tail that reaches back to what came after the break, and before the archive was read", log: "=<x@50 >y@51 >z@51", tail: "<b@51 >y@51 >z@51",
			opts: Options{Capacity: 3, Break: start.Add(50 * time.Second)}, merged: "x +b y z", gap: true,
		},
		{
			name: "nothing was said before, and more than the archive shows since", log: "", tail: "<a@60 <b@61 <c@62", opts: Options{Capacity: 3, Break: start.Add(50 * time.Second)},
			merged: "+a +b +c", gap: true,
		},
		{
			name: "the clocks are two minutes apart", log: "<a@0 >b@30 <c@70", tail: "<a@120 >b@150 <c@190 <d@250",
			merged: "a b c +d",
		},
		{
			name: "the clocks are two minutes apart, and ok five times", log: "<ok@0 <ok@11 <ok@35", tail: "<ok@120 <ok@131 <ok@155 <ok@190 <ok@200",
			merged: "ok ok ok +ok +ok",
		},
		{name: "one message that must be there shows the offset", log: "<a@0", tail: "<a@120 <b@130", merged: "a +b"},
		{
			name: "two identical messages two minutes apart, and clocks that agree", log: "<ok@0", tail: "<ok@0 <ok@120", merged: "ok +ok",
		},
		{
			name: "an ok of two minutes later in a full tail is another one", log: "<ok@0", tail: "<a@60 <b@70 <c@80 <d@90 <ok@120", opts: Options{Capacity: 5},
			merged: "ok +a +b +c +d +ok", gap: true,
		},
		{name: "a measured offset", log: "<a@0", tail: "<a@500 <b@510", opts: Options{Offset: 500 * time.Second, OffsetKnown: true}, merged: "a +b"},
		{name: "a stamp of the service needs no offset", log: "(<a@120 <b@30", tail: "<a@120 <b@150 <c@160", opts: Options{Offset: 120 * time.Second, OffsetKnown: true}, merged: "a b +c"},
		{name: "messages that crossed on the way", log: ">mine@10 <theirs@10.5", tail: "<theirs@10 >mine@10 <more@40", merged: "mine theirs +more"},
		{name: "stored messages that came late", log: "<live@100 (<stored@50 >answer@120", tail: "<stored@50 <live@100 >own@110 >answer@120", merged: "live stored +own answer"},
		{name: "late without a stamp", log: "<a@0 <b@95", tail: "<a@0 <b@10 <c@50", merged: "a b +c"},
		{name: "twice the same, late", log: "<ok@30 <ok@31", tail: "<ok@0 <x@0 <ok@1", opts: known, merged: "ok +x ok"},
		{name: "three times the same, late", log: "<ok@30 <ok@31 <ok@33", tail: "<ok@0 <x@0 <ok@1 <y@2 <ok@3", opts: known, merged: "ok +x ok +y ok"},

		{name: "an unconfirmed message that arrived", log: "<a@0 >b@5!", tail: "<a@0 >b@6", merged: "a b", arrived: "b"},
		{name: "an unconfirmed message that arrived late", log: "<a@0 >b@5!", tail: "<a@0 >b@100", opts: known, merged: "a b", arrived: "b"},
		{name: "an unconfirmed message that did not arrive", log: "<a@0 >b@5!", tail: "<a@0", merged: "a b", absent: "b"},
		{name: "what was missed comes before what is sent again", log: "<a@0 >b@5!", tail: "<a@0 <c@3 <d@9", merged: "a +c +d b", absent: "b"},
		{name: "the first arrived, the second did not", log: ">ok@0! >ok@1!", tail: ">ok@1", merged: "ok ok", arrived: "ok", absent: "ok"},
		{name: "the confirmed ok is the one in the archive", log: ">ok@0 >ok@2!", tail: ">ok@1", merged: "ok ok", absent: "ok"},
		{name: "an old ok proves nothing", log: ">ok@0 >ok@300!", tail: ">ok@0", merged: "ok ok", absent: "ok"},
		{name: "nobody writes before writing", log: ">x@0 >ok@60!", tail: ">x@0 >ok@30", opts: known, merged: "x +ok ok", absent: "ok"},
		{name: "an empty archive proves nothing", log: "<a@0 >b@5!", tail: "", merged: "a b", undecided: "b"},
		{name: "an archive that was switched off proves nothing", log: "<a@0 <c@3000 >b@3005!", tail: "<a@0", merged: "a c b", undecided: "b"},
		{
			name: "pushed out of the tail", log: ">a@0!", tail: "<b@100 <c@101 <d@102", opts: Options{Capacity: 3},
			merged: "+b +c +d a", undecided: "a", gap: true,
		},
		{name: "an earlier one on the stream of one that arrived", log: ">a@0!#7 >b@1!#7 >c@2!#7", tail: ">b@1", merged: "a b c", arrived: "a b", absent: "c"},
		{name: "an earlier one on another stream", log: ">a@0!#6 >b@1!#7", tail: ">b@1", merged: "a b", arrived: "b", absent: "a"},
	} {
		t.Run(c.name, func(t *testing.T) {
			log, tail := parse(t, c.log), parseTail(t, c.tail)
			r := Align(log, tail, c.opts)
			if got := merged(log, tail, r); got != c.merged {
				t.Errorf("the chat is %q, want %q", got, c.merged)
			}
			if texts(r.Arrived) != c.arrived || texts(r.Absent) != c.absent || texts(r.Undecided) != c.undecided {
				t.Errorf("arrived %q, absent %q, undecided %q; want %q, %q, %q",
					texts(r.Arrived), texts(r.Absent), texts(r.Undecided), c.arrived, c.absent, c.undecided)
			}
			if r.Gap != c.gap {
				t.Errorf("gap %v", r.Gap)
			}
		})
	}
}

func TestTheOffsetIsMeasured(t *testing.T) {
	for _, c := range []struct {
		name, log, tail string
		opts            Options
		want            time.Duration
		known           bool
	}{
		{"two messages tell", "<a@0 <b@30", "<a@120 <b@150", Options{}, 2 * time.Minute, true},
		{"behind us", "<a@120 <b@150", "<a@0 <b@30", Options{}, -2 * time.Minute, true},
		{"nothing in common", "<a@0 <b@30", "<c@120 <d@150", Options{}, 0, false},
		{"a known one stays", "<a@0", "<c@120", Options{Offset: time.Minute, OffsetKnown: true}, time.Minute, true},
		{"a known one follows a clock that was set", "<a@0 <b@30 >c@40 >d@60 <e@63", "<a@120 <b@150 >c@160 >d@180 <e@183", Options{OffsetKnown: true}, 2 * time.Minute, true},
		{"one coincidence does not move a known one", "<ok@0", "<ok@120", Options{OffsetKnown: true, Capacity: 1}, 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := Align(parse(t, c.log), parseTail(t, c.tail), c.opts)
			if r.Offset != c.want || r.OffsetKnown != c.known {
				t.Errorf("%v, known %v; want %v, %v", r.Offset, r.OffsetKnown, c.want, c.known)
			}
		})
	}
}

func TestASplitMessage(t *testing.T) {
	log := parse(t, "<q@0 >one@10 >two@10.1 >three@10.2! <r@50")
	for i := 1; i <= 3; i++ {
		log[i].Group, log[i].Whole = "long", "whole"
	}
	for _, c := range []struct{ name, tail, merged, arrived, absent string }{
		{"the archive shows its parts", "<q@0 >one@10 >two@10 >three@10 <r@50 <s@60", "q one two three r +s", "three", ""},
		{"the archive shows it in one piece", "<q@0 >whole@10 <r@50 <s@60", "q one two three r +s", "three", ""},
		{"its last part did not arrive", "<q@0 >one@10 >two@10 <r@50", "q one two three r", "", "three"},
		{"the whole text again, in another client", "<q@0 >one@10 >two@10 >three@10 <r@50 >whole@70", "q one two three r +whole", "three", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			tail := parseTail(t, c.tail)
			r := Align(log, tail, Options{OffsetKnown: true})
			if got := merged(log, tail, r); got != c.merged || texts(r.Arrived) != c.arrived || texts(r.Absent) != c.absent {
				t.Errorf("%q, arrived %q, absent %q", got, texts(r.Arrived), texts(r.Absent))
			}
		})
	}
}

func TestAnArchiveWithoutTimes(t *testing.T) {
	log, tail := parse(t, "<ok@0 >b@5 <ok@9 >d@20!"), parseTail(t, ">b@0 <ok@0 <c@0 >d@0")
	for i := range tail {
		tail[i].Time = time.Time{}
	}
	r := Align(log, tail, Options{})
	if got := merged(log, tail, r); len(r.Missing) != 1 || !strings.Contains(got, "+c d") || texts(r.Arrived) != "d" {
		t.Errorf("%q, arrived %q", got, texts(r.Arrived))
	}
}

func TestLongListsAreCut(t *testing.T) {
	var log, chat strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&log, "<ok@%d ", 3*i)
		if i >= 1700 {
			fmt.Fprintf(&chat, "<ok@%d ", 3*i)
		}
	}
	tail := parseTail(t, chat.String())
	r := Align(parse(t, log.String()), tail, Options{})
	if len(r.Missing) != 0 || len(r.Found) != maxArchive || r.Found[len(r.Found)-1].Index != len(tail)-1 {
		t.Errorf("%d missing, %d found", len(r.Missing), len(r.Found))
	}
}

func BenchmarkAlign(b *testing.B) {
	var log, chat strings.Builder
	for i := range 60 {
		fmt.Fprintf(&log, "<ok@%d ", 7*i)
		if i >= 52 {
			fmt.Fprintf(&chat, "<ok@%d ", 7*i)
		}
	}
	l, tail := parse(b, log.String()), parseTail(b, chat.String()+"<new@500 <ok@600")
	b.ReportAllocs()
	for b.Loop() {
		Align(l, tail, Options{})
	}
}

func TestWhatWasMissedStandsBetweenTheSessionsWhateverTheClocksSay(t *testing.T) {
	since := start.Add(60 * time.Second)
	for _, c := range []struct {
		name, log, tail, merged string
		offset                  time.Duration
	}{
		{"before what came since", "<a@50 <live@62", "<m@60 <n@61", "a +m +n live", 0},
		{"before what came since, with clocks that are known badly", "<a@50 <live@61", "<m@60 <n@60", "a +m +n live", -3 * time.Second},
		{"after what was there, in the same second", "<a@59.9 <live@61", "<m@59 <n@60", "a +m +n live", 0},
		{"after what was there, with clocks that are known badly", "<a@59 <live@64", "<m@59 <n@60", "a +m +n live", 4 * time.Second},
		{"among what came since, when another program was used later", "<a@50 <live@61 <more@100", "<m@80", "a live +m more", 0},
		{"after what the service had stored", "<a@50 (<stored@58 <live@62", "<m@58", "a stored +m live", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			log, tail := parse(t, c.log), parseTail(t, c.tail)
			r := Align(log, tail, Options{Offset: c.offset, OffsetKnown: true, Since: since})
			if got := merged(log, tail, r); got != c.merged {
				t.Errorf("the chat is %q, want %q", got, c.merged)
			}
		})
	}
}
