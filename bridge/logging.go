package bridge

import (
	"bytes"
	"encoding/json"
	"io"

	"github.com/rs/zerolog"
	"go.mau.fi/zeroconfig"
)

// The framework logs each request to the homeserver with its body, at the level debug: every message of every chat. So what is written goes through a filter
// that leaves bodies out.

// Init sets everything up like the framework's, with our own log.
func (m *Main) Init() {
	withoutBodies(&m.Config.Logging)
	m.BridgeMain.Init()
}

// writerClean is the kind of writer that the filter is, to the framework.
const writerClean zeroconfig.WriterType = "matrix-messenger"

// withoutBodies puts the filter before the configured writers. Writers that cannot be made are left to the framework, which says what is wrong.
func withoutBodies(cfg *zeroconfig.Config) {
	if len(cfg.Writers) == 0 {
		return
	}
	writers := make([]io.Writer, len(cfg.Writers))
	for i := range cfg.Writers {
		writer, err := cfg.Writers[i].Compile()
		if err != nil {
			return
		}
		writers[i] = writer
	}
	clean := &cleanWriter{zerolog.MultiLevelWriter(writers...)}
	zeroconfig.RegisterWriter(writerClean, func(*zeroconfig.WriterConfig) (io.Writer, error) { return clean, nil })
	cfg.Writers = []zeroconfig.WriterConfig{{Type: writerClean}}
}

// cleanWriter leaves the bodies of requests out of log lines.
type cleanWriter struct{ to zerolog.LevelWriter }

// Write implements [io.Writer].
func (w *cleanWriter) Write(line []byte) (int, error) { return w.WriteLevel(zerolog.NoLevel, line) }

// WriteLevel implements [zerolog.LevelWriter].
func (w *cleanWriter) WriteLevel(level zerolog.Level, line []byte) (int, error) {
	if _, err := w.to.WriteLevel(level, withoutBody(line)); err != nil {
		return 0, err
	}
	return len(line), nil
}

// bodyField is how the framework calls it. Inside a string its quotes would be escaped.
var bodyField = []byte(`,"req_body":`)

// withoutBody cuts the field out of a line. A line that cannot be understood loses everything from there on.
func withoutBody(line []byte) []byte {
	for {
		at := bytes.Index(line, bodyField)
		if at < 0 {
			return line
		}
		value := json.NewDecoder(bytes.NewReader(line[at+len(bodyField):]))
		var body json.RawMessage
		if err := value.Decode(&body); err != nil {
			return append(bytes.Clone(line[:at]), "}\n"...)
		}
		end := at + len(bodyField) + int(value.InputOffset())
		line = append(bytes.Clone(line[:at]), line[end:]...)
	}
}
