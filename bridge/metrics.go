package bridge

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"maunium.net/go/mautrix/bridgev2/status"

	"matrix-messenger/database"
	"matrix-messenger/xmppside"
)

// The labels of design.md section 5. No label ever names a person.
const (
	toMessenger = "to_messenger"
	toMatrix    = "to_matrix"

	resultOK      = "ok"
	resultFailed  = "failed"
	resultRefused = "refused"
	resultExpired = "expired"
)

// Outcomes of matrix_messenger_uncertain_total: what became of a message whose confirmation was lost.
const (
	outcomeArchived = "archived" // the archive shows that it had arrived
	outcomeMissing  = "missing"  // the archive shows that it had not: it is sent again
	outcomeResent   = "resent"   // nothing tells, and it is sent again
	outcomeReported = "reported" // nothing tells, and its sender is asked to look
)

// metrics are the numbers of design.md section 5, and where they are served.
type metrics struct {
	registry   *prometheus.Registry
	messages   *prometheus.CounterVec
	delivery   *prometheus.HistogramVec
	reconnects *prometheus.CounterVec
	uncertain  *prometheus.CounterVec

	server *http.Server
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		messages: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "matrix_messenger_messages_total", Help: "Messages that came to an end, by direction and result.",
		}, []string{"direction", "result"}),
		delivery: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "matrix_messenger_delivery_seconds", Help: "From received (committed) to confirmed by the service or accepted by the homeserver.",
			Buckets: []float64{.001, .003, .005, .01, .015, .03, .06, .125, .25, .5, 1, 2.5, 5, 15, 60, 300, 3600},
		}, []string{"direction"}),
		reconnects: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "matrix_messenger_reconnects_total", Help: "New connection attempts after a failure, by error code.",
		}, []string{"reason"}),
		uncertain: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "matrix_messenger_uncertain_total", Help: "Messages whose confirmation was lost with the connection, by what became of them.",
		}, []string{"outcome"}),
	}
	for _, direction := range []string{toMessenger, toMatrix} {
		for _, result := range []string{resultOK, resultFailed, resultRefused, resultExpired} {
			m.messages.WithLabelValues(direction, result)
		}
		m.delivery.WithLabelValues(direction)
	}
	for _, outcome := range []string{outcomeArchived, outcomeMissing, outcomeResent, outcomeReported} {
		m.uncertain.WithLabelValues(outcome)
	}
	m.registry.MustRegister(m.messages, m.delivery, m.reconnects, m.uncertain,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// observe registers what is read when somebody asks.
func (m *metrics) observe(c *Connector) {
	m.registry.MustRegister(&stateCollector{
		c:        c,
		sessions: prometheus.NewDesc("matrix_messenger_sessions", "Sessions by bridge state.", []string{"state"}, nil),
		depth:    prometheus.NewDesc("matrix_messenger_queue_depth", "Rows that wait in a queue.", []string{"queue"}, nil),
		build:    prometheus.NewDesc("matrix_messenger_build_info", "Always 1.", []string{"version", "commit", "goversion"}, nil),
	})
}

func (m *metrics) sent(row database.OutboxMessage) {
	m.messages.WithLabelValues(toMessenger, resultOK).Inc()
	m.delivery.WithLabelValues(toMessenger).Observe(time.Since(row.ReceivedAt).Seconds())
}

func (m *metrics) handedOver(received time.Time) {
	m.messages.WithLabelValues(toMatrix, resultOK).Inc()
	m.delivery.WithLabelValues(toMatrix).Observe(time.Since(received).Seconds())
}

func (m *metrics) result(direction, result string) {
	m.messages.WithLabelValues(direction, result).Inc()
}

func (m *metrics) reconnect(code xmppside.Code) { m.reconnects.WithLabelValues(string(code)).Inc() }

func (m *metrics) settledUncertain(outcome string, n int) {
	m.uncertain.WithLabelValues(outcome).Add(float64(n))
}

// listen serves the numbers at /metrics, if an address is configured.
func (m *metrics) listen(c *Connector) error {
	address := c.Config.Metrics.Listen
	if address == "" {
		return nil
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("network.metrics.listen: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Timeout: 10 * time.Second}))
	m.server = &http.Server{
		Handler: mux, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute,
	}
	c.work.Go(func() {
		if err := m.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			c.log.Err(err).Msg("The metrics are not served any more")
		}
	})
	return nil
}

func (m *metrics) close() {
	if m.server != nil {
		_ = m.server.Close()
	}
}

// stateCollector reads the states of the sessions and the queues' depths when it is asked.
type stateCollector struct {
	c                      *Connector
	sessions, depth, build *prometheus.Desc
}

func (s *stateCollector) Describe(out chan<- *prometheus.Desc) {
	out <- s.sessions
	out <- s.depth
	out <- s.build
}

func (s *stateCollector) Collect(out chan<- prometheus.Metric) {
	counts := map[status.BridgeStateEvent]int{
		status.StateConnecting: 0, status.StateConnected: 0, status.StateTransientDisconnect: 0,
		status.StateBadCredentials: 0, status.StateUnknownError: 0,
	}
	for _, client := range s.c.allClients() {
		counts[client.stateName()]++
	}
	for state, count := range counts {
		out <- prometheus.MustNewConstMetric(s.sessions, prometheus.GaugeValue, float64(count), string(state))
	}
	ctx, cancel := context.WithTimeout(s.c.ctx, 5*time.Second)
	defer cancel()
	for queue, depth := range map[string]func(context.Context) (int, error){
		"matrix_inbox": s.c.db.MatrixInbox.Depth, "outbox": s.c.db.Outbox.Depth, "messenger_inbox": s.c.db.MessengerInbox.Depth,
	} {
		if n, err := depth(ctx); err == nil {
			out <- prometheus.MustNewConstMetric(s.depth, prometheus.GaugeValue, float64(n), queue)
		}
	}
	version, commit, goVersion := buildInfo()
	out <- prometheus.MustNewConstMetric(s.build, prometheus.GaugeValue, 1, version, commit, goVersion)
}

// buildInfo is what the program was built from.
func buildInfo() (version, commit, goVersion string) {
	version = Version
	if info, ok := debug.ReadBuildInfo(); ok {
		goVersion = info.GoVersion
		for _, setting := range info.Settings {
			if setting.Key == "vcs.revision" {
				commit = setting.Value
			}
		}
	}
	if Commit != "" {
		commit = Commit
	}
	return version, commit, goVersion
}

// stateName is the bridge state that a session counts under.
func (cl *Client) stateName() status.BridgeStateEvent {
	cl.mu.Lock()
	ev := cl.state
	cl.mu.Unlock()
	switch ev.State {
	case xmppside.Online:
		return status.StateConnected
	case xmppside.SignedOut:
		return status.StateBadCredentials
	case xmppside.Waiting:
		if state, ok := bridgeState(ev); ok {
			return state.StateEvent
		}
		return status.StateTransientDisconnect
	default:
		return status.StateConnecting
	}
}
