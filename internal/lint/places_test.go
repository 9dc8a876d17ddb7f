package lint

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"
)

func TestWhatIsTheServicesOwnStaysInItsPlace(t *testing.T) {
	found, err := CheckPlaces(os.DirFS(root))
	if err != nil {
		t.Fatal(err)
	}
	for _, sentence := range found {
		t.Error(sentence)
	}
}

func TestTheRulesOfPlacesSeeAViolation(t *testing.T) {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte("package p\n" + text)} }
	imports := file(`import "` + Module + `/xmppside/messenger"`)
	for _, test := range []struct {
		name, path string
		file       *fstest.MapFile
		want       string
	}{
		{"the profile in its place", "bridge/profile.go", imports, ""},
		{"the profile elsewhere in the bridge", "bridge/chat.go", imports, "bridge/chat.go imports"},
		{"the profile in a program", "cmd/matrix-messenger/main.go", imports, "cmd/matrix-messenger/main.go imports"},
		{"the profile in the XMPP side", "xmppside/run.go", imports, "xmppside/run.go imports"},
		{"the profile in a test", "xmppside/run_test.go", imports, ""},
		{"the search in the bridge", "bridge/resolve.go", file(`import "` + Module + `/xmppside/jidlookup"`), "bridge/resolve.go imports"},
		{"the service's name in a sentence", "bridge/text.go", file("var a = \"to Messenger\""), "bridge/text.go:2:9 says"},
		{"the service's name in a comment", "bridge/text.go", file("// Messenger"), ""},
		{"the service's name in a test", "bridge/text_test.go", file("var a = \"to Messenger\""), ""},
		{"the service's name in its profile", "xmppside/messenger/profile.go", file("var a = \"Messenger\""), ""},
		{"a key of the bridge's file", "xmppside/messenger/profile.go", file("var a = `set network.domain`"), "profile.go:2:9 says"},
		{"another package below the XMPP side", "bridge/chat.go", file(`import "` + Module + `/xmppside/nick"`), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			found, err := CheckPlaces(fstest.MapFS{test.path: test.file})
			if err != nil {
				t.Fatal(err)
			}
			if text := strings.Join(found, "\n"); (text == "") != (test.want == "") || !strings.Contains(text, test.want) {
				t.Errorf("found %q, want %q", text, test.want)
			}
		})
	}
}
