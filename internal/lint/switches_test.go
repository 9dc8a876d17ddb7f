package lint

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"matrix-messenger/messengerd"
)

// switchRow finds the rows of docs/messengerd.md that begin with a key.
var switchRow = regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\|(.*)\\|$")

// testBodies are the tests there are, each with the text of its file.
func testBodies(t *testing.T) map[string]string {
	t.Helper()
	bodies := map[string]string{}
	err := filepath.WalkDir(filepath.Join("..", ".."), func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		for _, test := range defined.FindAllStringSubmatch(string(source), -1) {
			bodies[test[1]] = string(source)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return bodies
}

func TestEverySwitchIsDocumentedAndTested(t *testing.T) {
	text := slurp(t, "docs", "messengerd.md")
	_, section, found := strings.Cut(text, "\n## Switches\n")
	values, tests, cut := strings.Cut(section, "\n### Their tests\n")
	if !found || !cut {
		t.Fatal("docs/messengerd.md has no switches, or no tests of them")
	}
	tests, _, _ = strings.Cut(tests, "\n## ")
	documented, tested := map[string]string{}, map[string]string{}
	for _, row := range switchRow.FindAllStringSubmatch(values, -1) {
		documented[row[1]] = row[2]
	}
	for _, row := range switchRow.FindAllStringSubmatch(tests, -1) {
		tested[row[1]] = row[2]
	}
	bodies, keys := testBodies(t), map[string]bool{}
	for field := range reflect.TypeFor[messengerd.Switches]().Fields() {
		key := field.Tag.Get("yaml")
		keys[key] = true
		if strings.TrimSpace(documented[key]) == "" {
			t.Errorf("docs/messengerd.md does not say what the switch %s does", key)
		}
		names := named.FindAllStringSubmatch(tested[key], -1)
		if len(names) == 0 {
			t.Errorf("docs/messengerd.md names no test of the switch %s", key)
		}
		uses := regexp.MustCompile(`\b` + field.Name + `\b`)
		for _, name := range names {
			switch body, there := bodies[name[1]]; {
			case !there:
				t.Errorf("docs/messengerd.md names %s, which does not exist", name[1])
			case !uses.MatchString(body):
				t.Errorf("%s stands in a file that does not use the switch %s", name[1], key)
			}
		}
	}
	for _, listed := range []map[string]string{documented, tested} {
		for key := range listed {
			if !keys[key] {
				t.Errorf("docs/messengerd.md lists the switch %s, which does not exist", key)
			}
		}
	}
	if len(keys) < 30 {
		t.Errorf("there are only %d switches", len(keys))
	}
}
