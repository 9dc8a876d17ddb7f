package deploy

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"matrix-messenger/e2e/process"
)

// booted is a systemd in a container of its own, on this machine's programs and network.
type booted struct {
	*deployment
	init string // its process ID, as seen from outside
}

// boot starts systemd with a unit and the folder of its configuration.
func (d *deployment) boot(unit, etc string) *booted {
	d.t.Helper()
	container, err := process.Start(process.Spec{Name: "systemd-nspawn", Path: "systemd-nspawn", Args: []string{
		"--quiet", "--directory=/", "--volatile=yes", "--register=no", "--keep-unit", "--bind-ro=" + d.dir + ":/opt/bridge", "--bind-ro=" + etc + ":/etc/matrix-messenger",
		"--bind-ro=" + unit + ":/etc/systemd/system/matrix-messenger.service", "--boot", "--", "systemd.unit=basic.target", "systemd.firstboot=0",
	}})
	must(d.t, err)
	d.t.Cleanup(func() {
		if d.t.Failed() {
			d.t.Log(container.Tail(20))
		}
		_ = container.Stop()
	})
	b := &booted{deployment: d}
	d.until("systemd has booted", func() (string, bool) {
		children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", container.PID(), container.PID()))
		if err != nil || len(strings.Fields(string(children))) == 0 {
			return fmt.Sprint(err), false
		}
		b.init = strings.Fields(string(children))[0]
		state := b.systemctl("is-system-running")
		return state, state == "running" || state == "degraded"
	})
	return b
}

// until asks again and again, until it is so.
func (d *deployment) until(what string, so func() (seen string, yes bool)) {
	d.t.Helper()
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.NewTimer(2 * time.Minute)
	defer deadline.Stop()
	for {
		seen, yes := so()
		if yes {
			return
		}
		select {
		case <-ticker.C:
		case <-deadline.C:
			d.t.Fatalf("waited in vain until %s: %s", what, seen)
		}
	}
}

// systemctl runs it inside and returns what it says; a unit that is not active is no error.
func (b *booted) systemctl(args ...string) string {
	said, _ := exec.Command("nsenter", append([]string{"-t", b.init, "-m", "-u", "-i", "-n", "-p", "systemctl"}, args...)...).CombinedOutput()
	return strings.TrimSpace(string(said))
}

// show is a property of the bridge's unit.
func (b *booted) show(property string) string {
	return b.systemctl("show", "--value", "-p", property, "matrix-messenger")
}

func (b *booted) becomes(property, wanted string) {
	b.t.Helper()
	b.until(property+" is "+wanted, func() (string, bool) {
		is := b.show(property)
		return is + "\n" + b.systemctl("status", "--no-pager", "-n", "5", "matrix-messenger"), is == wanted
	})
}

// The life of the unit in a systemd that was booted for it: the start waits for the homeserver, a second start works, a hanging bridge is started again.
func TestTheUnitInABootedSystemd(t *testing.T) {
	if os.Getenv("SYSTEMD_BOOT") == "" {
		t.Skip("boots a systemd, as root: make systemd-test")
	}
	for _, name := range []string{"systemd-nspawn", "nsenter"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("peer: %s is not installed", name)
		}
	}
	const server = "home.test"
	d := newDeployment(t, server)
	homeAddress, bridgeAddress, serviceAddress := d.free(), d.free(), d.free()
	_, port, err := net.SplitHostPort(bridgeAddress)
	must(t, err)
	etc := d.file("etc")
	must(t, os.Mkdir(etc, 0o755))
	replaced(t, "homeservers/dendrite.yaml", etc+"/config.yaml", map[string]string{
		"http://dendrite:8008": "http://" + homeAddress, "http://matrix-messenger:29390": "http://" + bridgeAddress, "port: 29390": "port: " + port,
		"hostname: 0.0.0.0": "hostname: 127.0.0.1", "/data/bridge.db": "/var/lib/matrix-messenger/bridge.db", "example.org": server, secret: "as_token:" + testToken,
		"domain: messenger.live.com": "address: " + serviceAddress,
	})
	path := program(t, d.ctx, "matrix-messenger")
	must(t, process.Run(d.ctx, process.Spec{Name: "-g", Path: path, Dir: d.dir, Args: []string{"-c", etc + "/config.yaml", "-r", d.file("registration.yaml"), "-g"}}))
	copied, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(d.file("matrix-messenger"), copied, 0o755))
	must(t, os.Chmod(d.dir, 0o755)) // the service's user goes through it
	unit := d.file("matrix-messenger.service")
	replaced(t, "matrix-messenger.service", unit, map[string]string{
		"/usr/local/bin/": "/opt/bridge/", "--no-update\n": "--no-update --ignore-unsupported-server\n", "WatchdogSec=60": "WatchdogSec=6", "RestartSec=10": "RestartSec=1",
	})
	b := d.boot(unit, etc)

	b.systemctl("start", "--no-block", "matrix-messenger")
	d.until("the bridge's web server answers", func() (string, bool) {
		answer, err := http.Get("http://" + bridgeAddress + "/_matrix/mau/live")
		if err != nil {
			return err.Error() + b.systemctl("status", "--no-pager", "-n", "5", "matrix-messenger"), false
		}
		_ = answer.Body.Close()
		return answer.Status, answer.StatusCode == http.StatusOK
	})
	if state := b.show("ActiveState"); state != "activating" {
		t.Errorf("without a homeserver the unit is %s", state)
	}
	d.runHomeserver(homeAddress, d.file("registration.yaml"))
	b.becomes("ActiveState", "active")
	if said := b.systemctl("restart", "matrix-messenger"); said != "" || b.show("ActiveState") != "active" {
		t.Fatalf("its second start says %s\n%s", said, b.systemctl("status", "--no-pager", "-n", "20", "matrix-messenger"))
	}

	before, err := strconv.Atoi(b.show("NRestarts"))
	must(t, err)
	b.systemctl("kill", "-s", "STOP", "matrix-messenger")
	b.becomes("NRestarts", strconv.Itoa(before+1))
	b.becomes("ActiveState", "active")
	if said := b.systemctl("stop", "matrix-messenger"); said != "" || b.show("Result") != "success" {
		t.Errorf("it stops with %s %s", b.show("Result"), said)
	}
}
