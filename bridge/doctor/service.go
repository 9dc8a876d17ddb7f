package doctor

import (
	"context"

	"matrix-messenger/bridge"
	"matrix-messenger/bridge/config"
	"matrix-messenger/xmppside"
)

// service goes the way of a sign-in without a token: the checks dns, tls, redirect and service.
func (d *doctor) service(ctx context.Context) {
	service, err := bridge.NewService(d.setup.network, xmppside.ServiceOptions{})
	if err != nil {
		d.fail("dns", config.Sentence(err), "Correct the key in the configuration.")
		for _, check := range []string{"tls", "redirect", "service"} {
			d.skip(check, "The configuration cannot be used for it.")
		}
		return
	}
	for _, r := range service.Probe(ctx) {
		d.report(Result{Check: r.Check, Status: Status(r.Status), Message: r.Message, Remedy: r.Remedy})
	}
}
