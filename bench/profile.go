package main

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"
)

// pprof reads one of the bridge's profiles, which the framework serves to whoever has the provisioning secret.
func (in *installation) pprof(name string) ([]byte, error) {
	req, err := http.NewRequest(http.MethodGet, in.url+"/debug/pprof/"+name, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+secret)
	resp, err := (&http.Client{Timeout: 2 * time.Minute}).Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("profile %s: %s", name, resp.Status)
	}
	return body, err
}

// keepProfile leaves a profile in the folder of -out.
func (b *bench) keepProfile(in *installation, name, file string) error {
	if b.out == "" {
		return nil
	}
	data, err := in.pprof(name)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(b.out, file), data, 0o600)
}

// owner says whose a sample of the heap is: the first of these whose code is on the stack, from the allocation outwards. The order of the list does not matter.
var owners = []struct{ prefix, name string }{
	{"crypto/", "TLS"},
	{"matrix-messenger/xmppside", "xmppside"},
	{"encoding/xml", "xmppside"},
	{"matrix-messenger/bridge", "bridge"},
	{"matrix-messenger/oauth", "oauth"},
	{"matrix-messenger/database", "database"},
	{"github.com/mattn/go-sqlite3", "database"},
	{"go.mau.fi/util/dbutil", "database"},
	{"database/sql", "database"},
	{"maunium.net/go/mautrix", "framework"},
	{"go.mau.fi/", "framework"},
	{"net.", "sockets"},
	{"internal/poll", "sockets"},
}

// heapByOwner is the live heap in bytes, by owner, after a collection.
func (in *installation) heapByOwner() (map[string]float64, error) {
	text, err := in.pprof("heap?debug=1&gc=1")
	if err != nil {
		return nil, err
	}
	return splitHeap(string(text)), nil
}

// splitHeap reads the text form of a heap profile. Its samples stand for more than themselves, depending on their size.
func splitHeap(text string) map[string]float64 {
	const rate = 512 << 10 // runtime.MemProfileRate unless somebody changes it
	by := map[string]float64{}
	scanner := bufio.NewScanner(strings.NewReader(text))
	scanner.Buffer(nil, 1<<20)
	size, owner := 0.0, ""
	flush := func() {
		if size > 0 {
			if owner == "" {
				owner = "other"
			}
			by[owner] += size
		}
		size, owner = 0, ""
	}
	for scanner.Scan() {
		line := scanner.Text()
		var count, bytes, allCount, allBytes float64
		if n, _ := fmt.Sscanf(line, "%f: %f [%f: %f]", &count, &bytes, &allCount, &allBytes); n == 4 && !strings.HasPrefix(line, "#") {
			flush()
			if count > 0 {
				size = bytes / (1 - math.Exp(-bytes/count/rate))
			}
			continue
		}
		fields := strings.Fields(line)
		if owner != "" || len(fields) < 3 || fields[0] != "#" {
			continue
		}
		for _, o := range owners {
			if strings.HasPrefix(fields[2], o.prefix) {
				owner = o.name
				break
			}
		}
	}
	flush()
	return by
}

// perSession writes what each owner holds for each session, most first.
func perSession(by, before map[string]float64, n int) string {
	type part struct {
		name  string
		bytes float64
	}
	var all []part
	for name, bytes := range by {
		if each := (bytes - before[name]) / float64(n); each >= 100 {
			all = append(all, part{name, each})
		}
	}
	sort.Slice(all, func(i, j int) bool { return all[i].bytes > all[j].bytes })
	words := make([]string, len(all))
	for i, p := range all {
		words[i] = fmt.Sprintf("%s %.1f", p.name, p.bytes/1024)
	}
	return strings.Join(words, ", ")
}
