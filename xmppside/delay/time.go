package delay

import (
	"errors"
	"strings"
	"time"
)

// ErrTime says that a time was not written in any form that is known.
var ErrTime = errors.New("not an XEP-0082 time")

// ParseTime reads a time of XEP-0082 and gives it in UTC. Besides the form by the book, "2012-09-10T23:08:25.123Z" with
// any number of decimals or an offset, it takes what programs are known to write: the compact date of XEP-0091
// ("20120910T23:08:25", UTC), no zone (UTC), an offset without colon, a space instead of the T, small letters, a comma
// before the decimals, and a leap second (as the second after).
func ParseTime(s string) (time.Time, error) {
	s = strings.TrimSpace(s)
	if len(s) < len("20060102T15:04:05") || len(s) > 64 {
		return time.Time{}, ErrTime
	}
	layout, rest := "2006-01-02T15:04:05", s
	if s[4] != '-' {
		layout = "20060102T15:04:05"
	}
	if len(s) < len(layout) {
		return time.Time{}, ErrTime
	}
	stamp := []byte(s[:len(layout)])
	rest = s[len(layout):]
	if t := len(layout) - len("T15:04:05"); stamp[t] == ' ' || stamp[t] == 't' {
		stamp[t] = 'T'
	}
	leap := time.Duration(0)
	if strings.HasSuffix(string(stamp), ":60") {
		stamp[len(stamp)-2], stamp[len(stamp)-1] = '5', '9'
		leap = time.Second
	}
	at, err := time.Parse(layout, string(stamp))
	if err != nil {
		return time.Time{}, ErrTime
	}
	fraction, rest := splitFraction(rest)
	offset, ok := parseZone(rest)
	if !ok {
		return time.Time{}, ErrTime
	}
	at = at.Add(leap + fraction - offset)
	if at.Year() < 1 || at.Year() > 9999 {
		return time.Time{}, ErrTime
	}
	return at, nil
}

// splitFraction takes the decimals off the front, down to nanoseconds.
func splitFraction(s string) (fraction time.Duration, rest string) {
	if s == "" || s[0] != '.' && s[0] != ',' {
		return 0, s
	}
	i, unit := 1, 100*time.Millisecond
	for ; i < len(s) && s[i] >= '0' && s[i] <= '9'; i++ {
		fraction += time.Duration(s[i]-'0') * unit
		unit /= 10
	}
	return fraction, s[i:]
}

// parseZone reads "", "Z", "+01:00", "+0100" or "+01".
func parseZone(s string) (offset time.Duration, ok bool) {
	switch s {
	case "", "Z", "z":
		return 0, true
	}
	for _, layout := range []string{"-07:00", "-0700", "-07"} {
		if at, err := time.Parse(layout, s); err == nil {
			_, seconds := at.Zone()
			return time.Duration(seconds) * time.Second, true
		}
	}
	return 0, false
}
