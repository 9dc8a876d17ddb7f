package chaos

import (
	"reflect"
	"testing"
)

func TestTheCheckerSeesEveryKindOfTrouble(t *testing.T) {
	for name, test := range map[string]struct {
		arrived []int
		want    Tally
		clean   bool
	}{
		"everything":               {[]int{1, 2, 3, 4}, Tally{Expected: 4}, true},
		"nothing":                  {nil, Tally{Expected: 4, Lost: []int{1, 2, 3, 4}}, false},
		"one lost":                 {[]int{1, 2, 4}, Tally{Expected: 4, Lost: []int{3}}, false},
		"one twice":                {[]int{1, 2, 2, 3, 4}, Tally{Expected: 4, Repeated: []int{2}}, false},
		"one three times":          {[]int{1, 2, 3, 2, 4, 2}, Tally{Expected: 4, Repeated: []int{2, 2}}, false},
		"two swapped":              {[]int{1, 3, 2, 4}, Tally{Expected: 4, Misordered: []int{2}}, false},
		"one that nobody sent":     {[]int{1, 2, 3, 4, 5, 0}, Tally{Expected: 4, Strange: []int{5, 0}}, false},
		"a repeat is not in order": {[]int{1, 2, 3, 4, 1}, Tally{Expected: 4, Repeated: []int{1}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			got := Count(4, test.arrived)
			if !reflect.DeepEqual(got, test.want) || got.Clean() != test.clean {
				t.Errorf("got %+v (clean: %v), want %+v", got, got.Clean(), test.want)
			}
		})
	}
}

func TestLossesAreToldAsRuns(t *testing.T) {
	if got, want := runs([]int{2, 3, 4, 8, 10, 11}), [][2]int{{2, 4}, {8, 8}, {10, 11}}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
