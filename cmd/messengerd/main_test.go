package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestTheProgramServesUntilItIsToldToEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "messengerd.yaml")
	text := `
listen: 127.0.0.1:0
control: {listen: '127.0.0.1:0'}
oauth: {listen: '127.0.0.1:0', client_id: 000000004C06CAFE}
accounts: [{email: john@contoso.com}]
`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out, in := io.Pipe()
	status := make(chan int)
	var log bytes.Buffer
	go func() { status <- run(ctx, []string{"-config", path}, in, &log) }()
	line := make([]byte, 1024)
	n, err := out.Read(line)
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`^listening xmpp=(\S+) oauth=(\S+) control=(\S+)\n$`).FindStringSubmatch(string(line[:n]))
	if found == nil {
		t.Fatalf("it printed %q", line[:n])
	}
	resp, err := http.Get(found[3] + "/ca.pem")
	if err != nil {
		t.Fatal(err)
	}
	pem, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil || !x509.NewCertPool().AppendCertsFromPEM(pem) {
		t.Errorf("no certificate at /ca.pem: %s %v", pem, err)
	}
	resp, err = http.Get(found[2] + "/oauth20_authorize.srf?client_id=000000004C06CAFE&response_type=code&scope=wl.messenger&redirect_uri=https://login.live.com/oauth20_desktop.srf")
	if err != nil {
		t.Fatal(err)
	}
	page, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK || !strings.Contains(string(page), "<form") {
		t.Errorf("the sign-in page: %s %s", resp.Status, page)
	}
	cancel()
	if got := <-status; got != 0 {
		t.Errorf("exit status %d: %s", got, log.String())
	}
}

func TestMistakesAreNamedOnTheCommandLine(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, test := range []struct {
		name   string
		args   []string
		status int
		want   string
	}{
		{"help", []string{"-h"}, 0, "redirect_stage"},
		{"an unknown flag", []string{"-x"}, 2, "not defined"},
		{"no file", []string{"-config", filepath.Join(dir, "none")}, 1, "cannot read the configuration"},
		{"an unknown key", []string{"-config", write("a.yaml", "switches: {png: result}")}, 1, "switches.png (line 1): unknown key"},
		{"an unknown contact", []string{"-config", write("b.yaml", "accounts: [{email: a@b.c, contacts: [x]}]")}, 1, "accounts[0].contacts[0].account"},
		{"a check", []string{"-check", "-config", write("c.yaml", "domain: example.org")}, 0, "The configuration is good."},
		{"a port in use or not allowed", []string{"-config", write("d.yaml", "listen: '192.0.2.1:1'")}, 1, "cannot listen"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out bytes.Buffer
			if got := run(t.Context(), test.args, &out, &out); got != test.status || !strings.Contains(out.String(), test.want) {
				t.Errorf("status %d: %s", got, out.String())
			}
		})
	}
}
