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
