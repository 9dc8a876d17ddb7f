package bridge

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"matrix-messenger/bridge/history/align"
	"matrix-messenger/database"
)

func pendingRows(keys ...string) (rows []queued) {
	for i, key := range keys {
		rows = append(rows, queued{Incoming: database.Incoming{Seq: int64(i + 1), DedupeKey: key}})
	}
	return rows
}

func never(database.Incoming) bool { return false }

// applied is the queue after a rearrangement.
func applied(pending []queued, rows []database.Incoming) (keys []string) {
	moved := map[int64]bool{}
	for _, row := range rows {
		moved[row.Seq] = true
	}
	for _, q := range pending {
		if !moved[q.Seq] {
			keys = append(keys, q.DedupeKey)
		}
	}
	for _, row := range rows {
		keys = append(keys, row.DedupeKey)
	}
	return keys
}

func TestMissedMessagesArePutInTheirPlacesAmongThoseThatWait(t *testing.T) {
	for _, test := range []struct {
		name    string
		pending []string
		fixed   int
		missing [][2]string // after, key
		want    []string
		moved   int
	}{
		{"nothing is missing", []string{"a", "b"}, 0, nil, []string{"a", "b"}, 0},
		{"nothing waits", nil, 0, [][2]string{{"", "x"}, {"logged", "y"}}, []string{"x", "y"}, 0},
		{"before everything", []string{"a", "b"}, 0, [][2]string{{"logged", "x"}}, []string{"x", "a", "b"}, 2},
		{"in between", []string{"a", "b", "c"}, 0, [][2]string{{"a", "x"}, {"b", "y"}, {"b", "z"}}, []string{"a", "x", "b", "y", "z", "c"}, 2},
		{"at the end nothing moves", []string{"a", "b"}, 0, [][2]string{{"b", "x"}}, []string{"a", "b", "x"}, 0},
		{"behind what is on its way", []string{"a", "b"}, 1, [][2]string{{"", "x"}}, []string{"a", "x", "b"}, 1},
		{"the order of the archive counts", []string{"a", "b"}, 0, [][2]string{{"a", "x"}, {"logged", "y"}}, []string{"a", "x", "y", "b"}, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			pending := pendingRows(test.pending...)
			var missing []placed
			for _, m := range test.missing {
				missing = append(missing, placed{after: m[0], row: database.Incoming{DedupeKey: m[1]}})
			}
			rows, err := arrange(pending, test.fixed, missing, never)
			if err != nil {
				t.Fatal(err)
			}
			if got := applied(pending, rows); !slices.Equal(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
			if moved := len(rows) - len(missing); moved != test.moved {
				t.Errorf("%d rows were moved, want %d", moved, test.moved)
			}
		})
	}
}

func TestAnyRearrangementKeepsEveryMessageOnceAndInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 12).Draw(t, "waiting")
		var keys []string
		for i := range n {
			keys = append(keys, fmt.Sprint("w", i))
		}
		pending := pendingRows(keys...)
		fixed := rapid.IntRange(0, min(n, 1)).Draw(t, "fixed")
		var missing []placed
		at := 0
		for i := range rapid.IntRange(0, 10).Draw(t, "missing") {
			at = rapid.IntRange(at, n).Draw(t, "place")
			after := ""
			if at > 0 {
				after = keys[at-1]
			}
			missing = append(missing, placed{after: after, row: database.Incoming{DedupeKey: fmt.Sprint("m", i)}})
		}
		rows, err := arrange(pending, fixed, missing, never)
		if err != nil {
			t.Fatal(err)
		}
		got := applied(pending, rows)
		if len(got) != n+len(missing) {
			t.Fatalf("%d messages became %v", n+len(missing), got)
		}
		index := map[string]int{}
		for i, key := range got {
			index[key] = i
		}
		if len(index) != len(got) {
			t.Fatalf("a message stands twice in %v", got)
		}
		for i := 1; i < n; i++ {
			if index[keys[i-1]] > index[keys[i]] {
				t.Fatalf("what waits is out of order: %v", got)
			}
		}
		for i, m := range missing {
			if i > 0 && index[fmt.Sprint("m", i-1)] > index[fmt.Sprint("m", i)] {
				t.Fatalf("what was missing is out of order: %v", got)
			}
			if m.after != "" && index[m.after] > index[m.row.DedupeKey] {
				t.Fatalf("%s does not follow %s in %v", m.row.DedupeKey, m.after, got)
			}
			if place := slices.Index(keys, m.after) + 1; place >= fixed && place < n && index[keys[place]] < index[m.row.DedupeKey] {
				t.Fatalf("%s does not precede %s in %v", m.row.DedupeKey, keys[place], got)
			}
		}
		if fixed == 1 && got[0] != keys[0] {
			t.Fatalf("what is on its way was moved: %v", got)
		}
	})
}

func TestARowThatMayHaveBeenSentKeepsTheMarkWhenItIsMoved(t *testing.T) {
	pending := pendingRows("left over", "new")
	pending[0].what.Text = "hello"
	rows, err := arrange(pending, 0, []placed{{row: database.Incoming{DedupeKey: "x"}}}, func(row database.Incoming) bool { return row.Seq == 1 })
	if err != nil {
		t.Fatal(err)
	}
	var what incoming
	if err = json.Unmarshal(rows[1].Body, &what); err != nil || !what.Tried || what.Text != "hello" {
		t.Errorf("the moved row holds %s (%v)", rows[1].Body, err)
	}
	if len(rows[2].Body) != 0 {
		t.Errorf("a row of this run was marked: %s", rows[2].Body)
	}
}

func TestThePartsOfASplitMessageStandTogether(t *testing.T) {
	list := []align.LogEntry{{Key: "1"}, {Key: "a1", Group: "a"}, {Key: "2"}, {Key: "b1", Group: "b"}, {Key: "a2", Group: "a"}, {Key: "3"}, {Key: "b2", Group: "b"}}
	var keys []string
	for _, l := range together(list) {
		keys = append(keys, l.Key)
	}
	if want := []string{"1", "a1", "a2", "2", "b1", "b2", "3"}; !slices.Equal(keys, want) {
		t.Errorf("got %v, want %v", keys, want)
	}
}
