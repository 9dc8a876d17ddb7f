package align

import "testing"

func TestTextsThatCountAsTheSame(t *testing.T) {
	for _, c := range []struct {
		name, a, b string
		same       bool
	}{
		{"itself", "hello", "hello", true},
		{"line ends", "a\r\nb\rc", "a\nb\nc", true},
		{"trimmed", " hello\n", "hello", true},
		{"blanks made one", "a  b", "a b", true},
		{"parts put together without a blank", "one" + "two", "one two", true},
		{"composed accents", "e\u0301", "é", true},
		{"zero-width characters", "\ufeffa\u200bb", "ab", true},
		{"control characters", "a\x00b", "ab", true},
		{"another text", "hello", "hallo", false},
		{"another case", "OK", "ok", false},
		{"another emoji", "👍", "👎", false},
		{"skin tones", "👍🏽", "👍🏿", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if (Normalize(c.a) == Normalize(c.b)) != c.same {
				t.Errorf("%q and %q: same is %v", c.a, c.b, !c.same)
			}
		})
	}
}

func FuzzNormalize(f *testing.F) {
	f.Add("e\u0301 \r\n\xff")
	f.Fuzz(func(t *testing.T, s string) {
		once := Normalize(s)
		if again := Normalize(once); again != once {
			t.Errorf("%q: %q, then %q", s, once, again)
		}
	})
}
