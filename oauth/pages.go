package oauth

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"html/template"
	"net/http"
)

// page is what the callback shows: one short message, no script, nothing from
// outside, so that it also works on an old phone and without a network.
type page struct {
	Good  bool   // went well
	Title string // what happened
	Text  string // why
	Next  string // what to do
	Name  string // who signed in, on success
	Owner string // the Matrix user that the account now belongs to
	Code  string // the service's error code, for the administrator
}

const backToMatrix = "You can close this page and go back to your Matrix app."

var (
	pageSuccess = page{
		Good: true, Title: "You are signed in",
		Next: "Your contacts and chats will appear in your Matrix app. " + backToMatrix,
	}
	pageConnecting = page{
		Good: true, Title: "You are signed in",
		Text: "The bridge is connecting your account now. This takes a little longer than usual.",
		Next: backToMatrix + " You will be told there when the connection is made.",
	}
	pageRefused = page{
		Title: "Access was not allowed",
		Text:  "You, or someone at this browser, chose not to allow the bridge to use the account. Nothing was connected.",
		Next:  "If you want to connect it after all, start the login again in your Matrix app and choose to allow the access.",
	}
	pageExpired = page{
		Title: "This sign-in has expired",
		Text:  "A sign-in link works for ten minutes and ends when a newer one is made or the bridge is restarted. This one is not known any more.",
		Next:  "Start the login again in your Matrix app and open the new link.",
	}
	pageUsed = page{
		Title: "This sign-in was used already",
		Text:  "Each sign-in link works once. If you were told that you are signed in, all is well.",
		Next:  "Go back to your Matrix app. If you are not connected there, start the login again.",
	}
	pageNotAccepted = page{
		Title: "The sign-in was not accepted",
		Text:  "The sign-in service refused to finish this sign-in. Perhaps it took too long, or its page was opened twice.",
		Next:  "Start the login again in your Matrix app and open the new link.",
	}
	pageUnreachable = page{
		Title: "The sign-in service does not answer",
		Text:  "You signed in, but the service could not be reached to finish it. It may have a problem at the moment.",
		Next:  "Wait a few minutes, then start the login again in your Matrix app.",
	}
	pageSettings = page{
		Title: "The bridge is not set up correctly",
		Text:  "The sign-in service does not accept this bridge's settings. You have done nothing wrong.",
		Next:  "Please tell the administrator of your bridge about it.",
	}
	pageFailed = page{
		Title: "The account could not be connected",
		Text:  "The sign-in worked, but then something went wrong in the bridge.",
		Next:  "Your Matrix app has more about it. You can start the login again there.",
	}
	pageNoAnswer = page{
		Title: "There is nothing to do here",
		Text:  "This page is only for coming back from a sign-in, and this address is not an answer to one.",
		Next:  "To connect an account, start the login in your Matrix app.",
	}
)

// style is the pages' one style sheet; the policy allows it by its hash.
const style = `
:root { color-scheme: light dark; --text: #20262e; --ground: #eef1f5; --sheet: #ffffff; --soft: #56606c; --mark: #a3312a; --rule: #d5dae1; }
.good { --mark: #1c7a45; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e6e9ed; --ground: #13171c; --sheet: #1e242b; --soft: #aab3be; --mark: #f08a80; --rule: #39424d; }
  .good { --mark: #66cf94; }
}
html { font: 106.25%/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; background: var(--ground); color: var(--text); }
main { box-sizing: border-box; width: min(32rem, 100% - 2rem); margin: 1rem; padding: 2rem 1.75rem 1.5rem; background: linear-gradient(var(--mark) 0 .35rem, var(--sheet) 0); border-radius: .5rem; overflow-wrap: break-word; }
h1 { margin: 0 0 .85rem; font-size: 1.45rem; line-height: 1.25; }
h1 span { display: inline-grid; place-items: center; width: 1.6em; height: 1.6em; margin-right: .6rem; border-radius: 50%; background: var(--mark); color: var(--sheet); font-size: .7em; vertical-align: .15em; }
p { margin: 0 0 .85rem; text-wrap: pretty; }
p:last-child { margin-bottom: 0; }
dl { margin: 0 0 1rem; padding: .75rem 0; border: solid var(--rule); border-width: 1px 0; }
dt { color: var(--soft); font-size: .9rem; }
dd { margin: 0 0 .5rem; font-weight: 600; }
dd:last-child { margin-bottom: 0; }
small { color: var(--soft); font-size: .9rem; }
`

const layout = `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{{.Title}}</title>
<style>{{.Style}}</style>
</head>
<body>
<main{{if .Good}} class="good"{{end}}>
<h1><span aria-hidden="true">{{if .Good}}&#10003;{{else}}!{{end}}</span>{{.Title}}</h1>
{{if or .Name .Owner}}<dl>
{{with .Name}}<dt>{{with $.Service}}{{.}} account{{else}}Account{{end}}</dt>
<dd>{{.}}</dd>
{{end}}{{with .Owner}}<dt>Used by the Matrix user</dt>
<dd>{{.}}</dd>
{{end}}</dl>
{{end}}{{with .Text}}<p>{{.}}</p>
{{end}}<p>{{.Next}}</p>
{{with .Code}}<p><small>The service calls it <code>{{.}}</code>.</small></p>
{{end}}{{if .Owner}}<p><small>If that Matrix user is not you, somebody sent you their link: withdraw the access in your account's settings.</small></p>
{{end}}</main>
</body>
</html>
`

var (
	pageTemplate = template.Must(template.New("page").Parse(layout))
	policy       = "default-src 'none'; style-src " + styleHash() + "; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

func styleHash() string {
	sum := sha256.Sum256([]byte(style))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// show writes a page with all that keeps its address and content private.
func (cb *callback) show(w http.ResponseWriter, status int, p page) {
	var b bytes.Buffer
	err := pageTemplate.Execute(&b, struct {
		page
		Style   template.CSS
		Service string
	}{p, template.CSS(style), cb.client.cfg.Service})
	if err != nil {
		cb.log.Error().Err(err).Msg("Sign-in page could not be made")
		http.Error(w, "The page could not be made. Please go back to your Matrix app.", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", policy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // a browser that was closed is no error
}
