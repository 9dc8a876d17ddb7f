package bridge

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestEditingKeepsCommentsAndMakesWhatIsMissing(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(file, []byte("# about a\na:\n    # about b\n    b: 1\n    c:\nempty:\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := EditYAML(file, map[string]any{"a.b": 2, "a.c": "text: 1", "empty.new.deep": []string{"x"}, "a.d": yamlNumber("7")})
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := "# about a\na:\n    # about b\n    b: 2\n    c: 'text: 1'\n    d: 7\nempty:\n    new:\n        deep:\n            - x\n"
	if string(data) != want {
		t.Errorf("the file is now\n%s", data)
	}
	if strings.Contains(string(data), "null") {
		t.Error("an empty value was written as null")
	}
}
