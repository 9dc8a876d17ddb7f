package main

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A message tells when it was said, so that whoever gets it knows how long it took: all processes share the machine's clock.
const stampWord = "said-at"

// stamped is the text of a message of a series.
func stamped(series string, n int) string {
	return fmt.Sprintf("%s %d %s %d and some words more", series, n, stampWord, time.Now().UnixNano())
}

// readStamp gives the series and the time of a message, false for any other.
func readStamp(text string) (series string, said time.Time, ok bool) {
	words := strings.Fields(text)
	if len(words) < 4 || words[2] != stampWord {
		return "", time.Time{}, false
	}
	nanos, err := strconv.ParseInt(words[3], 10, 64)
	return words[0], time.Unix(0, nanos), err == nil
}

// arrivals is what is known of a series that has arrived.
type arrivals struct {
	Count       int             `json:"count"`
	First, Last time.Time       // First said, last arrived
	Took        []time.Duration `json:"took"`
}

func (a *arrivals) add(said, arrived time.Time) {
	a.Count++
	a.Took = append(a.Took, arrived.Sub(said))
	if a.First.IsZero() || said.Before(a.First) {
		a.First = said
	}
	if arrived.After(a.Last) {
		a.Last = arrived
	}
}

// rate is messages a second, from the first one said to the last one arrived.
func (a *arrivals) rate() float64 { return float64(a.Count) / a.Last.Sub(a.First).Seconds() }

// percentile of the times taken, by the nearest rank; p between 0 and 1.
func (a *arrivals) percentile(p float64) time.Duration {
	if len(a.Took) == 0 {
		return 0
	}
	slices.Sort(a.Took)
	return a.Took[max(0, int(math.Ceil(p*float64(len(a.Took))))-1)]
}
