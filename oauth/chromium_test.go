package oauth_test

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"os"
	"os/exec"
	"testing"
	"time"
)

// chromium is a real browser, driven by its DevTools protocol over pipes: file
// descriptors 3 and 4, JSON messages that each end in a zero byte.
type chromium struct {
	*testing.T
	to      *os.File
	from    chan devtoolsMessage
	pending []devtoolsMessage // events that came while an answer was awaited
	lastID  int
	session string
}

type devtoolsMessage struct {
	ID     int             `json:"id,omitempty"`
	Method string          `json:"method,omitempty"`
	Params json.RawMessage `json:"params,omitempty"`
	Result json.RawMessage `json:"result,omitempty"`
	Error  json.RawMessage `json:"error,omitempty"`
}

// startChromium starts the browser with one page, or skips the test if it is
// not installed and the peers are not required.
func startChromium(t *testing.T) *chromium {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("REQUIRE_PEERS") == "1" {
			t.Fatal("chromium is not installed")
		}
		t.Skip("chromium is not installed")
	}
	browserReads, weWrite, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	weRead, browserWrites, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	// Not t.TempDir: the browser's helpers may still write while it is removed,
	// which would fail the test.
	profile, err := os.MkdirTemp("", "chromium-test-")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
		"--disable-background-networking", "--disable-dev-shm-usage", "--hide-scrollbars",
		"--user-data-dir="+profile, "--remote-debugging-pipe", "about:blank")
	cmd.ExtraFiles = []*os.File{browserReads, browserWrites}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	browserReads.Close()
	browserWrites.Close()
	b := &chromium{T: t, to: weWrite, from: make(chan devtoolsMessage, 100)}
	go func() {
		defer close(b.from)
		r := bufio.NewReader(weRead)
		for {
			line, err := r.ReadBytes(0)
			if err != nil {
				return
			}
			var m devtoolsMessage
			if json.Unmarshal(line[:len(line)-1], &m) == nil {
				b.from <- m
			}
		}
	}()
	t.Cleanup(func() {
		_, _ = weWrite.WriteString(`{"id":1000000,"method":"Browser.close"}` + "\x00")
		kill := time.AfterFunc(testLimit, func() { _ = cmd.Process.Kill() })
		defer kill.Stop()
		for range b.from { // until the browser has closed its end
		}
		weWrite.Close()
		weRead.Close()
		_ = cmd.Wait() // its exit status says nothing about the test
		_ = os.RemoveAll(profile)
	})
	var target struct{ TargetID string }
	b.call("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	var attached struct{ SessionID string }
	b.call("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached)
	b.session = attached.SessionID
	b.call("Page.enable", nil, nil)
	b.call("Log.enable", nil, nil)
	return b
}

func (b *chromium) next() devtoolsMessage {
	b.Helper()
	select {
	case m, ok := <-b.from:
		if !ok {
			b.Fatal("the browser has ended")
		}
		return m
	case <-time.After(testLimit):
		b.Fatal("the browser does not answer")
		return devtoolsMessage{}
	}
}

// call sends a command and decodes its result.
func (b *chromium) call(method string, params map[string]any, into any) {
	b.Helper()
	b.lastID++
	command := map[string]any{"id": b.lastID, "method": method, "params": params}
	if b.session != "" {
		command["sessionId"] = b.session
	}
	text, err := json.Marshal(command)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := b.to.Write(append(text, 0)); err != nil {
		b.Fatal(err)
	}
	for {
		m := b.next()
		switch {
		case m.ID != b.lastID:
			b.pending = append(b.pending, m)
			continue
		case m.Error != nil:
			b.Fatalf("%s: %s", method, m.Error)
		case into != nil:
			if err := json.Unmarshal(m.Result, into); err != nil {
				b.Fatal(err)
			}
		}
		return
	}
}

// loads does what makes the page change and waits until the next one is there.
func (b *chromium) loads(act func()) {
	b.Helper()
	b.problems()
	b.pending = nil
	act()
	for {
		for _, m := range b.pending {
			if m.Method == "Page.loadEventFired" {
				return
			}
		}
		b.pending = append(b.pending, b.next())
	}
}

// problems reports what the browser itself complained of, such as a violated
// content policy.
func (b *chromium) problems() {
	b.Helper()
	for _, m := range b.pending {
		var p struct {
			Entry struct{ Level, Source, Text string }
		}
		if m.Method != "Log.entryAdded" || json.Unmarshal(m.Params, &p) != nil {
			continue
		}
		// A page of an error status is listed too; that is what was asked for.
		if p.Entry.Level == "error" && p.Entry.Source != "network" {
			b.Errorf("the browser complains: %s: %s", p.Entry.Source, p.Entry.Text)
		}
	}
}

func (b *chromium) open(address string) {
	b.Helper()
	b.loads(func() { b.call("Page.navigate", map[string]any{"url": address}, nil) })
}

// js evaluates an expression that gives a string.
func (b *chromium) js(expression string) string {
	b.Helper()
	var r struct {
		Result           struct{ Value string }
		ExceptionDetails json.RawMessage
	}
	b.call("Runtime.evaluate", map[string]any{"expression": expression}, &r)
	if r.ExceptionDetails != nil {
		b.Fatalf("%s: %s", expression, r.ExceptionDetails)
	}
	return r.Result.Value
}

// types writes into the field that its label names, by the keyboard.
func (b *chromium) types(label, text string) {
	b.Helper()
	quoted, _ := json.Marshal(label)
	b.js(`[...document.querySelectorAll('label')].find(l => l.innerText === ` + string(quoted) + `).control.focus()`)
	b.call("Input.insertText", map[string]any{"text": text}, nil)
}

// presses clicks the button with the given words.
func (b *chromium) presses(label string) {
	b.Helper()
	quoted, _ := json.Marshal(label)
	b.loads(func() {
		b.js(`[...document.querySelectorAll('button')].find(b => b.innerText === ` + string(quoted) + `).click()`)
	})
}

// screen sets the size of the window, in CSS pixels, and the colour scheme.
func (b *chromium) screen(width, height int, scale float64, scheme string) {
	b.Helper()
	b.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height, "deviceScaleFactor": scale, "mobile": width < 600}, nil)
	b.call("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}}, nil)
}

// picture gives a screenshot as PNG.
func (b *chromium) picture() []byte {
	b.Helper()
	var shot struct{ Data string }
	b.call("Page.captureScreenshot", map[string]any{"format": "png"}, &shot)
	png, err := base64.StdEncoding.DecodeString(shot.Data)
	if err != nil {
		b.Fatal(err)
	}
	return png
}
