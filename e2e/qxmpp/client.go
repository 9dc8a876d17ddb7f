package qxmpp

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"

	"matrix-messenger/e2e/process"
)

// Options say where the program signs in, and as whom.
type Options struct {
	Address string // host:port of the service
	Domain  string
	CAFile  string // the only authority that it trusts
	Token   string // handed over in the environment, not in the arguments
}

// Line is something that the program has told (client/client.cpp lists the words), decoded.
type Line []string

// Client is a running program.
type Client struct {
	proc *process.Process

	mu      sync.Mutex
	lines   []Line
	changed chan struct{} // closed and replaced with every line
}

// Start runs the program. It signs in at once and answers messages until it is told "good-bye".
func Start(program string, options Options) (*Client, error) {
	host, port, err := net.SplitHostPort(options.Address)
	if err != nil {
		return nil, err
	}
	c := &Client{changed: make(chan struct{})}
	c.proc, err = process.Start(process.Spec{
		Name: "qxmpp-client", Path: program, Args: []string{host, port, options.Domain, options.CAFile},
		Env: []string{"MESSENGER_TOKEN=" + options.Token}, OnLine: c.take,
	})
	return c, err
}

func (c *Client) take(text string) {
	words := strings.Split(text, " ")
	for i, word := range words {
		if decoded, err := url.PathUnescape(word); err == nil {
			words[i] = decoded
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lines = append(c.lines, words)
	close(c.changed)
	c.changed = make(chan struct{})
}

// Lines are the lines so far that begin with these words.
func (c *Client) Lines(words ...string) []Line {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.linesLocked(words)
}

func (c *Client) linesLocked(words []string) []Line {
	var found []Line
	for _, line := range c.lines {
		if len(line) >= len(words) && slices.Equal(line[:len(words)], words) {
			found = append(found, line)
		}
	}
	return found
}

// Wait waits for a line that begins with these words and returns the first one.
func (c *Client) Wait(ctx context.Context, words ...string) (Line, error) {
	for {
		c.mu.Lock()
		found, changed := c.linesLocked(words), c.changed
		c.mu.Unlock()
		if len(found) > 0 {
			return found[0], nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, fmt.Errorf("QXmpp did not tell %q: %w\n%s", words, ctx.Err(), c.proc.Tail(40))
		case <-c.proc.Done():
			if found := c.Lines(words...); len(found) > 0 {
				return found[0], nil
			}
			return nil, fmt.Errorf("QXmpp ended (%v) before it told %q\n%s", c.proc.Err(), words, c.proc.Tail(40))
		}
	}
}

// Ended waits for the program to end by itself; the error tells whether it ended well.
func (c *Client) Ended(ctx context.Context) error { return c.proc.Wait(ctx) }

// Close ends the program if it still runs.
func (c *Client) Close() { c.proc.Kill() }
