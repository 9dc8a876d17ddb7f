package scenario_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"matrix-messenger/internal/scenario"
)

// settled are the beginnings of lines that are served once everything that was said has been confirmed. They are not all
// there at the same moment: a message is counted before its place in the queue is given back.
var settled = []string{
	`matrix_messenger_messages_total{direction="to_messenger",result="ok"} 2`,
	`matrix_messenger_messages_total{direction="to_matrix",result="ok"} 3`,
	`matrix_messenger_delivery_seconds_count{direction="to_messenger"} 2`,
	`matrix_messenger_delivery_seconds_count{direction="to_matrix"} 3`,
	`matrix_messenger_queue_depth{queue="matrix_inbox"} 0`,
	`matrix_messenger_queue_depth{queue="outbox"} 0`,
	`matrix_messenger_sessions{state="CONNECTED"} 1`,
}

// measured starts a bridge that has talked, lost a connection and is measured, and returns what it serves: the lines by metric, without histogram parts.
func measured(t *testing.T) map[string][]string {
	t.Helper()
	address := scenario.FreeAddress(t)
	s := scenario.Start(t, scenario.Options{Network: map[string]any{"metrics": map[string]any{"listen": address}}})
	s.LoginWithToken()
	s.ServiceSends("mary", "a secret text", "another one")
	s.RoomShows("mary", "a secret text", "another one")
	s.UserSends("mary", "an answer nobody else may read")
	s.ContactReceives("mary", "an answer nobody else may read")
	session := s.NewerSession(0)
	s.ConnectionBreaks()
	s.NewerSession(session)
	s.NothingElseWasSaid()
	var text string
	within(t, func(ctx context.Context) error {
		for {
			text = metrics(t, address)
			missing := slices.DeleteFunc(slices.Clone(settled), func(line string) bool { return strings.Contains(text, "\n"+line+"\n") })
			if len(missing) == 0 {
				return nil
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("there is no %s among\n%s", missing[0], text)
			case <-time.After(50 * time.Millisecond): // numbers are asked for, as a monitoring system does
			}
		}
	})
	for _, private := range []string{"alice", "mary", "1000@", "2000@", "secret text", "answer nobody", s.HS.Domain()} {
		if regexp.MustCompile(`(?mi)^[^#].*` + regexp.QuoteMeta(private)).MatchString(text) { // a comment has the word summary
			t.Errorf("the numbers name %q", private)
		}
	}
	lines := map[string][]string{}
	for line := range strings.Lines(text) {
		if name := regexp.MustCompile(`^[a-z_0-9]+`).FindString(line); name != "" {
			lines[name] = append(lines[name], strings.TrimSpace(line))
		}
	}
	return lines
}

func TestTheNumbersThatAreServedAreThoseOfTheDocumentation(t *testing.T) {
	lines := measured(t)
	for _, want := range append(slices.Clone(settled),
		`matrix_messenger_sessions{state="CONNECTING"} 0`,
		`matrix_messenger_sessions{state="TRANSIENT_DISCONNECT"} 0`,
		`matrix_messenger_sessions{state="BAD_CREDENTIALS"} 0`,
		`matrix_messenger_messages_total{direction="to_messenger",result="failed"} 0`,
		`matrix_messenger_messages_total{direction="to_messenger",result="refused"} 0`,
		`matrix_messenger_messages_total{direction="to_matrix",result="expired"} 0`,
		`matrix_messenger_queue_depth{queue="messenger_inbox"} `,
		`matrix_messenger_reconnects_total{reason="messenger-`,
		`matrix_messenger_uncertain_total{outcome="resent"} 0`,
		`matrix_messenger_uncertain_total{outcome="archived"} `,
		`matrix_messenger_build_info{commit="`,
	) {
		name, _, _ := strings.Cut(want, "{")
		if !slices.ContainsFunc(lines[name], func(line string) bool { return strings.HasPrefix(line, want) }) {
			t.Errorf("there is no %s among\n%s", want, strings.Join(lines[name], "\n"))
		}
	}
}

func TestTheDashboardAndTheAlertsAskForNumbersThatThereAre(t *testing.T) {
	lines := measured(t)
	for file, expressions := range map[string][]string{"dashboard.json": dashboard(t), "alerts.yaml": alerts(t)} {
		if len(expressions) < 8 {
			t.Fatalf("%s has only %d expressions", file, len(expressions))
		}
		used := map[string]bool{}
		for _, expression := range expressions {
			for _, name := range regexp.MustCompile(`\b(?:matrix_messenger|process|go)_[a-z_]+`).FindAllString(expression, -1) {
				used[name] = true
				if lines[name] == nil {
					t.Errorf("%s asks for %s, which is not served: %s", file, name, expression)
				}
			}
			for _, selector := range regexp.MustCompile(`(matrix_messenger_[a-z_]+)\{([^}]*)\}`).FindAllStringSubmatch(expression, -1) {
				for _, label := range regexp.MustCompile(`([a-z_]+)[=!]~?"([^"]*)"`).FindAllStringSubmatch(selector[2], -1) {
					if label[1] == "job" || label[1] == "instance" {
						continue // the monitoring system's own
					}
					for _, value := range strings.Split(label[2], "|") {
						if !strings.Contains(strings.Join(lines[selector[1]], "\n"), label[1]+`="`+value+`"`) {
							t.Errorf("%s asks for %s with %s=%q, which there is not", file, selector[1], label[1], value)
						}
					}
				}
			}
		}
		for _, name := range []string{"sessions", "queue_depth", "messages_total", "delivery_seconds_bucket", "uncertain_total", "reconnects_total", "build_info"} {
			if !used["matrix_messenger_"+name] {
				t.Errorf("%s makes nothing of %s", file, name)
			}
		}
	}
}

// dashboard is every expression of the Grafana dashboard.
func dashboard(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../../deploy/grafana/dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		UID, Title string
		Panels     []struct {
			ID      int
			Title   string
			GridPos struct{ X, Y, W, H int } `json:"gridPos"`
			Targets []struct{ Expr string }
		}
		Annotations struct{ List []struct{ Expr string } }
		Templating  struct {
			List []struct {
				Name  string
				Query json.RawMessage
			}
		}
	}
	if err = json.Unmarshal(text, &board); err != nil {
		t.Fatal(err)
	}
	var expressions []string
	seen := map[int]bool{}
	for _, panel := range board.Panels {
		if seen[panel.ID] || panel.Title == "" || panel.GridPos.W == 0 || panel.GridPos.X+panel.GridPos.W > 24 || len(panel.Targets) == 0 {
			t.Errorf("the panel %d, %q, is not right", panel.ID, panel.Title)
		}
		seen[panel.ID] = true
		for _, target := range panel.Targets {
			expressions = append(expressions, target.Expr)
		}
	}
	for _, annotation := range board.Annotations.List {
		expressions = append(expressions, annotation.Expr)
	}
	variables := map[string]bool{"__rate_interval": true, "__interval": true}
	for _, variable := range board.Templating.List {
		variables[variable.Name] = true
		expressions = append(expressions, string(variable.Query))
	}
	for _, expression := range expressions {
		for _, name := range regexp.MustCompile(`\$([a-z_]+)`).FindAllStringSubmatch(expression, -1) {
			if !variables[name[1]] {
				t.Errorf("the dashboard has no variable %s", name[0])
			}
		}
	}
	return expressions
}

// alerts is every expression of the alert rules.
func alerts(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../../deploy/grafana/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var rules struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr, For string
				Labels           map[string]string
				Annotations      map[string]string
			}
		}
	}
	if err = yaml.Unmarshal(text, &rules); err != nil {
		t.Fatal(err)
	}
	var expressions []string
	for _, group := range rules.Groups {
		for _, rule := range group.Rules {
			if rule.Alert == "" || rule.Labels["severity"] == "" || rule.Annotations["summary"] == "" {
				t.Errorf("the rule %q is not complete", rule.Alert)
			}
			expressions = append(expressions, rule.Expr)
		}
	}
	return expressions
}
