package presence

import (
	"fmt"
	"testing"
)

func on(show Show) State { return State{Available: true, Show: show} }

func TestSeveralPlacesMakeOneState(t *testing.T) {
	type step struct {
		resource string
		state    State
		want     State
		changed  bool
	}
	for _, c := range []struct {
		name  string
		steps []step
	}{
		{"the most available wins", []step{
			{"a", on(XA), on(XA), true},
			{"b", on(Away), on(Away), true},
			{"c", on(DND), on(DND), true},
			{"d", on(Online), on(Online), true},
			{"e", on(Chat), on(Chat), true},
			{"f", on(Away), on(Chat), false},
			{"e", State{}, on(Online), true},
			{"d", State{}, on(DND), true},
		}},
		{"the same twice changes nothing", []step{
			{"a", on(Away), on(Away), true},
			{"a", on(Away), on(Away), false},
		}},
		{"among equals the last heard wins", []step{
			{"a", State{true, Away, "one"}, State{true, Away, "one"}, true},
			{"b", State{true, Away, "two"}, State{true, Away, "two"}, true},
			{"a", State{true, Away, "one"}, State{true, Away, "one"}, true},
		}},
		{"the last one leaves with a word", []step{
			{"a", on(Online), on(Online), true},
			{"b", on(Away), on(Online), false},
			{"a", State{Status: "bye"}, on(Away), true},
			{"b", State{Status: "gone"}, State{Status: "gone"}, true},
			{"b", State{Status: "gone"}, State{Status: "gone"}, false},
			{"b", on(Online), on(Online), true},
			{"b", State{}, State{}, true},
		}},
		{"offline without a resource is offline everywhere", []step{
			{"a", on(Online), on(Online), true},
			{"b", on(Away), on(Online), false},
			{"", State{}, State{}, true},
			{"", State{}, State{}, false},
		}},
		{"someone unknown who leaves is no news", []step{{"a", State{}, State{}, false}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var a Aggregate
			for i, s := range c.steps {
				if changed := a.Update(s.resource, s.state); changed != s.changed || a.State() != s.want {
					t.Fatalf("step %d: %+v (changed %v), want %+v (%v)", i+1, a.State(), changed, s.want, s.changed)
				}
			}
		})
	}
}

func TestPresenceOutlivesTheStreamForAWhile(t *testing.T) {
	var a Aggregate
	a.Update("a", on(Online))
	a.Update("b", on(DND))
	a.MarkStale()
	if a.State() != on(Online) {
		t.Error("presence is lost with the stream")
	}
	if !a.Update("b", on(DND)) || a.State() != on(DND) || a.Resources() != 1 {
		t.Error("the old stream's word outlives the new stream's")
	}
	if a.Expire() || a.State() != on(DND) {
		t.Error("what the new stream said expired")
	}
	a.MarkStale()
	if !a.Expire() || a.State() != (State{}) || a.Expire() {
		t.Error("presence stays for ever after the stream")
	}
}

func TestResourcesAreBounded(t *testing.T) {
	var a Aggregate
	a.Update("good", on(Online))
	for i := range 10 * MaxResources {
		a.Update(fmt.Sprint("r", i), on(XA))
	}
	if a.Resources() != MaxResources || a.State() != on(Online) {
		t.Errorf("%d resources, %+v", a.Resources(), a.State())
	}
	if a.Update("good", State{}); a.State() != on(XA) {
		t.Errorf("%+v", a.State())
	}
}
