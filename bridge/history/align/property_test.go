package align

import (
	"flag"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestMain asks for more histories than the generator's default, and always for the same ones, so that a change is judged
// and not the day. Either can be set on the command line: -rapid.seed=0 -rapid.checks=40000 looks for new ones.
func TestMain(m *testing.M) {
	for name, value := range map[string]string{"rapid.checks": "2000", "rapid.seed": "20120601"} {
		if slices.ContainsFunc(os.Args, func(arg string) bool { return strings.Contains(arg, name) }) {
			continue
		}
		if err := flag.Set(name, value); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// enough is how many histories of the certain kind each property must have seen. The generator makes a fifth of them under -short.
func enough() int {
	if testing.Short() {
		return 200
	}
	return 1000
}

func TestAThousandHistoriesWithAKnownOffset(t *testing.T) {
	seen := 0
	rapid.Check(t, func(t *rapid.T) {
		skew := time.Duration(rapid.Int64Range(-3_600_000, 3_600_000).Draw(t, "skew")) * time.Millisecond
		wrong := time.Duration(rapid.Int64Range(-2000, 2000).Draw(t, "wrong")) * time.Millisecond
		w := draw(t, skew, rapid.IntRange(0, 10).Draw(t, "unique texts"))
		if !w.certain() {
			return
		}
		seen++
		check(t, w, Align(w.log, w.tail, Options{Offset: skew + wrong, OffsetKnown: true}))
	})
	if seen < enough() {
		t.Errorf("only %d histories were certain", seen)
	}
}

func TestAThousandHistoriesThatShowTheOffset(t *testing.T) {
	seen := 0
	rapid.Check(t, func(t *rapid.T) {
		skew := time.Duration(rapid.Int64Range(-300_000, 300_000).Draw(t, "skew")) * time.Millisecond
		w := draw(t, skew, rapid.IntRange(7, 10).Draw(t, "unique texts"))
		if !w.certain() || !w.shown(2) {
			return
		}
		seen++
		r := Align(w.log, w.tail, Options{})
		if off := (r.Offset - skew).Abs(); off > tight || !r.OffsetKnown {
			t.Errorf("the offset is %v, known %v; it was %v", r.Offset, r.OffsetKnown, skew)
		}
		check(t, w, r)
	})
	if seen < enough() {
		t.Errorf("only %d histories were certain", seen)
	}
}

// check compares a result with the truth.
func check(t *rapid.T, w *world, r Result) {
	wellFormed(t, w, r)
	// Nothing lost, nothing twice: of each class exactly as many are missing as were missed. Which of several with one
	// text and about one time they are is nobody's concern.
	want, got := make(map[class]int), make(map[class]int)
	for _, m := range w.in {
		if m.fate == missed {
			want[m.class]++
		}
	}
	for _, m := range r.Missing {
		e := w.tail[m.Index]
		got[class{e.Mine, e.Hash}]++
	}
	for _, m := range w.in {
		if want[m.class] != got[m.class] {
			t.Errorf("%d messages %v are missing, the result names %d", want[m.class], m.class, got[m.class])
		}
	}
	for _, key := range r.Absent {
		if w.of[key].fate != lost {
			t.Errorf("%s is in the archive, or was, and is called absent", key)
		}
	}
	for _, key := range r.Arrived {
		if w.of[key].fate == lost {
			t.Errorf("%s did not arrive, and is called so", key)
		}
	}
	for _, key := range r.Undecided {
		m := w.of[key]
		if m.fate == arrived && m.tail >= 0 {
			t.Errorf("%s is in the tail, and is called undecided", key)
		}
		if m.fate == lost && len(w.tail) > 0 && !w.truncated {
			t.Errorf("%s did not arrive, the whole archive is there, and it is called undecided", key)
		}
	}
	if len(w.tail) > 0 && w.once(w.in[0].class) {
		if gap := w.truncated && len(w.log) > 0 && w.in[0].fate == missed; r.Gap != gap {
			t.Errorf("gap is %v", r.Gap)
		}
	}
}

// once says whether a class has one message only.
func (w *world) once(c class) bool {
	n := 0
	for _, m := range w.messages {
		if m.class == c {
			n++
		}
	}
	return n == 1
}

// wellFormed checks what holds of every result, certain or not: each archived message is found or missing, each logged
// one found once at most and of the same class, each uncertain one judged once, and places agree with the tail's order.
func wellFormed(t *rapid.T, w *world, r Result) {
	at := make(map[string]int)
	state := make(map[string]State)
	for i, e := range w.log {
		at[e.Key] = i
		state[e.Key] = e.State
	}
	index := make([]int, len(w.tail)) // of the log, -1 for missing
	for i := range index {
		index[i] = -2
	}
	used := make(map[string]bool)
	for _, f := range r.Found {
		if index[f.Index] != -2 || len(f.Keys) != 1 || used[f.Keys[0]] {
			t.Fatalf("found twice: %+v", f)
		}
		l, e := w.log[at[f.Keys[0]]], w.tail[f.Index]
		if l.Mine != e.Mine || l.Hash != e.Hash {
			t.Fatalf("%+v is taken for %+v", l, e)
		}
		used[f.Keys[0]] = true
		index[f.Index] = at[f.Keys[0]]
	}
	place := make([]int, len(w.tail))
	for _, m := range r.Missing {
		if index[m.Index] != -2 {
			t.Fatalf("found or missing twice: %+v", m)
		}
		index[m.Index] = -1
		place[m.Index] = -1
		if m.After != "" {
			place[m.Index] = at[m.After]
		}
	}
	if slices.Contains(index, -2) {
		t.Fatalf("an archived message is neither found nor missing: %v", index)
	}
	judged := slices.Concat(r.Arrived, r.Absent, r.Undecided)
	for _, key := range judged {
		if state[key] != Uncertain {
			t.Fatalf("%q is judged twice, or was certain", key)
		}
		state[key] = Confirmed
	}
	for key, s := range state {
		if s == Uncertain {
			t.Fatalf("%s is not judged", key)
		}
	}
	if !slices.IsSorted(known(index)) {
		return // messages crossed: no place agrees with both orders
	}
	for i := range index {
		for j := range i {
			switch {
			case index[i] == -1 && index[j] == -1 && place[j] > place[i],
				index[i] == -1 && index[j] >= 0 && place[i] < index[j],
				index[i] >= 0 && index[j] == -1 && place[j] >= index[i]:
				t.Fatalf("the order of %d and %d is turned round: found at %v, missing after %v", j, i, index, place)
			}
		}
	}
}

func known(index []int) []int {
	var found []int
	for _, i := range index {
		if i >= 0 {
			found = append(found, i)
		}
	}
	return found
}

func TestNoHistoryBreaksTheRules(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		skew := time.Duration(rapid.Int64Range(-300, 300).Draw(t, "skew")) * time.Second
		w := draw(t, skew, rapid.IntRange(0, 5).Draw(t, "unique texts"))
		opts := Options{
			Offset:      time.Duration(rapid.Int64Range(-60, 60).Draw(t, "offset")) * time.Second,
			OffsetKnown: rapid.Bool().Draw(t, "known"),
			Whole:       rapid.Bool().Draw(t, "whole"),
			Capacity:    rapid.IntRange(0, 20).Draw(t, "capacity"),
			Break:       start.Add(time.Duration(rapid.Int64Range(0, 10_000).Draw(t, "break")) * time.Second),
		}
		// A service that tells no times, that forgot some messages, or that shows some twice.
		for i := 0; i < len(w.tail); i++ {
			switch rapid.IntRange(0, 9).Draw(t, "fault") {
			case 0:
				w.tail[i].Time = time.Time{}
			case 1:
				w.tail = slices.Delete(w.tail, i, i+1)
			case 2:
				w.tail = slices.Insert(w.tail, i, w.tail[i])
				i++
			}
		}
		wellFormed(t, w, Align(w.log, w.tail, opts))
	})
}
