package oauthserver

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"html/template"
	"net/http"
	"net/url"
)

// style is the one style sheet of all pages; the policy allows it by its hash.
const style = `
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #f5f6f8; --card: #fff; --line: #8a919c; --quiet: #555d68; --act: #1b5fa8; --on-act: #fff; --bad: #a4161a; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaed; --paper: #15181c; --card: #20252b; --line: #7b8490; --quiet: #b0b8c2; --act: #8ab8f0; --on-act: #10151b; --bad: #ff9c9c; } }
* { box-sizing: border-box; }
body { margin: 0; padding: 1.5rem 1rem; background: var(--paper); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
main { max-width: 26rem; margin: 0 auto; padding: 1.5rem; background: var(--card); border-radius: .75rem; }
h1 { margin: 0 0 .75rem; font-size: 1.4rem; line-height: 1.25; }
p { margin: 0 0 1rem; text-wrap: pretty; }
main > :last-child { margin-bottom: 0; }
ul { margin: 0 0 1.25rem; padding-left: 1.25rem; }
label { display: block; margin-bottom: .25rem; font-weight: 600; }
input { width: 100%; margin-bottom: 1rem; padding: .6rem .7rem; font: inherit; color: inherit; background: transparent; border: 1px solid var(--line); border-radius: .4rem; }
button { padding: .6rem 1.4rem; font: inherit; font-weight: 600; color: var(--act); background: transparent; border: 1px solid var(--act); border-radius: .4rem; cursor: pointer; }
button.main { color: var(--on-act); background: var(--act); }
:focus-visible { outline: 3px solid var(--act); outline-offset: 2px; }
.buttons { display: flex; gap: .75rem; }
.bad { color: var(--bad); font-weight: 600; }
.quiet { margin: 1.25rem 0 0; font-size: .875rem; color: var(--quiet); }
`

const layout = `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{.Title}} - {{.Service}}</title>
<style>{{.Style}}</style>
</head>
<body>
<main>
<h1>{{.Title}}</h1>
{{with .Text}}<p>{{.}}</p>
{{end}}{{with .Form}}<p><strong>{{.App}}</strong> would like to:</p>
<ul>
{{range .Wishes}}<li>{{.}}</li>
{{end}}</ul>
<form method="post">
{{with .Problem}}<p class="bad" role="alert" id="problem">{{.}}</p>
{{end}}<label for="email">E-mail address</label>
<input id="email" name="email" type="email" autocomplete="username" required value="{{.Email}}"{{if .Problem}} aria-describedby="problem"{{end}}>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required{{if .Problem}} aria-describedby="problem"{{end}}>
<div class="buttons">
<button class="main" name="decision" value="allow">Allow</button>
<button name="decision" value="deny" formnovalidate>Deny</button>
</div>
</form>
<p class="quiet">This is a service for development and tests. Use an account that was made for it, never a password of yours.</p>
{{end}}</main>
</body>
</html>
`

var (
	pageTemplate = template.Must(template.New("page").Parse(layout))
	styleHash    = hashOf(style)
)

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// page is one page of the server.
type page struct {
	Title, Text string
	Form        *form
}

// form is the sign-in and consent form.
type form struct {
	App, Email, Problem string
	Wishes              []string
	target              string // where the answer leads, for the policy
}

// showForm shows the sign-in form, with what was wrong the last time.
func (s *Server) showForm(w http.ResponseWriter, status int, a authorizeRequest, email, problem string) {
	f := &form{App: a.client.Name, Email: email, Problem: problem, target: a.redirect}
	if f.App == "" {
		f.App = "The app " + a.client.ID
	}
	for _, one := range a.scope {
		f.Wishes = append(f.Wishes, knownScopes[one])
	}
	s.showPage(w, status, page{Title: "Sign in to " + s.service, Form: f})
}

// showProblem shows a page instead of sending the user on.
func (s *Server) showProblem(w http.ResponseWriter, status int, sentence string) {
	s.showPage(w, status, page{Title: "This sign-in cannot go on", Text: sentence + " You can close this page."})
}

// showDesktop is the page at the desktop redirect address: the program that
// opened the browser, or the user, takes the answer from the address line.
func (s *Server) showDesktop(w http.ResponseWriter, r *http.Request) {
	text := "You may now copy the whole address of this page and paste it into the app that asked you to sign in."
	if r.URL.Query().Has("error") {
		text = "The access was not allowed. Go back to the app that asked you to sign in; it accepts this page's address too."
	}
	s.showPage(w, http.StatusOK, page{Title: "Back to the app", Text: text})
}

func (s *Server) showPage(w http.ResponseWriter, status int, p page) {
	// form-action also governs where the form's answer may redirect to, so it
	// has to name the client's address.
	action := "form-action 'none'"
	if p.Form != nil {
		action = "form-action 'self'"
		if u, err := url.Parse(p.Form.target); err == nil {
			action += " " + u.Scheme + "://" + u.Host
		}
	}
	var b bytes.Buffer
	err := pageTemplate.Execute(&b, struct {
		page
		Service string
		Style   template.CSS
	}{p, s.service, template.CSS(style)})
	if err != nil {
		s.log.Error("A page could not be made", "error", err)
		http.Error(w, "The page could not be made.", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src "+styleHash+"; base-uri 'none'; frame-ancestors 'none'; "+action)
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes())
}
