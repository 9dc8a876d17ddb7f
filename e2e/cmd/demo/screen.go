package main

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
)

// noteEvery is how often progress is printed where lines cannot be overwritten.
const noteEvery = 5 * time.Second

// screen prints steps, progress and the conversation, from several goroutines.
type screen struct {
	mu       sync.Mutex
	file     *os.File
	terminal bool
	noted    time.Time // when progress was last printed
	count    int       // notes since the step began
	open     bool      // the cursor is behind a progress line
}

func newScreen(file *os.File) *screen {
	info, err := file.Stat()
	return &screen{file: file, terminal: err == nil && info.Mode()&os.ModeCharDevice != 0}
}

// step begins a new part of the demo.
func (s *screen) step(format string, args ...any) {
	s.line("\n== " + fmt.Sprintf(format, args...))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count, s.noted = 0, time.Now()
}

// note shows that a long step goes on: a compiler's package, a download.
func (s *screen) note(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count++
	text = fmt.Sprintf("   %d: %.90s", s.count, text)
	switch {
	case s.terminal:
		fmt.Fprint(s.file, "\r\x1b[K"+text)
		s.open = true
	case time.Since(s.noted) > noteEvery:
		fmt.Fprintln(s.file, text)
		s.noted = time.Now()
	}
}

// message prints a line of the conversation.
func (s *screen) message(room, sender, body string) {
	body = strings.ReplaceAll(body, "\n", "\n"+strings.Repeat(" ", 42))
	s.line(fmt.Sprintf("%s  [%-14.14s] %-14.14s %s", time.Now().Format("15:04:05"), room, sender, body))
}

// presence prints that somebody comes or goes.
func (s *screen) presence(name, state string) {
	s.line(fmt.Sprintf("%s  %s is %s", time.Now().Format("15:04:05"), name, state))
}

// end finishes an open progress line.
func (s *screen) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endLocked()
}

func (s *screen) endLocked() {
	if s.open {
		fmt.Fprint(s.file, "\r\x1b[K")
		s.open = false
	}
}

func (s *screen) line(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endLocked()
	fmt.Fprintln(s.file, text)
}
