// Package browsertest does for tests what a person with a browser does at an
// authorize address: open the page, fill in its form, press a button, and see
// where the browser is sent.
//
// It knows nothing of the server beyond HTML: the form is found and sent as a
// browser would, so a test through it also proves that the form works.
package browsertest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/html"
)

// Visitor is the person at the browser.
type Visitor struct {
	// Client fetches the pages; http.DefaultClient when nil. Its redirect
	// policy is not used: the first redirect is the result.
	Client *http.Client
	// Email and Password are typed into the form.
	Email, Password string
	// Deny presses Deny instead of Allow.
	Deny bool
}

// PageError is returned when the browser stays on a page instead of being sent on.
type PageError struct {
	// Status is the page's HTTP status.
	Status int
	// Text is what the page says, without its mark-up.
	Text string
}

func (e *PageError) Error() string {
	return fmt.Sprintf("the browser stays on a page (status %d): %s", e.Status, e.Text)
}

// timeout bounds one visit; a test server answers at once.
const timeout = 30 * time.Second

// Visit opens an authorize link, fills in the form and gives the address that
// the browser is sent to, without opening it.
func (v Visitor) Visit(ctx context.Context, link string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, link, nil)
	if err != nil {
		return "", err
	}
	resp, body, err := v.do(req)
	if err != nil {
		return "", err
	}
	if location := resp.Header.Get("Location"); location != "" {
		return location, nil
	}
	page, err := html.Parse(strings.NewReader(body))
	if err != nil {
		return "", err
	}
	form := find(page, "form")
	if form == nil {
		return "", &PageError{Status: resp.StatusCode, Text: text(page)}
	}
	req, err = v.fill(ctx, form, req.URL)
	if err != nil {
		return "", err
	}
	resp, body, err = v.do(req)
	if err != nil {
		return "", err
	}
	if location := resp.Header.Get("Location"); location != "" {
		return location, nil
	}
	if page, err = html.Parse(strings.NewReader(body)); err != nil {
		return "", err
	}
	return "", &PageError{Status: resp.StatusCode, Text: text(page)}
}

// fill makes the request that pressing the button makes.
func (v Visitor) fill(ctx context.Context, form *html.Node, base *url.URL) (*http.Request, error) {
	if !strings.EqualFold(attr(form, "method"), "post") {
		return nil, errors.New("the form is not sent by POST")
	}
	target, err := base.Parse(attr(form, "action"))
	if err != nil {
		return nil, err
	}
	values := url.Values{}
	filled := 0
	walk(form, func(n *html.Node) {
		if n.Data != "input" || attr(n, "name") == "" {
			return
		}
		value := attr(n, "value")
		switch attr(n, "type") {
		case "email":
			value = v.Email
			filled++
		case "password":
			value = v.Password
			filled++
		}
		values.Set(attr(n, "name"), value)
	})
	if filled != 2 {
		return nil, fmt.Errorf("the form has %d fields for an address and a password, not 2", filled)
	}
	label, pressed := "Allow", false
	if v.Deny {
		label = "Deny"
	}
	walk(form, func(n *html.Node) {
		if n.Data == "button" && text(n) == label {
			values.Set(attr(n, "name"), attr(n, "value"))
			pressed = true
		}
	})
	if !pressed {
		return nil, fmt.Errorf("the form has no button %q", label)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), strings.NewReader(values.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	return req, nil
}

func (v Visitor) do(req *http.Request) (*http.Response, string, error) {
	client := http.Client{}
	if v.Client != nil {
		client = *v.Client
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := client.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return resp, string(body), err
}

func walk(n *html.Node, visit func(*html.Node)) {
	if n.Type == html.ElementNode {
		visit(n)
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		walk(c, visit)
	}
}

func find(n *html.Node, name string) (found *html.Node) {
	walk(n, func(e *html.Node) {
		if e.Data == name && found == nil {
			found = e
		}
	})
	return found
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// text is what a reader sees of a node, in one line.
func text(n *html.Node) string {
	var words []string
	var collect func(*html.Node)
	collect = func(n *html.Node) {
		if n.Type == html.ElementNode && (n.Data == "style" || n.Data == "head") {
			return
		}
		if n.Type == html.TextNode {
			words = append(words, strings.Fields(n.Data)...)
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			collect(c)
		}
	}
	collect(n)
	return strings.Join(words, " ")
}
