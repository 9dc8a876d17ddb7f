package dendrite

import (
	"fmt"
	"path/filepath"
	"text/template"

	"matrix-messenger/e2e/homeserver"
)

// configTemplate is Dendrite's configuration, version 2: SQLite files per component, no federation, no
// rate limits, cheap password hashes, presence on.
var configTemplate = template.Must(template.New("dendrite.yaml").Funcs(template.FuncMap{"quote": quote}).Parse(`version: 2
global:
  server_name: {{ .Name | quote }}
  private_key: {{ .File "matrix_key.pem" | quote }}
  disable_federation: true
  presence:
    enable_inbound: true
    enable_outbound: {{ .Presence }}
  jetstream:
    storage_path: {{ .File "jetstream" | quote }}
  report_stats:
    enabled: false
app_service_api:
  disable_tls_validation: false
  config_files:{{ range .Registrations }}
    - {{ . | quote }}{{ else }} []{{ end }}
client_api:
  registration_disabled: true
  guests_disabled: true
  registration_shared_secret: {{ .Secret | quote }}
  rate_limiting:
    enabled: false
federation_api:
  database:
    connection_string: {{ .Database "federationapi" | quote }}
key_server:
  database:
    connection_string: {{ .Database "keyserver" | quote }}
media_api:
  base_path: {{ .File "media" | quote }}
  database:
    connection_string: {{ .Database "mediaapi" | quote }}
mscs:
  database:
    connection_string: {{ .Database "mscs" | quote }}
relay_api:
  database:
    connection_string: {{ .Database "relayapi" | quote }}
room_server:
  database:
    connection_string: {{ .Database "roomserver" | quote }}
sync_api:
  database:
    connection_string: {{ .Database "syncapi" | quote }}
  search:
    enabled: false
user_api:
  bcrypt_cost: 4
  account_database:
    connection_string: {{ .Database "accounts" | quote }}
  device_database:
    connection_string: {{ .Database "devices" | quote }}
logging:
  - type: std
    level: warn
`))

// configData is what the template reads.
type configData struct {
	homeserver.Options
	Secret   string
	Presence bool // what users say of themselves is shown to others
}

// File is the path of one of the server's own files.
func (c configData) File(name string) string { return filepath.Join(c.Dir, name) }

// Database is the address of a component's SQLite file.
func (c configData) Database(component string) string {
	return "file:" + filepath.Join(c.Dir, component+".db")
}

// quote writes a YAML double-quoted string.
func quote(text string) string { return fmt.Sprintf("%q", text) }
