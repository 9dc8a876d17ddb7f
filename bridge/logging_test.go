package bridge

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/rs/zerolog"
	"go.mau.fi/zeroconfig"
)

func TestTheBodiesOfRequestsAreLeftOutOfTheLog(t *testing.T) {
	for line, want := range map[string]string{
		`{"level":"debug","req_body":{"body":"secret \"} ,"},"time":1}` + "\n": `{"level":"debug","time":1}` + "\n",
		`{"level":"debug","time":1,"req_body":"secret"}` + "\n":                `{"level":"debug","time":1}` + "\n",
		`{"a":1,"req_body":[1,"secret"],"req_body":null,"b":2}` + "\n":         `{"a":1,"b":2}` + "\n",
		`{"message":"about ,\"req_body\": it"}` + "\n":                         `{"message":"about ,\"req_body\": it"}` + "\n",
		`{"a":1,"req_body":{"cut`:                                              `{"a":1}` + "\n",
	} {
		if got := string(withoutBody([]byte(line))); got != want {
			t.Errorf("%s becomes %s", line, got)
		}
	}
}

func TestTheFilterKeepsTheConfiguredWritersAndTheirLevels(t *testing.T) {
	var out bytes.Buffer
	before := zeroconfig.Stdout
	zeroconfig.Stdout = &out
	defer func() { zeroconfig.Stdout = before }()
	info := zerolog.InfoLevel
	cfg := zeroconfig.Config{Writers: []zeroconfig.WriterConfig{{Type: zeroconfig.WriterTypeStdout, Format: zeroconfig.LogFormatPretty, MinLevel: &info}}}
	withoutBodies(&cfg)
	log, err := cfg.Compile()
	if err != nil {
		t.Fatal(err)
	}
	log.Debug().Msg("too low")
	log.Info().RawJSON("req_body", json.RawMessage(`{"body": "secret"}`)).Str("kept", "yes").Msg("told")
	if text := out.String(); !strings.Contains(text, "INF told kept=yes") || strings.Contains(text, "secret") || strings.Contains(text, "too low") {
		t.Errorf("written was %q", text)
	}
	wrong := zeroconfig.Config{Writers: []zeroconfig.WriterConfig{{Type: "nonsense"}}}
	withoutBodies(&wrong)
	if _, err = wrong.Compile(); err == nil || !strings.Contains(err.Error(), "nonsense") {
		t.Errorf("a wrong writer is not told: %v", err)
	}
}
