// Package doctor looks an installation over without changing it: the subcommand `doctor` (design.md section 5). It says of each part whether it is well, and if
// not, what to do. It works beside a running bridge too.
package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// Status is how a check came out.
type Status string

// The statuses, from well to ill; Skip is a check that had nothing to look at.
const (
	OK   Status = "ok"
	Skip Status = "skip"
	Warn Status = "warn"
	Fail Status = "fail"
)

// Result is one line of the report.
type Result struct {
	Check   string `json:"check"`   // see Names
	Status  Status `json:"status"`  // ok, warn, fail or skip
	Message string `json:"message"` // a sentence
	Remedy  string `json:"remedy"`  // what to do; empty when there is nothing to do
}

// Names are the checks in the order in which they are made.
var Names = []string{"config", "database", "homeserver", "registration", "dns", "tls", "redirect", "service", "oauth", "clock"}

// Options say what to look at.
type Options struct {
	Config       string // path of the configuration file
	Registration string // path of the registration file; looked at if it exists
}

// checkTimeout bounds each check that asks somebody else.
const checkTimeout = 45 * time.Second

// Run makes all checks and hands each result out as it comes.
func Run(ctx context.Context, opts Options, report func(Result)) {
	d := &doctor{opts: opts, report: report}
	setup, ok := d.config()
	if !ok {
		for _, name := range Names[1:] {
			d.skip(name, "The configuration cannot be used, so there is nothing to look at.")
		}
		return
	}
	d.setup = setup
	for _, check := range []func(context.Context){d.database, d.homeserver, d.registration, d.service, d.oauth, d.clock} {
		within, cancel := context.WithTimeout(ctx, checkTimeout)
		check(within)
		cancel()
	}
}

// doctor carries what one check learns and another one needs.
type doctor struct {
	opts   Options
	report func(Result)
	setup  *setup

	homeserverUp bool
	skew         time.Duration // the homeserver's clock minus ours
	skewKnown    bool
}

func (d *doctor) ok(check, message string, args ...any) {
	d.report(Result{Check: check, Status: OK, Message: fmt.Sprintf(message, args...)})
}

func (d *doctor) skip(check, message string, args ...any) {
	d.report(Result{Check: check, Status: Skip, Message: fmt.Sprintf(message, args...)})
}

func (d *doctor) warn(check, message, remedy string) {
	d.report(Result{Check: check, Status: Warn, Message: message, Remedy: remedy})
}

func (d *doctor) fail(check, message, remedy string) {
	d.report(Result{Check: check, Status: Fail, Message: message, Remedy: remedy})
}

// Print writes the report of a run, a line for each check as it comes (or all of it as JSON at the end), and tells whether nothing failed.
func Print(ctx context.Context, opts Options, asJSON bool, out io.Writer) (well bool) {
	well = true
	results := []Result{}
	Run(ctx, opts, func(r Result) {
		results = append(results, r)
		well = well && r.Status != Fail
		if asJSON {
			return
		}
		line := fmt.Sprintf("%-4s  %s: %s", r.Status, r.Check, r.Message)
		if r.Remedy != "" {
			line += " " + r.Remedy
		}
		_, _ = fmt.Fprintln(out, line)
	})
	if asJSON {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		_ = encoder.Encode(results)
	}
	return well
}
