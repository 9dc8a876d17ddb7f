package lint

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	// codes finds the codes of problems, in the program and in the guide.
	codes = regexp.MustCompile("[\"`](messenger-[a-z-]+)[\"`]")
	// reported finds what the guide says that the doctor says, up to where a value stands.
	reported = regexp.MustCompile("`(?:fail|warn|ok|skip)  ([a-z]+): ([^`…(]+)")
)

func slurp(t *testing.T, pattern ...string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(append([]string{"..", ".."}, pattern...)...))
	if err != nil || len(files) == 0 {
		t.Fatalf("%v: %v files", pattern, len(files))
	}
	var all strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}

// found are the first groups of all matches, each once, sorted.
func found(expression *regexp.Regexp, text string) []string {
	var all []string
	for _, match := range expression.FindAllStringSubmatch(text, -1) {
		all = append(all, match[1])
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func TestTheOperatorsGuideExplainsEveryCode(t *testing.T) {
	defined := found(codes, slurp(t, "xmppside", "problem.go")+slurp(t, "bridge", "credential_read.go"))
	explained := found(codes, slurp(t, "docs", "operators.md"))
	if len(defined) < 15 || !slices.Equal(defined, explained) {
		t.Errorf("the program has %v,\nthe guide %v", defined, explained)
	}
}

func TestTheDoctorSaysWhatTheOperatorsGuideSaysItSays(t *testing.T) {
	program := slurp(t, "bridge", "doctor", "*.go") + slurp(t, "xmppside", "probe.go")
	rows := reported.FindAllStringSubmatch(slurp(t, "docs", "operators.md"), -1)
	if len(rows) < 8 {
		t.Fatalf("the guide quotes only %d sentences", len(rows))
	}
	for _, row := range rows {
		check, sentence := row[1], strings.TrimSpace(row[2])
		if check == "config" { // the key's name comes first
			continue
		}
		for _, key := range []string{"network.oauth.authorize_url"} {
			sentence = strings.TrimSpace(strings.ReplaceAll(sentence, key, ""))
		}
		if !strings.Contains(program, sentence) {
			t.Errorf("%s does not say %q", check, sentence)
		}
	}
}
