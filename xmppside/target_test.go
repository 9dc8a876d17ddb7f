package xmppside

import (
	"net"
	"strings"
	"testing"
)

func TestTargets(t *testing.T) {
	for in, want := range map[string]string{
		"BAYMSG1020127.gateway.edge.messenger.live.com": "baymsg1020127.gateway.edge.messenger.live.com:5222",
		"example.org.":                        "example.org:5222",
		" \n example.org:9222 ":               "example.org:9222",
		"1.2.3.4":                             "1.2.3.4:5222",
		"1.2.3.4:80":                          "1.2.3.4:80",
		"[2001:DB8::1]":                       "[2001:db8::1]:5222",
		"[2001:db8::1]:9222":                  "[2001:db8::1]:9222",
		"2001:db8::1":                         "[2001:db8::1]:5222",
		"[::ffff:1.2.3.4]:1":                  "1.2.3.4:1",
		"bücher.example":                      "xn--bcher-kva.example:5222",
		"localhost:65535":                     "localhost:65535",
		"":                                    "",
		"  ":                                  "",
		"a:":                                  "",
		"a:0":                                 "",
		"a:65536":                             "",
		"a:+1":                                "",
		"a:x":                                 "",
		"[":                                   "",
		"[]":                                  "",
		"[1.2.3.4]":                           "",
		"[2001:db8::1]x":                      "",
		"[2001:db8::1]:":                      "",
		"[fe80::1%eth0]":                      "",
		"[example.org]":                       "",
		"a b":                                 "",
		"http://example.org":                  "",
		"user@example.org":                    "",
		"a/b":                                 "",
		strings.Repeat("a", 64) + ".org":      "",
		strings.Repeat("a.", 150) + "example": "",
	} {
		got, err := parseTarget(in)
		switch {
		case want == "" && err == nil:
			t.Errorf("%q became %s", in, got.address())
		case want != "" && (err != nil || got.address() != want):
			t.Errorf("%q became %s (%v), want %s", in, got.address(), err, want)
		}
	}
}

func FuzzTarget(f *testing.F) {
	for _, s := range []string{"a.example", "A:1", "[::1]:5222", "1.2.3.4", " [2001:db8::1] ", "::1", "a:b:c", "é.example"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		got, err := parseTarget(in)
		if err != nil {
			return
		}
		host, port, err := net.SplitHostPort(got.address())
		if err != nil || host == "" || port == "" || port == "0" || strings.ContainsAny(host, " \t\r\n/@") {
			t.Errorf("%q became %q: %v", in, got.address(), err)
		}
		again, err := parseTarget(got.String())
		if err != nil || again != got {
			t.Errorf("%q became %+v, and that %+v (%v)", in, got, again, err)
		}
	})
}
