package iq

import (
	"encoding/xml"
	"errors"
	"slices"

	"mellium.im/xmpp/stanza"

	"matrix-messenger/xmppside/xmltext"
)

// MaxErrorText is how many bytes of an error's text are kept; the rest is cut off at a rune boundary.
const MaxErrorText = 1024

// ErrorPayload reads the <error/> child of any stanza (RFC 6120 8.3.2). It takes whatever comes: a "by" that is no JID,
// unknown conditions, several texts. Err turns it into the error value that the rest of the program uses.
type ErrorPayload struct {
	Type     string `xml:"type,attr"`
	Children []struct {
		XMLName xml.Name
		Text    string `xml:",chardata"`
	} `xml:",any"`
}

// Err returns the error as mellium's type. A condition that is missing or not in RFC 6120 counts as undefined-condition
// (messenger-protocol.md 12.1); the type is given as it came, so that the caller can decide by it then. The first text
// is kept, without its language.
func (p ErrorPayload) Err() stanza.Error {
	e := stanza.Error{Type: stanza.ErrorType(p.Type), Condition: stanza.UndefinedCondition}
	found := false
	for _, child := range p.Children {
		if child.XMLName.Space != stanza.NSError {
			continue
		}
		if child.XMLName.Local == "text" {
			if child.Text != "" && e.Text == nil {
				e.Text = map[string]string{"": xmltext.Cut(child.Text, MaxErrorText)}
			}
			continue
		}
		if condition := stanza.Condition(child.XMLName.Local); !found && slices.Contains(conditions, condition) {
			e.Condition, found = condition, true
		}
	}
	return e
}

// conditions are those of RFC 6120 8.3.3.
var conditions = []stanza.Condition{
	stanza.BadRequest, stanza.Conflict, stanza.FeatureNotImplemented, stanza.Forbidden, stanza.Gone,
	stanza.InternalServerError, stanza.ItemNotFound, stanza.JIDMalformed, stanza.NotAcceptable, stanza.NotAllowed,
	stanza.NotAuthorized, stanza.PolicyViolation, stanza.RecipientUnavailable, stanza.Redirect,
	stanza.RegistrationRequired, stanza.RemoteServerNotFound, stanza.RemoteServerTimeout, stanza.ResourceConstraint,
	stanza.ServiceUnavailable, stanza.SubscriptionRequired, stanza.UndefinedCondition, stanza.UnexpectedRequest,
}

// IsError says whether err is an error answer of the other side, of any of the given conditions, or of any condition
// when none is given.
func IsError(err error, of ...stanza.Condition) bool {
	condition, ok := ConditionOf(err)
	return ok && (len(of) == 0 || slices.Contains(of, condition))
}

// ConditionOf returns the condition of an error answer; ok is false when err is none.
func ConditionOf(err error) (condition stanza.Condition, ok bool) {
	var answer stanza.Error
	if !errors.As(err, &answer) {
		return "", false
	}
	return answer.Condition, true
}

// Refused says whether err is an error answer that means "this service does not do that", in one of the forms that
// services use for it (messenger-protocol.md 6.2).
func Refused(err error) bool {
	return IsError(err, stanza.NotAllowed, stanza.FeatureNotImplemented, stanza.ServiceUnavailable,
		stanza.Forbidden, stanza.NotAuthorized, stanza.NotAcceptable)
}

// Answered says whether a request was answered at all: err is nil, an error answer, or an answer that did not fit. For
// a ping and for a barrier any answer is a good one.
func Answered(err error) bool {
	return err == nil || IsError(err) || errors.Is(err, ErrUnreadable)
}
