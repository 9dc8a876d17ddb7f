package bridge

import "matrix-messenger/xmppside/xmltext"

// clip shortens a text that a peer sent to n bytes, for a log or a notice; an ellipsis tells that something is missing.
func clip(text string, n int) string {
	if cut := xmltext.Cut(text, n); len(cut) < len(text) {
		return cut + "…"
	}
	return text
}
