package main

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"matrix-messenger/e2e/process"
)

// site serves the browser client.
type site struct {
	server *http.Server
	url    string
	done   chan struct{}
}

// startWebClient builds Hydrogen (npm packages of the committed lock file, bundled by esbuild) and serves it,
// pointed at the homeserver.
func startWebClient(ctx context.Context, out *screen, homeserver string) (*site, error) {
	npm, err := exec.LookPath("npm")
	if err != nil {
		return nil, errors.New("npm is not installed")
	}
	root, err := process.RepoRoot()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(root, "e2e", "web")
	if err := buildWebClient(ctx, out, npm, dir); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &site{
		server: &http.Server{Handler: pages(filepath.Join(dir, "dist"), homeserver), ReadHeaderTimeout: 10 * time.Second},
		url:    "http://" + listener.Addr().String(), done: make(chan struct{}),
	}
	go func() {
		defer close(s.done)
		_ = s.server.Serve(listener) // ends with Close
	}()
	return s, nil
}

// buildWebClient fetches and bundles what is not there yet. Two demos at once wait for each other.
func buildWebClient(ctx context.Context, out *screen, npm, dir string) error {
	cache, err := process.CacheDir("web")
	if err != nil {
		return err
	}
	unlock, err := process.Lock(filepath.Join(cache, "lock"))
	if err != nil {
		return err
	}
	defer unlock()
	if newer(filepath.Join(dir, "dist", "index.html"), filepath.Join(dir, "package-lock.json"), filepath.Join(dir, "src", "main.js"),
		filepath.Join(dir, "index.html"), filepath.Join(dir, "build.mjs")) {
		return nil
	}
	out.step("Building the browser client")
	for _, args := range [][]string{{"ci", "--ignore-scripts", "--no-audit", "--no-fund"}, {"run", "build"}} {
		err := process.Run(ctx, process.Spec{Name: "npm " + args[0], Path: npm, Dir: dir, Args: args, OnLine: out.note})
		if err != nil {
			return err
		}
	}
	return nil
}

// newer reports whether a file exists and is younger than all of the others.
func newer(file string, than ...string) bool {
	made, err := os.Stat(file)
	if err != nil {
		return false
	}
	for _, other := range than {
		info, err := os.Stat(other)
		if err != nil || info.ModTime().After(made.ModTime()) {
			return false
		}
	}
	return true
}

// pages serves the bundle and the one value that it asks for.
func pages(dist, homeserver string) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServer(http.Dir(dist)))
	mux.HandleFunc("GET /config.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"defaultHomeServer": homeserver})
	})
	return mux
}

// URL is where a browser finds the client.
func (s *site) URL() string { return s.url }

// Close ends the listener and its goroutine.
func (s *site) Close() {
	_ = s.server.Close()
	<-s.done
}
