package prosody

import (
	_ "embed"
	"strconv"
	"strings"
	"text/template"
)

//go:embed mod_messenger.lua
var module []byte

// configTemplate is Prosody's configuration: loopback, no federation, everything below one folder.
var configTemplate = template.Must(template.New("prosody.cfg.lua").Funcs(template.FuncMap{"q": luaString}).Parse(`
run_as_root = true
pidfile = {{q .File.pid}}
data_path = {{q .File.data}}
plugin_paths = { {{q .File.plugins}} }
log = { { levels = { min = "debug" }, to = "console" } }
modules_enabled = { "roster", "saslauth", "tls", "disco", "ping", "vcard", "mam" }
modules_disabled = { "s2s" }
interfaces = { "127.0.0.1" }
c2s_ports = { {{.EntryPort}}, {{.GatewayPort}} }
c2s_direct_tls_ports = {}
c2s_require_encryption = true
archive_expires_after = "never"
ssl = { certificate = {{q .File.certificate}}, key = {{q .File.key}} }

VirtualHost {{q .Domain}}
	modules_enabled = { "messenger" }
	authentication = "null"
	messenger_redirect = { port = {{.EntryPort}}, to = {{q .Gateway}} }
	messenger_accounts = {
{{- range .Accounts}}
		{ user = {{q .User}}, email = {{q .Email}}, token = {{q .Token}}, name = {{q .Name}}, contacts = { {{range .Contacts}}{{q .}}, {{end}} } },
{{- end}}
	}
`))

type configData struct {
	Domain                 string
	EntryPort, GatewayPort string
	Gateway                string
	File                   map[string]string
	Accounts               []Account
}

// luaString is a Lua literal: what is not printable ASCII is written as \ddd, byte by byte.
func luaString(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(text) {
		switch c := text[i]; {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < 0x20 || c >= 0x7f:
			digits := strconv.Itoa(int(c))
			b.WriteString(`\` + strings.Repeat("0", 3-len(digits)) + digits)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}
