package align

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestAssignmentsAreTheCheapest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := rapid.IntRange(1, 5).Draw(t, "rows")
		columns := rapid.IntRange(rows, 7).Draw(t, "columns")
		costs := make([][]float64, rows)
		for r := range costs {
			costs[r] = rapid.SliceOfN(rapid.Float64Range(-3, 4), columns, columns).Draw(t, "costs")
		}
		sum, used := 0.0, make([]bool, columns)
		for r, c := range assign(costs) {
			if used[c] {
				t.Fatalf("column %d is used twice", c)
			}
			used[c] = true
			sum += costs[r][c]
		}
		if least := tryAll(costs, make([]bool, columns)); sum > least+1e-9 {
			t.Errorf("the sum is %v, %v is possible", sum, least)
		}
	})
}

// tryAll is the least sum by trying everything.
func tryAll(costs [][]float64, used []bool) float64 {
	if len(costs) == 0 {
		return 0
	}
	least := math.Inf(1)
	for c, cost := range costs[0] {
		if !used[c] {
			used[c] = true
			least = min(least, cost+tryAll(costs[1:], used))
			used[c] = false
		}
	}
	return least
}
