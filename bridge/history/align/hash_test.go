package align

import (
	"strings"
	"testing"
)

func TestTextsThatCountAsTheSame(t *testing.T) {
	h, err := NewHasher([]byte("0123456789abcdef"), "a/b")
	if err != nil {
		t.Fatal(err)
	}
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
			if (h.Sum(c.a) == h.Sum(c.b)) != c.same {
				t.Errorf("%q and %q: same is %v", c.a, c.b, !c.same)
			}
		})
	}
}

func TestAHashTellsNothing(t *testing.T) {
	key := []byte("0123456789abcdef")
	a, _ := NewHasher(key, "a")
	b, _ := NewHasher(key, "b")
	c, _ := NewHasher([]byte("0123456789abcdeF"), "a")
	if a.Sum("ok") == b.Sum("ok") || a.Sum("ok") == c.Sum("ok") {
		t.Error("one text has one hash in different chats or under different keys")
	}
	if sum := string(a.Sum("ok")); len(sum) != 2*hashSize || strings.Contains(sum, "ok") {
		t.Errorf("%q", sum)
	}
	if _, err := NewHasher(key[:MinKey-1], "a"); err == nil {
		t.Error("a short key is taken")
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
