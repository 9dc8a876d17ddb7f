package inbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"maunium.net/go/mautrix/appservice"
	"maunium.net/go/mautrix/bridgev2/matrix"
	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/crypto/olm"
	"maunium.net/go/mautrix/event"
)

// Unreadable is why an event could not be read, for [Config.OnUnreadable].
type Unreadable string

const (
	KeysMissing  Unreadable = "keys missing"  // they have not come in time
	KeysWithheld Unreadable = "keys withheld" // the sender's client says that it does not send them
	KeysTooLate  Unreadable = "keys too late" // they are for what was sent afterwards
	KeyUsedTwice Unreadable = "key used twice"
	BadlySealed  Unreadable = "badly sealed"  // nobody could decrypt it
	Untrusted    Unreadable = "untrusted"     // encryption.verification_levels.send asks for more trust in the sender's device
	NoEncryption Unreadable = "no encryption" // encryption.allow is off
	NotSealed    Unreadable = "not sealed"    // encryption.require is on, and the message was not encrypted
	OwnFault     Unreadable = "own fault"     // the bridge, or its database, failed over it
)

// unreadableError carries why an event could not be read.
type unreadableError struct {
	why   Unreadable
	cause error
}

func (e *unreadableError) Error() string { return e.cause.Error() }

func (e *unreadableError) Unwrap() error { return e.cause }

const (
	faultTries = 4                      // how often decryption is tried that fails for no reason of the event's
	faultPause = 250 * time.Millisecond // after the first try; it grows
)

// read does what bridgev2 would do before it handles an event: it decrypts it, waiting for its key, and looks at the
// device it is from. bridgev2 tells the sender of what it cannot read in the background, once or not at all, where
// nobody learns whether that was done; so everything that can go wrong is found out here. The error is an
// [unreadableError], or the context's when the inbox stopped before it was known.
//
// The result is nil without an error for what need not be decrypted.
func (in *Inbox) read(ctx context.Context, evt *event.Event) (*event.Event, error) {
	settings := in.cfg.Connector.Config.Encryption
	sealed := evt.Type == event.EventEncrypted
	bare := settings.Require && (evt.Type == event.EventMessage || evt.Type == event.EventSticker)
	switch {
	case !sealed && !bare || !in.isHeard(evt):
		return nil, nil
	case bare:
		return nil, &unreadableError{NotSealed, errors.New("unencrypted message")}
	case in.cfg.Connector.Crypto == nil:
		return nil, &unreadableError{NoEncryption, errors.New("encryption is not switched on")}
	}
	clear, err := in.decrypt(ctx, evt)
	if err == nil && clear.Mautrix.TrustState < settings.VerificationLevels.Send {
		err = &unreadableError{Untrusted, fmt.Errorf("the device is %s", clear.Mautrix.TrustState)}
	}
	return clear, err
}

// isHeard tells whether bridgev2 would look at what an event says; what it does not, it ignores or answers itself.
func (in *Inbox) isHeard(evt *event.Event) bool {
	if in.isOwn(evt.Sender) || !in.cfg.Connector.Config.Bridge.Permissions.Get(evt.Sender).SendEvents {
		return false
	}
	puppet, is := evt.Content.Raw[appservice.DoublePuppetKey]
	if !is || puppet != in.as.DoublePuppetValue {
		return true
	}
	at, dated := evt.Content.Raw[appservice.DoublePuppetTSKey].(float64)
	return dated && int64(at) != evt.Timestamp
}

// decrypt decrypts an event, as soon as its key is there.
func (in *Inbox) decrypt(ctx context.Context, evt *event.Event) (*event.Event, error) {
	waited := false
	pause := faultPause
	for try := 1; ; try++ {
		clear, err := in.decryptOnce(ctx, evt)
		if err == nil {
			return clear, nil
		}
		if errors.Is(err, matrix.NoSessionFound) && !waited && ctx.Err() == nil {
			waited = true
			if in.awaitKey(ctx, evt) {
				try = 0
				continue
			}
		}
		if ctx.Err() != nil || in.isStopping() || in.libraryEnded() {
			return nil, fmt.Errorf("not decrypted yet: %w", context.Canceled)
		}
		why := verdict(err)
		if why != OwnFault || try == faultTries {
			return nil, &unreadableError{why, err}
		}
		in.cfg.Log.Warn().Err(err).Stringer("event_id", evt.ID).Dur("retry_in", pause).Msg("Decrypting an event failed")
		in.withoutSlot(func() { in.rest(pause) })
		pause *= 4
	}
}

// decryptOnce survives a decryption that panics: outside of bridgev2's handlers nobody else would.
func (in *Inbox) decryptOnce(ctx context.Context, evt *event.Event) (clear *event.Event, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			clear, err = nil, fmt.Errorf("decrypting panicked: %v", cause)
		}
	}()
	return in.cfg.Connector.Crypto.Decrypt(ctx, evt)
}

// awaitKey waits for an event's key, no longer than until the inbox stops. Other rooms are handled meanwhile.
func (in *Inbox) awaitKey(ctx context.Context, evt *event.Event) (came bool) {
	waiting, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-in.stopping:
			cancel()
		case <-waiting.Done():
		}
	}()
	in.withoutSlot(func() {
		came = in.keys.await(waiting, in.cfg.Connector.Crypto, evt, in.cfg.KeyWait, in.cfg.AskedKeyWait)
	})
	return came
}

// verdict is what a failed decryption says of the event. What is not known to be the event's own trouble is ours.
func verdict(err error) Unreadable {
	var syntax *json.SyntaxError
	var shape *json.UnmarshalTypeError
	switch {
	case errors.Is(err, crypto.ErrNoSessionFound):
		return KeysMissing
	case errors.Is(err, crypto.ErrGroupSessionWithheld):
		return KeysWithheld
	case errors.Is(err, crypto.ErrDuplicateMessageIndex):
		return KeyUsedTwice
	case errors.Is(err, olm.ErrUnknownMessageIndex):
		return KeysTooLate
	case errors.As(err, &syntax), errors.As(err, &shape):
		return BadlySealed
	}
	for _, bad := range []error{
		crypto.ErrIncorrectEncryptedContentType, crypto.ErrUnsupportedAlgorithm, crypto.ErrCorruptedMegolmPayload, crypto.ErrWrongRoom,
		olm.ErrBadMAC, olm.ErrBadSignature, olm.ErrBadVerification, olm.ErrBadMessageFormat, olm.ErrWrongProtocolVersion, olm.ErrBadInput, olm.ErrInputToSmall,
		olm.ErrEmptyInput, olm.ErrMsgIndexTooHigh, olm.ErrLibolmInvalidBase64,
	} {
		if errors.Is(err, bad) {
			return BadlySealed
		}
	}
	return OwnFault
}
