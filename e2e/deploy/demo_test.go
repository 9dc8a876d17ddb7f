package deploy

import (
	"net"
	"os"
	"strings"
	"testing"

	"matrix-messenger/e2e/matrix"
	"matrix-messenger/e2e/process"
)

// The steps of the compose file with the demo's files, with processes instead of containers and Dendrite instead of Synapse.
func TestTheDemosFilesMakeAChat(t *testing.T) {
	const server = "example.localhost"
	d := newDeployment(t, server)
	ctx := d.ctx
	homeAddress, bridgeAddress, serviceAddress, controlAddress := d.free(), d.free(), d.free(), d.free()
	_, port, err := net.SplitHostPort(bridgeAddress)
	must(t, err)
	replaced(t, "demo/messengerd.yaml", d.file("messengerd.yaml"), map[string]string{
		"0.0.0.0:5222": serviceAddress, "127.0.0.1:5281": controlAddress, "/messengerd/": d.dir + "/",
	})
	replaced(t, "demo/config.yaml", d.file("config.yaml"), map[string]string{
		"http://homeserver:8008": "http://" + homeAddress, "http://matrix-messenger:29390": "http://" + bridgeAddress, "hostname: 0.0.0.0": "hostname: 127.0.0.1\n    port: " + port,
		"/data/bridge.db": d.file("bridge.db"), "messengerd:5222": serviceAddress, "/messengerd/": d.dir + "/",
	})
	service, err := process.Start(process.Spec{Name: "messengerd", Path: program(t, ctx, "messengerd"), Args: []string{"-config", d.file("messengerd.yaml")}})
	must(t, err)
	t.Cleanup(func() {
		if err := service.Stop(); err != nil {
			t.Error(err)
		}
	})
	must(t, service.WaitListening(ctx, controlAddress))

	// The image's entry script: with a configuration, the first start writes the registration.
	script := process.Spec{
		Name: "docker-run.sh", Path: "/bin/sh", Dir: d.dir, Args: []string{file(t, "docker-run.sh"), "--ignore-unsupported-server"},
		Env: []string{"MATRIX_MESSENGER_DATA=" + d.dir, "MATRIX_MESSENGER_PROGRAM=" + program(t, ctx, "matrix-messenger"), "GORACE=exitcode=0"},
	}
	said := &strings.Builder{}
	first := script
	first.OnLine = func(line string) { said.WriteString(line + "\n") }
	must(t, process.Run(ctx, first))
	if !strings.Contains(said.String(), "A registration was written to "+d.file("registration.yaml")) {
		t.Fatalf("the script said:\n%s", said)
	}
	d.runHomeserver(homeAddress, d.file("registration.yaml"))
	d.runBridge(bridgeAddress, script)

	for _, name := range []string{"config.yaml", "registration.yaml", "bridge.db"} {
		info, err := os.Stat(d.file(name))
		must(t, err)
		if mode := info.Mode().Perm(); mode&0o077 != 0 {
			t.Errorf("others may read %s: %v", name, mode)
		}
	}

	d.signIn("john", "demo-token")
	for _, contact := range []string{"Mary Contoso", "Anna Away"} {
		_, err := d.user.RoomWithTitle(ctx, contact)
		must(t, err)
	}
	mary, err := d.user.RoomWithTitle(ctx, "Mary Contoso")
	must(t, err)
	_, err = mary.Say(ctx, "is anybody there?")
	must(t, err)
	_, err = mary.WaitMessage(ctx, "Mary's echo", func(m matrix.Message) bool {
		return m.Name == "Mary Contoso" && strings.Contains(m.Body, "is anybody there?")
	})
	must(t, err)
}
