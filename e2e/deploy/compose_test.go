package deploy

import (
	"net"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"matrix-messenger/messengerd"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"gopkg.in/yaml.v3"
)

// project reads the compose file as `docker compose --profile … config` does.
func project(t *testing.T, profiles ...string) *types.Project {
	t.Helper()
	options, err := cli.NewProjectOptions([]string{file(t, "compose.yaml")}, cli.WithProfiles(profiles), cli.WithInterpolation(true))
	must(t, err)
	p, err := options.LoadProject(t.Context())
	must(t, err)
	return p
}

func names(p *types.Project) []string {
	names := p.ServiceNames()
	slices.Sort(names)
	return names
}

// inside is the folder of this machine that a container sees at a path, and whether it may write there.
func inside(service types.ServiceConfig, file string) (folder string, writes bool) {
	for _, volume := range service.Volumes {
		if rest, below := strings.CutPrefix(file, volume.Target+"/"); below {
			return path.Join(volume.Source, rest), !volume.ReadOnly
		}
	}
	return "", false
}

func TestTheComposeFileIsValidAndHasWhatItSays(t *testing.T) {
	if got := names(project(t)); !slices.Equal(got, []string{"homeserver", "matrix-messenger"}) {
		t.Errorf("without a profile it starts %v", got)
	}
	p := project(t, "demo")
	if got := names(p); !slices.Equal(got, []string{"homeserver", "matrix-messenger", "messengerd"}) {
		t.Errorf("with the profile demo it starts %v", got)
	}
	if got := names(project(t, "setup")); !slices.Contains(got, "homeserver-setup") {
		t.Errorf("with the profile setup it starts %v", got)
	}
	for _, name := range []string{"matrix-messenger", "messengerd"} {
		service := p.Services[name]
		if !service.ReadOnly || !slices.Contains(service.CapDrop, "ALL") || !slices.Contains(service.SecurityOpt, "no-new-privileges:true") {
			t.Errorf("%s may do more than it needs", name)
		}
		if len(service.Ports) > 0 {
			t.Errorf("%s is open to the machine's neighbours: %v", name, service.Ports)
		}
	}
	for _, port := range p.Services["homeserver"].Ports {
		if ip := net.ParseIP(port.HostIP); ip == nil || !ip.IsLoopback() {
			t.Errorf("the homeserver is published on %q", port.HostIP)
		}
	}
	// The bridge gives itself 30 s to end in order.
	if grace := p.Services["matrix-messenger"].StopGracePeriod; grace == nil || time.Duration(*grace) < 40*time.Second {
		t.Errorf("the bridge gets %v to end", grace)
	}
}

func TestTheNamesOfTheComposeFileAreThoseOfTheDemosConfigurations(t *testing.T) {
	p := project(t, "demo")
	bridge, homeserver, service := p.Services["matrix-messenger"], p.Services["homeserver"], p.Services["messengerd"]
	config := parse(t, "demo/config.yaml")
	text := func(path ...string) string { s, _ := value(config, path...).(string); return s }
	host := func(address string) (name, port string) {
		u, err := url.Parse(address)
		must(t, err)
		return u.Hostname(), u.Port()
	}
	if name, port := host(text("homeserver", "address")); name != homeserver.Name || port != "8008" {
		t.Errorf("the homeserver is at %s:%s", name, port)
	}
	if name, port := host(text("appservice", "address")); name != bridge.Name || port != "29390" || !strings.Contains(read(t, "../Dockerfile"), "EXPOSE "+port) {
		t.Errorf("the bridge is at %s:%s", name, port)
	}
	if domain := p.AllServices()["homeserver-setup"].Environment["SYNAPSE_SERVER_NAME"]; domain == nil || *domain != text("homeserver", "domain") {
		t.Errorf("the homeserver's name is %v", domain)
	}
	if name, port, err := net.SplitHostPort(text("network", "address")); err != nil || name != service.Name || port != "5222" {
		t.Errorf("the service is at %s:%s (%v)", name, port, err)
	}

	// One folder, seen by two: what the service writes is what the bridge trusts, and the registration is where the homeserver looks.
	demo, err := messengerd.LoadConfig(file(t, "demo/messengerd.yaml"))
	must(t, err)
	if _, port, err := net.SplitHostPort(demo.Listen); err != nil || port != "5222" {
		t.Errorf("the service listens on %s", demo.Listen)
	}
	written, writes := inside(service, demo.Certificate.CAFile)
	trusted, _ := inside(bridge, text("network", "tls", "ca_file"))
	if written == "" || !writes || written != trusted {
		t.Errorf("the service's authority is written to %q (%v) and looked for in %q", written, writes, trusted)
	}
	if state, writes := inside(service, demo.State); state == "" || !writes {
		t.Errorf("the service's state %s is not on a volume", demo.State)
	}
	if given, _ := inside(service, service.Command[len(service.Command)-1]); !strings.HasSuffix(given, "/deploy/messengerd/messengerd.yaml") {
		t.Errorf("the service reads %s", given)
	}
	made, writes := inside(bridge, "/data/registration.yaml")
	read, _ := inside(homeserver, "/bridge/registration.yaml")
	if made == "" || !writes || made != read {
		t.Errorf("the registration is written to %q (%v) and read from %q", made, writes, read)
	}
	if after := bridge.DependsOn["messengerd"]; after.Required || after.Condition != types.ServiceConditionHealthy {
		t.Errorf("the bridge starts after messengerd as %+v", after)
	}
	if test := strings.Join(service.HealthCheck.Test, " "); !strings.Contains(test, "http://"+demo.Control.Listen+"/accounts") {
		t.Errorf("the service is well when %q", test)
	}
}

// TestTheStepThatNamesTheRegistrationWorksOnWhatSynapseWrites runs the documented shell line behind a configuration that ends as Synapse's generated one does:
// with a comment and without the end of its line.
func TestTheStepThatNamesTheRegistrationWorksOnWhatSynapseWrites(t *testing.T) {
	for _, name := range []string{"README.md", "compose.yaml"} {
		var step string
		for line := range strings.Lines(read(t, name)) {
			if strings.Contains(line, "tee -a synapse/homeserver.yaml") {
				step = strings.ReplaceAll(strings.TrimLeft(line, "# "), "sudo ", "")
			}
		}
		if step == "" {
			t.Fatalf("%s does not say how Synapse is told of the registration", name)
		}
		dir := t.TempDir()
		must(t, os.Mkdir(filepath.Join(dir, "synapse"), 0o700))
		config := filepath.Join(dir, "synapse", "homeserver.yaml")
		must(t, os.WriteFile(config, []byte("server_name: \"example.localhost\"\n\n\n# vim:ft=yaml"), 0o600))
		command := exec.CommandContext(t.Context(), "sh", "-c", step)
		command.Dir = dir
		if out, err := command.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", step, err, out)
		}
		text, err := os.ReadFile(config)
		must(t, err)
		var got struct {
			ServerName    string   `yaml:"server_name"`
			Registrations []string `yaml:"app_service_config_files"`
		}
		must(t, yaml.Unmarshal(text, &got))
		if got.ServerName != "example.localhost" || !slices.Equal(got.Registrations, []string{"/bridge/registration.yaml"}) {
			t.Errorf("after the step of %s Synapse reads %+v:\n%s", name, got, text)
		}
	}
}
