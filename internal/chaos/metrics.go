package chaos

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// metrics adds up the bridge's counters over its runs: a run's counters are gone with it, so they are read before every end.
type metrics struct {
	url    string
	client *http.Client
	past   map[string]float64 // of runs that have ended
	latest map[string]float64 // of the run that goes on
}

func newMetrics(url string) *metrics {
	return &metrics{url: url, client: &http.Client{Timeout: 10 * time.Second}, past: map[string]float64{}, latest: map[string]float64{}}
}

// read asks the bridge. Names are the metric's, with the values of its labels behind a colon each.
func (m *metrics) read(ctx context.Context) (map[string]float64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, m.url, nil)
	if err != nil {
		return nil, err
	}
	answer, err := m.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	values := map[string]float64{}
	lines := bufio.NewScanner(answer.Body)
	for lines.Scan() {
		if key, value, ours := parseMetric(lines.Text()); ours {
			values[key] = value
		}
	}
	if err = lines.Err(); err != nil {
		return nil, fmt.Errorf("the bridge's metrics: %w", err)
	}
	return values, nil
}

// sample is a line of the text format.
var sample = regexp.MustCompile(`^matrix_messenger_([a-z_]+)(?:\{([^}]*)\})? (\S+)$`)

// label is one label of a sample.
var label = regexp.MustCompile(`[a-z_]+="([^"]*)"`)

// parseMetric reads a sample of the bridge's own.
func parseMetric(line string) (key string, value float64, ours bool) {
	parts := sample.FindStringSubmatch(line)
	if parts == nil {
		return "", 0, false
	}
	value, err := strconv.ParseFloat(parts[3], 64)
	key = parts[1]
	for _, l := range label.FindAllStringSubmatch(parts[2], -1) {
		key += ":" + l[1]
	}
	return key, value, err == nil
}

// look notes the counters of the run that goes on; without an answer they stay as they were.
func (m *metrics) look(ctx context.Context) {
	if values, err := m.read(ctx); err == nil {
		m.latest = values
	}
}

// ended adds the counters of a run that is over.
func (m *metrics) ended() {
	for key, value := range m.latest {
		m.past[key] += value
	}
	m.latest = map[string]float64{}
}

// total is a counter over all runs.
func (m *metrics) total(key string) float64 { return m.past[key] + m.latest[key] }

// waitIdle waits until no queue of the bridge holds anything.
func (m *metrics) waitIdle(ctx context.Context) error {
	for {
		values, err := m.read(ctx)
		if err == nil {
			m.latest = values
			waiting := 0.0
			for key, value := range values {
				if strings.HasPrefix(key, "queue_depth:") {
					waiting += value
				}
			}
			if waiting == 0 {
				return nil
			}
			err = fmt.Errorf("%v rows wait in the bridge's queues", waiting)
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(50 * time.Millisecond):
		}
	}
}
