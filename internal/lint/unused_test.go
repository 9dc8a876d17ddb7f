package lint

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// product are the folders whose exported names the programs have to use. The stand-in is left out: half of what it
// can do is there for tests to ask for.
var product = []string{"bridge", "cmd", "database", "matrixside", "oauth", "xmppside"}

// forTests are exported names, and packages, that are there for tests.
var forTests = map[string]bool{
	Module + "/xmppside/iq/iqtest":       true,
	Module + "/xmppside/internal/memnet": true,
	// Options that set what a test must hold in its hand.
	Module + "/oauth.WithClock":     true,
	Module + "/oauth.WithDoneWait":  true,
	Module + "/oauth.WithRetryWait": true,
	// What a test of an account looks at when it waits in vain.
	Module + "/xmppside.(Account).State": true,
	// A zero value, and so never named.
	Module + "/bridge/history/align.Confirmed": true,
}

// compiled asks the go command about all packages of a module and what they need.
func compiled(t *testing.T, dir string) []Compiled {
	t.Helper()
	command := exec.Command("go", "list", "-deps", "-export", "-tags", "goolm", "-json=ImportPath,Dir,GoFiles,Export", "./...")
	command.Dir = dir
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	packages, err := ReadCompiled(bytes.NewReader(out))
	if err != nil {
		t.Fatal(err)
	}
	return packages
}

func TestNothingIsExportedForTestsAlone(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles the tree once more")
	}
	found, err := CheckUnused(compiled(t, root), product, forTests)
	if err != nil {
		t.Fatal(err)
	}
	for _, sentence := range found {
		t.Error(sentence)
	}
}

func TestTheUnusedRuleSeesWhatOnlyTestsUse(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module " + Module + "\n\ngo 1.26\n",
		"oauth/oauth.go": `package oauth

import "fmt"

const Unread = 1

type Keeper[T any] struct {
	Read, Unread T
	Tagged       int ` + "`json:\"tagged\"`" + `
}

func (*Keeper[T]) Used()          {}
func (*Keeper[T]) Unused()        {}
func (*Keeper[T]) String() string { return "" }
func (*Keeper[T]) Asked()         {}

var _ fmt.Stringer = (*Keeper[int])(nil)

func New() *Keeper[int] { return &Keeper[int]{Read: 1} }
`,
		"oauth/oauth_test.go": "package oauth\n\nfunc use() { New().Unused(); _ = Unread; _ = New().Unread }\n",
		"cmd/main.go": `package main

import "` + Module + `/oauth"

func main() {
	k := oauth.New()
	k.Used()
	var asking interface{ Asked() } = k
	asking.Asked()
	_ = k.Read
}
`,
		"messengerd/service.go": "package messengerd\n\nfunc ForTests() {}\n",
	} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	packages := compiled(t, dir)
	found, err := CheckUnused(packages, product, nil)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, sentence := range found {
		names = append(names, sentence[strings.LastIndexByte(sentence, '/')+1:])
	}
	want := "oauth.(Keeper).Unused oauth.Unread oauth.Keeper.Unread"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("found %s, want %s\n%s", got, want, strings.Join(found, "\n"))
	}
	if found, err = CheckUnused(packages, product, map[string]bool{Module + "/oauth": true}); err != nil || len(found) > 0 {
		t.Errorf("of a package that is excepted: %q, %v", found, err)
	}
}
