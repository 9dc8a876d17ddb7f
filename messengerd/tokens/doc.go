// Package tokens keeps the access tokens that the stand-in service accepts.
//
// It implements messenger-protocol.md section 4.5 and the switches "issued
// tokens" and "token life" of section 15. The OAuth server issues tokens here
// and the XMPP server looks them up during X-MESSENGER-OAUTH2 (section 3.1);
// neither needs the other.
//
// It does not implement refresh tokens, codes or scopes: those are the OAuth
// server's business. Nothing is written to disk.
//
// A Store owns all of its state behind one lock and may be used from any
// number of goroutines. It is bounded: expired tokens are remembered for
// [Options.Remember] so that Lookup can tell "expired" from "unknown", and at
// most [Options.Max] tokens are kept, those that expire soonest going first.
package tokens
