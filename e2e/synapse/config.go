package synapse

import (
	"fmt"
	"net"
	"path"
	"text/template"

	"matrix-messenger/e2e/homeserver"
)

// configTemplate is homeserver.yaml: SQLite, no federation, no limits to speak of, cheap password hashes, presence on,
// what an appservice with encryption needs, and no remembered answers of /sync, of which the tests' client asks for the first one again and again.
var configTemplate = template.Must(template.New("homeserver.yaml").Funcs(template.FuncMap{"quote": quote}).Parse(`server_name: {{ .Name | quote }}
public_baseurl: {{ .URL | quote }}
report_stats: false
listeners:
  - port: {{ .Port }}
    bind_addresses: [{{ .Host | quote }}]
    type: http
    tls: false
    x_forwarded: false
    resources:
      - names: [client]
database:
  name: sqlite3
  args:
    database: {{ .File "homeserver.db" | quote }}
signing_key_path: {{ .File "signing.key" | quote }}
media_store_path: {{ .File "media" | quote }}
log_config: {{ .File "log.yaml" | quote }}
trusted_key_servers: []
enable_registration: false
registration_shared_secret: {{ .Secret | quote }}
macaroon_secret_key: {{ .Secret | quote }}
form_secret: {{ .Secret | quote }}
bcrypt_rounds: 4
url_preview_enabled: false
app_service_config_files:{{ range .Files }}
  - {{ . | quote }}{{ else }} []{{ end }}
presence:
  enabled: true
caches:
  sync_response_cache_duration: 0s
experimental_features:
  msc2409_to_device_messages_enabled: true
  msc3202_device_masquerading: true
  msc3202_transaction_extensions: true
{{ range .Limits }}{{ . }}: {per_second: 10000, burst_count: 10000}
{{ end }}rc_login:
  address: {per_second: 10000, burst_count: 10000}
  account: {per_second: 10000, burst_count: 10000}
  failed_attempts: {per_second: 10000, burst_count: 10000}
rc_joins:
  local: {per_second: 10000, burst_count: 10000}
  remote: {per_second: 10000, burst_count: 10000}
rc_presence:
  per_user: {per_second: 10000, burst_count: 10000}
rc_invites:
  per_room: {per_second: 10000, burst_count: 10000}
  per_user: {per_second: 10000, burst_count: 10000}
  per_issuer: {per_second: 10000, burst_count: 10000}
`))

// logConfig sends warnings to the standard error output.
const logConfig = `version: 1
formatters:
  short: {format: '%(asctime)s %(levelname)s %(name)s: %(message)s'}
handlers:
  console: {class: logging.StreamHandler, formatter: short}
root: {level: WARNING, handlers: [console]}
disable_existing_loggers: false
`

// configData is what the template reads. Its paths are those of the program, inside the root.
type configData struct {
	homeserver.Options
	Secret string
	Dir    string   // where everything is, as the program sees it
	Files  []string // registrations, likewise
}

// File is the path of one of the server's own files.
func (c configData) File(name string) string { return path.Join(c.Dir, name) }

// URL is the address of the client API.
func (c configData) URL() string { return "http://" + c.Address + "/" }

// Host and Port are the parts of the address.
func (c configData) Host() (string, error) {
	host, _, err := net.SplitHostPort(c.Address)
	return host, err
}

// Port is the second part.
func (c configData) Port() (string, error) {
	_, port, err := net.SplitHostPort(c.Address)
	return port, err
}

// Limits are the names of those that have two numbers and nothing else.
func (configData) Limits() []string {
	return []string{"rc_message", "rc_registration", "rc_admin_redaction", "rc_third_party_invite", "rc_media_create", "rc_delayed_event_mgmt"}
}

// quote writes a YAML double-quoted string.
func quote(text string) string { return fmt.Sprintf("%q", text) }
