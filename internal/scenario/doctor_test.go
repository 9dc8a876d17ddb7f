package scenario_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"matrix-messenger/bridge/doctor"
	"matrix-messenger/internal/scenario"
	"matrix-messenger/messengerd"
)

// examine runs the doctor and gives its results by check.
func examine(t *testing.T, opts doctor.Options) map[string]doctor.Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*scenario.StepTimeout)
	defer cancel()
	results := map[string]doctor.Result{}
	var order []string
	doctor.Run(ctx, opts, func(r doctor.Result) {
		results[r.Check] = r
		order = append(order, r.Check)
		if (r.Status == doctor.Fail || r.Status == doctor.Warn) && r.Remedy == "" {
			t.Errorf("%s is %s, and nobody is told what to do: %s", r.Check, r.Status, r.Message)
		}
	})
	if !slices.Equal(order, doctor.Names) {
		t.Errorf("the checks were %v", order)
	}
	return results
}

func expect(t *testing.T, results map[string]doctor.Result, check string, status doctor.Status, part string) {
	t.Helper()
	if r := results[check]; r.Status != status || !strings.Contains(r.Message+" "+r.Remedy, part) {
		t.Errorf("%s: got %+v, want %s with %q", check, r, status, part)
	}
}

func TestTheDoctorFindsAWorkingInstallationWellBesideTheRunningBridge(t *testing.T) {
	options, _ := oauthOptions(t, "")
	s := scenario.Start(t, options)
	s.LoginWithToken()
	results := examine(t, doctor.Options{Config: s.ConfigFile()})
	for _, name := range doctor.Names {
		if r := results[name]; r.Status != doctor.OK && r.Status != doctor.Skip {
			t.Errorf("%+v", r)
		}
	}
	expect(t, results, "registration", doctor.OK, "reaches it")
	s.StopBridge()
	expect(t, examine(t, doctor.Options{Config: s.ConfigFile()}), "registration", doctor.OK, "reaches it")
	s.StartBridge()
	s.SessionIsUp()
}

func TestTheDoctorSaysWhatIsWrongAndWhatToDo(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.StopBridge()
	text, err := os.ReadFile(s.ConfigFile())
	if err != nil {
		t.Fatal(err)
	}
	changed := func(from, to string) doctor.Options {
		file := t.TempDir() + "/config.yaml"
		if !bytes.Contains(text, []byte(from)) {
			t.Fatalf("the configuration has no %q", from)
		}
		if err := os.WriteFile(file, bytes.Replace(text, []byte(from), []byte(to), 1), 0o600); err != nil {
			t.Fatal(err)
		}
		return doctor.Options{Config: file}
	}
	expect(t, examine(t, changed("domain: messenger.example", "domian: messenger.example")), "config", doctor.Fail, "network.domian")
	expect(t, examine(t, changed("domain: messenger.example", "domain: other.example")), "service", doctor.Fail, "network.domain")
	expect(t, examine(t, changed("ca_file: ", "ca_file: /none")), "config", doctor.Fail, "network.tls.ca_file")
	expect(t, examine(t, changed("as_token: ", "as_token: wrong-")), "registration", doctor.Fail, "Install the registration file")
	// Before the first start there is no bot yet, which is no fault; a bot outside of the bridge's own users is one.
	expect(t, examine(t, changed("username: messengerbot", "username: messenger_new")), "registration", doctor.OK, "reaches it")
	expect(t, examine(t, changed("username: messengerbot", "username: somebody")), "registration", doctor.Fail, "appservice.bot.username")
	s.ServiceGoesDown()
	expect(t, examine(t, doctor.Options{Config: s.ConfigFile()}), "service", doctor.Fail, "network.address")
	s.ServiceComesBack()
	s.HomeserverGoesDown()
	down := examine(t, doctor.Options{Config: s.ConfigFile()})
	expect(t, down, "homeserver", doctor.Fail, "Check that it runs")
	expect(t, down, "registration", doctor.Skip, "does not answer")
	s.HomeserverComesBack()
	s.Switch(func(w *messengerd.Switches) { w.Mechanism = "other_only" })
	expect(t, examine(t, doctor.Options{Config: s.ConfigFile()}), "service", doctor.Fail, "")
}

func TestTheDoctorsReportCanBeReadByPrograms(t *testing.T) {
	var out bytes.Buffer
	if doctor.Print(t.Context(), doctor.Options{Config: t.TempDir() + "/none.yaml"}, true, &out) {
		t.Error("an installation without a configuration is well")
	}
	var report []struct{ Check, Status, Message, Remedy string }
	if err := json.Unmarshal(out.Bytes(), &report); err != nil || len(report) != len(doctor.Names) {
		t.Fatalf("%v: %s", err, out.String())
	}
	if report[0].Check != "config" || report[0].Status != "fail" || report[0].Remedy == "" || report[1].Status != "skip" {
		t.Errorf("the report begins with %+v", report[:2])
	}
}

func TestSeveralAccountsOfOneUserStayApart(t *testing.T) {
	s := scenario.Start(t, scenario.Options{})
	s.LoginWithToken()
	s.UserTellsBot("login token " + s.Service.IssueToken("john@contoso.example"))
	s.BotSays("Successfully logged in as 3000@messenger.example")
	s.UserTellsBot("status")
	both := s.BotSays("3000@messenger.example")
	if !strings.Contains(both, "1000@messenger.example") {
		t.Errorf("the status shows only %q", both)
	}
	s.UserTellsBot("status 1000@messenger.example")
	if one := s.BotSays("1000@messenger.example"); strings.Contains(one, "3000@messenger.example") {
		t.Errorf("the status of one account shows %q", one)
	}
	s.ServiceSends("mary", "for Alice's first account")
	s.RoomShows("mary", "for Alice's first account")
	s.UserSends("mary", "from it")
	s.ContactReceives("mary", "from it")
	s.NothingElseWasSaid()
}
