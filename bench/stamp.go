package main

import (
	"bytes"
	"fmt"
	"math"
	"os"
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
	Said        []time.Time     `json:"said"`
	Took        []time.Duration `json:"took"` // of the message at the same place of Said
	Stolen      float64         // share of the processors that the machine's host kept for others meanwhile
}

func (a *arrivals) add(said, arrived time.Time) {
	a.Count++
	a.Said = append(a.Said, said)
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
	sorted := slices.Sorted(slices.Values(a.Took))
	return sorted[max(0, int(math.Ceil(p*float64(len(sorted))))-1)]
}

// write leaves a line for each message: when it was said, by the clock and in seconds since the first one, and how many milliseconds it took.
func (a *arrivals) write(file string) error {
	var text bytes.Buffer
	for i, said := range a.Said {
		fmt.Fprintf(&text, "%s\t%.3f\t%.2f\n", said.Format("15:04:05.000"), said.Sub(a.First).Seconds(), float64(a.Took[i].Microseconds())/1000)
	}
	return os.WriteFile(file, text.Bytes(), 0o600)
}
