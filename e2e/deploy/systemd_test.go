package deploy

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// exposed is how much of the machine systemd may find the service to reach, from 0 (nothing) to 100.
const exposed = "15"

// unit writes the unit with a program in it that exists.
func unit(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("peer: systemd-analyze is not installed")
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	to := filepath.Join(t.TempDir(), "matrix-messenger.service")
	replaced(t, "matrix-messenger.service", to, map[string]string{"/usr/local/bin/matrix-messenger": program(t, ctx, "matrix-messenger")})
	return to
}

func TestSystemdUnderstandsTheUnit(t *testing.T) {
	// A key that systemd does not know is only a warning to it.
	if said, err := exec.Command("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", unit(t)).CombinedOutput(); err != nil || len(said) > 0 {
		t.Errorf("%v: %s", err, said)
	}
}

func TestTheUnitReachesLittleOfTheMachine(t *testing.T) {
	if said, err := exec.Command("systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold="+exposed, unit(t)).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, said)
	}
}

func TestTheUnitIsKeptAliveByTheProgram(t *testing.T) {
	text := read(t, "matrix-messenger.service")
	// What the program does about them is tested in internal/scenario. Without @chown its second start fails: a log file that is there is rotated.
	for _, line := range []string{"Type=notify", "WatchdogSec=60", "TimeoutStartSec=infinity", "Restart=on-failure", "SystemCallFilter=@chown"} {
		if !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("the unit lacks %s", line)
		}
	}
}

var fenced = regexp.MustCompile("(?s)```(yaml|ini)\n(.*?)```")

func TestThePlaybooksPageHoldsWhatCanBeRead(t *testing.T) {
	kinds := map[string]int{}
	for _, block := range fenced.FindAllStringSubmatch(read(t, "ansible.md"), -1) {
		kinds[block[1]]++
		if block[1] == "yaml" {
			var values map[string]any
			must(t, yaml.Unmarshal([]byte(block[2]), &values))
			continue
		}
		if _, err := exec.LookPath("systemd-analyze"); err != nil {
			t.Skip("peer: systemd-analyze is not installed")
		}
		unit := filepath.Join(t.TempDir(), "matrix-messenger.service")
		text := strings.NewReplacer("/usr/bin/docker", "/bin/true", "Requires=docker.service\n", "").Replace(block[2])
		must(t, os.WriteFile(unit, []byte(text), 0o600))
		if said, err := exec.Command("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", unit).CombinedOutput(); err != nil || len(said) > 0 {
			t.Errorf("%v: %s", err, said)
		}
	}
	if kinds["yaml"] < 2 || kinds["ini"] != 1 {
		t.Errorf("it has %v", kinds)
	}
}
