package main

import (
	"strings"
	"testing"
)

const passing = `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"=== RUN   TestA\n"}
{"Action":"output","Package":"p","Test":"TestA","Output":"noise\n"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Output":"PASS\n"}
{"Action":"output","Package":"p","Output":"ok  \tp\t0.1s\n"}
{"Action":"pass","Package":"p"}
`

const skipping = `{"Action":"output","Package":"p","Test":"TestProsody","Output":"    peer_test.go:7: peer: prosody is not installed\n"}
{"Action":"output","Package":"p","Test":"TestProsody","Output":"--- SKIP: TestProsody (0.00s)\n"}
{"Action":"skip","Package":"p","Test":"TestProsody"}
`

func TestWhatAPersonReadsOfATestRun(t *testing.T) {
	for _, test := range []struct {
		name    string
		in      string
		require bool
		failed  bool
		shows   []string
		hides   []string
	}{
		{"a passing package is one line", passing, false, false, []string{"ok  \tp\t0.1s", "1 tests passed, 0 failed, 0 skipped"}, []string{"noise", "PASS"}},
		{
			"a failed test shows what it printed",
			`{"Action":"output","Package":"p","Test":"TestB","Output":"    b_test.go:3: the reason\n"}
{"Action":"fail","Package":"p","Test":"TestB"}
{"Action":"output","Package":"p","Output":"FAIL\tp\t0.1s\n"}
{"Action":"fail","Package":"p"}
`, false, true,
			[]string{"the reason", "FAIL\tp\t0.1s", "1 failed, 0 skipped\n  failed: p TestB\n    b_test.go:3: the reason\n"},
			[]string{"broke off"},
		},
		{
			"a package that does not build fails with its errors",
			`{"ImportPath":"p","Action":"build-output","Output":"p/a.go:1: undefined: x\n"}
{"Action":"output","Package":"p","Output":"FAIL\tp [build failed]\n"}
{"Action":"fail","Package":"p"}
`, false, true,
			[]string{"undefined: x", "1 packages did not build"},
			nil,
		},
		{
			"a package that panics shows what its running test printed",
			`{"Action":"output","Package":"p","Test":"TestC","Output":"panic: oh no\n"}
{"Action":"fail","Package":"p"}
`, false, true,
			[]string{"panic: oh no"},
			nil,
		},
		{"a missing peer is listed", passing + skipping, false, false, []string{"skipped: p TestProsody: peer: prosody is not installed"}, nil},
		{"a missing peer fails where peers are required", passing + skipping, true, true, []string{"count as failed"}, nil},
		{"so does a test that names its peer in other words", strings.ReplaceAll(passing+skipping, "peer: ", ""), true, true, []string{"count as failed"}, nil},
		{"lines that are no events are passed on", "go: errors parsing go.mod\n" + passing, false, false, []string{"go: errors parsing go.mod"}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out strings.Builder
			failed, err := report(strings.NewReader(test.in), &out, test.require)
			if err != nil {
				t.Fatal(err)
			}
			if failed != test.failed {
				t.Errorf("failed: %t", failed)
			}
			for _, text := range test.shows {
				if !strings.Contains(out.String(), text) {
					t.Errorf("%q is missing in\n%s", text, out.String())
				}
			}
			for _, text := range test.hides {
				if strings.Contains(out.String(), text) {
					t.Errorf("%q should not be in\n%s", text, out.String())
				}
			}
		})
	}
}
