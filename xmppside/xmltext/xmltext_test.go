package xmltext

import (
	"encoding/xml"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestTextSurvivesAParser(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"plain text stays", "hello", "hello"},
		{"markup is text", `<b>&amp;"'</b>]]>`, `<b>&amp;"'</b>]]>`},
		{"line breaks stay what they are", "a\r\nb\tc\rd\n", "a\r\nb\tc\rd\n"},
		{"control characters go", "a\x00\x08\x1bb", "ab"},
		{"characters beyond the basic plane stay", "👩‍👩‍👧 😀", "👩‍👩‍👧 😀"},
		{"noncharacters go", "a\uFFFE\uFFFFb", "ab"},
		{"broken bytes become replacement characters", "a\xffb\xc3", "a\uFFFDb\uFFFD"},
		{"encoded surrogates are broken bytes", "\xed\xa0\x80", "\uFFFD\uFFFD\uFFFD"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text, attr := roundTrip(t, c.in)
			if text != c.want || attr != c.want {
				t.Errorf("read back %q and %q as an attribute, want %q", text, attr, c.want)
			}
			if got := Clean(c.in); got != c.want {
				t.Errorf("Clean: %q, want %q", got, c.want)
			}
		})
	}
}

func roundTrip(t *testing.T, s string) (text, attr string) {
	t.Helper()
	b := append([]byte("<x"), AppendAttr(nil, "a", s)...)
	b = append(b, '>')
	b = append(AppendText(b, s), "</x>"...)
	var got struct {
		A string `xml:"a,attr"`
		T string `xml:",chardata"`
	}
	if err := xml.Unmarshal(b, &got); err != nil {
		t.Fatalf("%q is not XML: %v", b, err)
	}
	return got.T, got.A
}

func TestElement(t *testing.T) {
	if got := string(AppendElement([]byte("-"), "nick", "A&B")); got != "-<nick>A&amp;B</nick>" {
		t.Error(got)
	}
}

func TestLinesForPeople(t *testing.T) {
	for _, c := range []struct {
		name, in, want string
		limit          int
	}{
		{"white space is one space", "  Mary \r\n\t Contoso\u00a0 ", "Mary Contoso", 100},
		{"control characters go", "Ma\x07ry", "Mary", 100},
		{"nobody turns the writing round", "evil\u202egpj.exe", "evilgpj.exe", 100},
		{"joined emoji stay", "👩‍👩‍👧", "👩‍👩‍👧", 100},
		{"cut between letters", "ééé", "éé", 5},
		{"no space at the cut", "ab cd", "ab", 3},
		{"nothing", " \n", "", 100},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Line(c.in, c.limit); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestCut(t *testing.T) {
	for _, c := range []struct {
		in    string
		limit int
		want  string
	}{
		{"abc", 3, "abc"},
		{"abc", 2, "ab"},
		{"aé", 2, "a"},
		{"é", 1, ""},
		{"😀", 3, ""},
		{"", 0, ""},
		{strings.Repeat("\x80", 10), 5, strings.Repeat("\x80", 5)},
	} {
		if got := Cut(c.in, c.limit); got != c.want {
			t.Errorf("Cut(%q, %d) = %q, want %q", c.in, c.limit, got, c.want)
		}
	}
}

func FuzzText(f *testing.F) {
	f.Add("hello \x00 <&> \xff \uFFFE \r\n")
	f.Fuzz(func(t *testing.T, s string) {
		text, attr := roundTrip(t, s)
		if want := Clean(s); text != want || attr != want {
			t.Errorf("%q came back as %q and %q, want %q", s, text, attr, want)
		}
		if line := Line(s, 20); len(line) > 20 || utf8.ValidString(s) && !utf8.ValidString(line) {
			t.Errorf("Line(%q) = %q", s, line)
		}
	})
}
