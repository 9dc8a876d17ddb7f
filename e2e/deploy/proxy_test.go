package deploy

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"matrix-messenger/e2e/process"

	"gopkg.in/yaml.v3"
)

const publicHost = "bridge.example.org"

// stub stands where the bridge does and says which address was asked for.
func stub(t *testing.T) (address string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, "bridge: %s %s", r.Host, r.URL.RequestURI())
	}))
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// certificate makes one for the public host and returns the files and who trusts it.
func certificate(t *testing.T, dir string) (certFile, keyFile string, roots *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{publicHost}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must(t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	must(t, os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	must(t, os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), 0o600))
	parsed, err := x509.ParseCertificate(der)
	must(t, err)
	roots = x509.NewCertPool()
	roots.AddCert(parsed)
	return certFile, keyFile, roots
}

// passes asks the proxy as a browser does and compares what came from the bridge.
func passes(t *testing.T, ctx context.Context, proxy string, roots *x509.CertPool) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: publicHost},
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", proxy)
		},
	}}
	defer client.CloseIdleConnections()
	for asked, let := range map[string]bool{
		"/_messenger/oauth/callback?code=c&state=s":   true,
		"/_mautrix/publicmedia/example.org/abc/a.png": true,
		"/_matrix/app/v1/transactions/1":              false,
		"/_matrix/provision/v3/login/flows":           false,
		"/metrics":                                    false,
		"/":                                           false,
	} {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+publicHost+asked, nil)
		must(t, err)
		answer, err := client.Do(request)
		must(t, err)
		body, err := io.ReadAll(answer.Body)
		must(t, err)
		_ = answer.Body.Close()
		reached := strings.HasPrefix(string(body), "bridge: ") && strings.HasSuffix(string(body), asked)
		if reached != let || !let && answer.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %s %q", asked, answer.Status, body)
		}
	}
}

func start(t *testing.T, ctx context.Context, address string, spec process.Spec) *process.Process {
	t.Helper()
	proxy, err := process.Start(spec)
	must(t, err)
	t.Cleanup(func() { _ = proxy.Stop() })
	if err := proxy.WaitListening(ctx, address); err != nil {
		t.Fatalf("%v\n%s", err, proxy.Tail(20))
	}
	return proxy
}

func TestNginxPassesTheCallbackAndMediaAndNothingElse(t *testing.T) {
	if _, err := exec.LookPath("nginx"); err != nil {
		t.Skip("peer: nginx is not installed")
	}
	d := newDeployment(t, "")
	address := d.free()
	_, port, err := net.SplitHostPort(address)
	must(t, err)
	cert, key, roots := certificate(t, d.dir)
	replaced(t, "proxy/nginx.conf", d.file("site.conf"), map[string]string{
		"127.0.0.1:29390": stub(t), "listen 443 ssl": "listen 127.0.0.1:" + port + " ssl", "    listen [::]:443 ssl;\n": "",
		"/etc/letsencrypt/live/bridge.example.org/fullchain.pem": cert, "/etc/letsencrypt/live/bridge.example.org/privkey.pem": key,
	})
	var places strings.Builder
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		fmt.Fprintf(&places, "%s_temp_path %s;\n", kind, d.file(kind))
	}
	must(t, os.WriteFile(d.file("nginx.conf"), fmt.Appendf(nil, "daemon off;\nmaster_process off;\npid %s;\nerror_log stderr;\nevents {}\nhttp {\naccess_log %s;\n%sinclude %s;\n}\n",
		d.file("pid"), d.file("access.log"), places.String(), d.file("site.conf")), 0o600))
	start(t, d.ctx, address, process.Spec{Name: "nginx", Path: "nginx", Dir: d.dir, Args: []string{"-p", d.dir, "-c", d.file("nginx.conf"), "-e", "stderr"}})
	passes(t, d.ctx, address, roots)
	logged, err := os.ReadFile(d.file("access.log"))
	must(t, err)
	if strings.Contains(string(logged), "oauth/callback") || !strings.Contains(string(logged), "publicmedia") {
		t.Errorf("its log holds\n%s", logged)
	}
}

func TestCaddyPassesTheCallbackAndMediaAndNothingElse(t *testing.T) {
	if _, err := exec.LookPath("caddy"); err != nil {
		t.Skip("peer: caddy is not installed")
	}
	d := newDeployment(t, "")
	address := d.free()
	_, port, err := net.SplitHostPort(address)
	must(t, err)
	cert, key, roots := certificate(t, d.dir)
	replaced(t, "proxy/Caddyfile", d.file("Caddyfile"), map[string]string{
		"127.0.0.1:29390":        stub(t),
		"\nbridge.example.org {": "\n{\n\tadmin off\n\tauto_https disable_redirects\n}\nhttps://bridge.example.org:" + port + " {\n\tbind 127.0.0.1\n\ttls " + cert + " " + key,
	})
	// Global options have to be the first block of a Caddyfile; the comments before it may stay.
	start(t, d.ctx, address, process.Spec{
		Name: "caddy", Path: "caddy", Dir: d.dir, Args: []string{"run", "--config", d.file("Caddyfile"), "--adapter", "caddyfile"},
		Env: []string{"HOME=" + d.dir, "XDG_DATA_HOME=" + d.dir, "XDG_CONFIG_HOME=" + d.dir},
	})
	passes(t, d.ctx, address, roots)
}

// Traefik itself is not among the peers: its file is held to the same addresses.
func TestTraefiksFileNamesTheSameAddresses(t *testing.T) {
	var config struct {
		HTTP struct {
			Routers map[string]struct {
				Rule, Service string
			} `yaml:"routers"`
			Services map[string]struct {
				LoadBalancer struct {
					Servers []struct{ URL string } `yaml:"servers"`
				} `yaml:"loadBalancer"`
			} `yaml:"services"`
		} `yaml:"http"`
	}
	must(t, yaml.Unmarshal([]byte(read(t, "proxy/traefik.yaml")), &config))
	router := config.HTTP.Routers["matrix-messenger"]
	if router.Rule != "Host(`"+publicHost+"`) && (Path(`/_messenger/oauth/callback`) || PathPrefix(`/_mautrix/publicmedia/`))" {
		t.Errorf("the rule is %s", router.Rule)
	}
	if servers := config.HTTP.Services[router.Service].LoadBalancer.Servers; len(servers) != 1 || servers[0].URL != "http://127.0.0.1:29390" {
		t.Errorf("it passes to %v", servers)
	}
}
