package stablesend

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

type roundTripper func(req *http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func TestOnlyKeyedSendsAreChanged(t *testing.T) {
	const server = "https://example.org"
	for _, test := range []struct {
		name, method, path string
		keyed, renamed     bool
	}{
		{"a message", "PUT", "/_matrix/client/v3/rooms/!a:b/send/m.room.message/old?user_id=@x:b&ts=5", true, true},
		{"a homeserver with a path", "PUT", "/base/rooms/x/_matrix/client/v3/rooms/!a:b/send/m.room.message/old", true, true},
		{"escaped names", "PUT", "/_matrix/client/v3/rooms/%21a%2Fx:b/send/m.room%2Fmessage/old", true, true},
		{"a redaction", "PUT", "/_matrix/client/v3/rooms/!a:b/redact/$evt/old", true, true},
		{"a message without a key", "PUT", "/_matrix/client/v3/rooms/!a:b/send/m.room.message/old", false, false},
		{"a state event", "PUT", "/_matrix/client/v3/rooms/!a:b/state/m.room.member/@x:b", true, false},
		{"a room called send", "PUT", "/_matrix/client/v3/rooms/send/typing/send/x", true, false},
		{"reading", "GET", "/_matrix/client/v3/rooms/!a:b/send/m.room.message/old", true, false},
		{"a to-device event", "PUT", "/_matrix/client/v3/sendToDevice/m.room_key/old", true, false},
		{"nothing", "PUT", "/", true, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got *http.Request
			transport := &Transport{Base: roundTripper(func(req *http.Request) (*http.Response, error) { got = req; return nil, nil })}
			req := httptest.NewRequest(test.method, server+test.path, strings.NewReader(`{"body":"x"}`))
			if test.keyed {
				req = req.WithContext(WithKey(req.Context(), "key"))
			}
			if _, err := transport.RoundTrip(req); err != nil {
				t.Fatal(err)
			}
			if renamed := !strings.Contains(got.URL.String(), "old") && got.URL.String() != server+test.path; renamed != test.renamed {
				t.Errorf("became %s", got.URL)
			}
			kept, _, _ := strings.Cut(test.path, "old")
			if !strings.HasPrefix(got.URL.String(), server+kept) || got.URL.RawQuery != req.URL.RawQuery {
				t.Errorf("became %s", got.URL)
			}
			if req.URL.String() != server+test.path {
				t.Errorf("the caller's request became %s", req.URL)
			}
		})
	}
}

func TestTheKeyIsAddedToObjectsOnly(t *testing.T) {
	for body, want := range map[string]string{
		`{}`:              `{"com.matrix-messenger.key":"m"}`,
		" { } ":           `{"com.matrix-messenger.key":"m"}`,
		`{"a":{"b":"}"}}`: `{"com.matrix-messenger.key":"m","a":{"b":"}"}}`,
		`[]`:              `[]`,
		`{"a":`:           `{"a":`,
		``:                ``,
		`null`:            `null`,
	} {
		if got := string(marked([]byte(body), "m")); got != want {
			t.Errorf("%s became %s, want %s", body, got, want)
		}
	}
}

func TestATooLargeSendIsRefused(t *testing.T) {
	transport := &Transport{Base: roundTripper(func(*http.Request) (*http.Response, error) { t.Error("sent"); return nil, nil })}
	req := httptest.NewRequest(http.MethodPut, "/_matrix/client/v3/rooms/a/send/b/c", io.LimitReader(zeros{}, maxBody+1))
	if _, err := transport.RoundTrip(req.WithContext(WithKey(req.Context(), "key"))); err == nil {
		t.Error("no error")
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

func FuzzMarked(f *testing.F) {
	f.Add(`{"a":1}`)
	f.Add(`{}`)
	f.Fuzz(func(t *testing.T, body string) {
		var before, after map[string]json.RawMessage
		out := marked([]byte(body), "m")
		if json.Unmarshal([]byte(body), &before) != nil || before == nil {
			if string(out) != body {
				t.Errorf("%q became %q", body, out)
			}
			return
		}
		if err := json.Unmarshal(out, &after); err != nil {
			t.Fatalf("%q became %q: %v", body, out, err)
		}
		before[KeyProperty] = after[KeyProperty]
		if len(before) != len(after) {
			t.Errorf("%q became %q", body, out)
		}
	})
}
