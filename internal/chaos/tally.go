package chaos

import (
	"fmt"
	"strings"
)

// Tally is what became of a numbered sequence on its way.
type Tally struct {
	Expected   int
	Lost       []int // numbers that never came, in order
	Repeated   []int // numbers that came again, once for each time
	Misordered []int // numbers that came first after a higher one
	Strange    []int // numbers that nobody sent
}

// Count compares the numbers that arrived, in the order of their arrival, with 1 to expected.
func Count(expected int, arrived []int) Tally {
	tally := Tally{Expected: expected}
	seen := make([]bool, expected+1)
	highest := 0
	for _, n := range arrived {
		switch {
		case n < 1 || n > expected:
			tally.Strange = append(tally.Strange, n)
			continue
		case seen[n]:
			tally.Repeated = append(tally.Repeated, n)
			continue
		case n < highest:
			tally.Misordered = append(tally.Misordered, n)
		}
		seen[n] = true
		highest = max(highest, n)
	}
	for n := 1; n <= expected; n++ {
		if !seen[n] {
			tally.Lost = append(tally.Lost, n)
		}
	}
	return tally
}

// Clean tells that everything came once and in order.
func (t Tally) Clean() bool {
	return len(t.Lost)+len(t.Repeated)+len(t.Misordered)+len(t.Strange) == 0
}

// String says what is wrong.
func (t Tally) String() string {
	var parts []string
	for _, part := range []struct {
		name string
		list []int
	}{{"lost", t.Lost}, {"repeated", t.Repeated}, {"misordered", t.Misordered}, {"never sent", t.Strange}} {
		if len(part.list) > 0 {
			parts = append(parts, fmt.Sprintf("%d %s %v", len(part.list), part.name, part.list))
		}
	}
	if len(parts) == 0 {
		return fmt.Sprintf("%d of %d, each once and in order", t.Expected, t.Expected)
	}
	return fmt.Sprintf("of %d: %s", t.Expected, strings.Join(parts, ", "))
}

// runs puts neighbouring numbers of a sorted list together: [2 3 4 8] is [2 4] and [8 8].
func runs(list []int) (result [][2]int) {
	for _, n := range list {
		if last := len(result) - 1; last >= 0 && result[last][1] == n-1 {
			result[last][1] = n
			continue
		}
		result = append(result, [2]int{n, n})
	}
	return result
}
