package align

import "math"

// never is the cost of a pair that cannot be.
const never = 1e6

// assign gives each row a column of its own so that the sum of the costs is least: the assignment problem, solved by the
// Hungarian method with potentials and shortest augmenting paths (Kuhn 1955, Jonker and Volgenant 1987). There must be at
// least as many columns as rows. It takes rows times rows times columns steps.
func assign(costs [][]float64) (columnOf []int) {
	rows, columns := len(costs), len(costs[0])
	const none = -1
	rowOf := make([]int, columns+1) // the last column is a made-up one, where each search begins
	for c := range rowOf {
		rowOf[c] = none
	}
	rowPotential, columnPotential := make([]float64, rows), make([]float64, columns+1)
	for row := range rows {
		least := make([]float64, columns) // of reaching each column
		before := make([]int, columns)    // the column it is reached from
		done := make([]bool, columns+1)
		for c := range least {
			least[c] = math.Inf(1)
		}
		rowOf[columns] = row
		at := columns
		for rowOf[at] != none {
			done[at] = true
			r, next, step := rowOf[at], none, math.Inf(1)
			for c := range columns {
				if done[c] {
					continue
				}
				if reduced := costs[r][c] - rowPotential[r] - columnPotential[c]; reduced < least[c] {
					least[c], before[c] = reduced, at
				}
				if least[c] < step {
					next, step = c, least[c]
				}
			}
			for c := range columns + 1 {
				if done[c] {
					rowPotential[rowOf[c]] += step
					columnPotential[c] -= step
				} else if c < columns {
					least[c] -= step
				}
			}
			at = next
		}
		// Move each row on the path to the next column.
		for at != columns {
			rowOf[at] = rowOf[before[at]]
			at = before[at]
		}
	}
	columnOf = make([]int, rows)
	for c, r := range rowOf[:columns] {
		if r != none {
			columnOf[r] = c
		}
	}
	return columnOf
}
