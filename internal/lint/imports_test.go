package lint

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

// root is the root module's folder, seen from this package.
const root = "../.."

func TestNoPackageOfTheTreeImportsWhatItMayNot(t *testing.T) {
	packages := listPackages(t)
	if len(packages) < 3 {
		t.Fatalf("go list found %d packages only", len(packages))
	}
	for _, sentence := range CheckImports(packages) {
		t.Error(sentence)
	}
}

func TestTheRootModuleDoesNotRequireAHomeserver(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	for _, sentence := range CheckRequirements(string(data)) {
		t.Error(sentence)
	}
}

func TestNoFileIsTooLong(t *testing.T) {
	found, err := CheckLengths(os.DirFS(root))
	if err != nil {
		t.Fatal(err)
	}
	for _, sentence := range found {
		t.Error(sentence)
	}
}

// listPackages asks the go command for the packages of the root module.
func listPackages(t *testing.T) []Package {
	t.Helper()
	command := exec.Command("go", "list", "-e", "-tags", "goolm", "-json=ImportPath,Imports,Deps", "./...")
	command.Dir = root
	var stderr strings.Builder
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	var packages []Package
	decoder := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var listed struct {
			ImportPath    string
			Imports, Deps []string
		}
		if err := decoder.Decode(&listed); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, Package{listed.ImportPath, listed.Imports, listed.Deps})
	}
}

func TestTheImportRulesSeeAViolation(t *testing.T) {
	direct := func(path string, imports ...string) Package {
		return Package{Path: Module + path, Imports: imports, Deps: imports}
	}
	through := func(path string, deps ...string) Package { return Package{Path: Module + path, Deps: deps} }
	for _, test := range []struct {
		name string
		pkg  Package
		bad  bool
	}{
		{"the XMPP side importing the Matrix library", direct("/xmppside/roster", "maunium.net/go/mautrix/id"), true},
		{"the XMPP side reaching it through another package", through("/xmppside/roster", "maunium.net/go/mautrix/id"), true},
		{"the XMPP side importing mellium and itself", direct("/xmppside/roster", "mellium.im/xmpp/jid", Module+"/xmppside"), false},
		{"a package whose name only begins alike", direct("/xmppsidecar", "maunium.net/go/mautrix"), false},
		{"the Matrix side importing the XMPP side", direct("/matrixside", Module+"/xmppside"), true},
		{"the Matrix side reaching a JID", through("/matrixside/convert", "mellium.im/xmpp/jid"), true},
		{"the Matrix side importing the Matrix library", direct("/matrixside", "maunium.net/go/mautrix"), false},
		{"the tables importing dbutil", direct("/database", "go.mau.fi/util/dbutil"), false},
		{"the tables importing the rest of that module", direct("/database", "go.mau.fi/util/jsontime"), true},
		{"the tables reaching the rest through dbutil", through("/database", "go.mau.fi/util/exslices"), false},
		{"the tables importing the Matrix library", direct("/database", "maunium.net/go/mautrix/id"), true},
		{"the stand-in importing JIDs", direct("/messengerd", "mellium.im/xmpp/jid"), false},
		{"the stand-in importing more of mellium", direct("/messengerd", "mellium.im/xmpp/stanza"), true},
		{"the stand-in importing the session core", direct("/messengerd/tokens", Module+"/xmppside/session"), true},
		{"the stand-in's program importing the stand-in", direct("/cmd/messengerd", Module+"/messengerd"), false},
		{"the bridge's program importing the stand-in", direct("/cmd/matrix-messenger", Module+"/messengerd"), true},
		{"the bridge importing everything below it", direct("/bridge", Module+"/xmppside", Module+"/matrixside", Module+"/database", Module+"/oauth"), false},
		{"the bridge reaching a test double", through("/bridge", Module+"/internal/homeserver"), true},
		{"signing in importing the tables", direct("/oauth", Module+"/database"), true},
	} {
		t.Run(test.name, func(t *testing.T) {
			found := CheckImports([]Package{test.pkg})
			if (len(found) > 0) != test.bad {
				t.Errorf("forbidden: %t, found %q", test.bad, found)
			}
		})
	}
}

func TestTheRequirementRuleSeesAHomeserver(t *testing.T) {
	if CheckRequirements("require (\n\tgithub.com/element-hq/dendrite v0.15.2 // indirect\n)\n") == nil {
		t.Error("a required homeserver was not seen")
	}
	if found := CheckRequirements("require maunium.net/go/mautrix v0.31.0\n"); found != nil {
		t.Errorf("found %q", found)
	}
}

func TestTheLengthRuleSeesALongFile(t *testing.T) {
	file := func(lines int) *fstest.MapFile { return &fstest.MapFile{Data: []byte(strings.Repeat("\n", lines))} }
	found, err := CheckLengths(fstest.MapFS{
		"bridge/short.go": file(MaxLines), "bridge/long.go": file(MaxLines + 1), "bridge/long_test.go": file(5000),
		"bridge/testdata/long.go": file(5000), "bridge/long.txt": file(5000), ".cache/long.go": file(5000),
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != 1 || !strings.Contains(found[0], "bridge/long.go has 451 lines") {
		t.Errorf("found %q", found)
	}
}
