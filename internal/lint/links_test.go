package lint

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ +(.+)$`)
	// unsaid is what a heading's address leaves out.
	unsaid = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// anchors are the addresses of a page's headings.
func anchors(page string) map[string]bool {
	all := map[string]bool{}
	for _, match := range heading.FindAllStringSubmatch(page, -1) {
		all[strings.ReplaceAll(unsaid.ReplaceAllString(strings.ToLower(match[1]), ""), " ", "-")] = true
	}
	return all
}

func TestTheLinksOfTheDocumentationLeadSomewhere(t *testing.T) {
	root := filepath.Join("..", "..")
	followed := 0
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if name := entry.Name(); name == "node_modules" || name == "dist" || name != ".." && strings.HasPrefix(name, ".") {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".md") {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, match := range link.FindAllStringSubmatch(string(text), -1) {
			target, anchor, _ := strings.Cut(match[1], "#")
			if strings.Contains(target, "://") {
				continue
			}
			followed++
			there := path
			if target != "" {
				there = filepath.Join(filepath.Dir(path), target)
			}
			if _, err := os.Stat(there); err != nil {
				t.Errorf("%s: %s is not there", path, match[1])
				continue
			}
			if anchor == "" {
				continue
			}
			page, err := os.ReadFile(there)
			if err != nil || !anchors(string(page))[anchor] {
				t.Errorf("%s: %s has no heading for #%s (%v)", path, target, anchor, err)
			}
		}
		return nil
	})
	if err != nil || followed < 50 {
		t.Errorf("%d links were followed: %v", followed, err)
	}
}
