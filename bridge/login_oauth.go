package bridge

import (
	"context"
	"errors"

	"maunium.net/go/mautrix/bridgev2"

	"matrix-messenger/oauth"
)

// pasteLogin is the flow `oauth` with an address of the service's own as the last page: the user copies that page's address to the bot.
type pasteLogin struct {
	loginProcess
	attempt *oauth.Attempt
}

var (
	_ bridgev2.LoginProcessUserInput    = (*pasteLogin)(nil)
	_ bridgev2.LoginProcessWithOverride = (*pasteLogin)(nil)
)

// StartWithOverride implements bridgev2.LoginProcessWithOverride.
func (l *pasteLogin) StartWithOverride(ctx context.Context, login *bridgev2.UserLogin) (*bridgev2.LoginStep, error) {
	l.renew(login)
	return l.Start(ctx)
}

// Start implements bridgev2.LoginProcess.
func (l *pasteLogin) Start(context.Context) (*bridgev2.LoginStep, error) {
	link, attempt := l.c.oauth.Begin(string(l.user.MXID))
	l.attempt = attempt
	return l.step("Please open this link in your browser and sign in: " + link +
		"\n\nWhen the last page is shown (it may be empty), copy its whole address from the browser and send it here. The bridge removes your message right after reading it."), nil
}

func (l *pasteLogin) step(instructions string) *bridgev2.LoginStep {
	return &bridgev2.LoginStep{
		Type:         bridgev2.LoginStepTypeUserInput,
		StepID:       stepPaste,
		Instructions: instructions,
		UserInputParams: &bridgev2.LoginUserInputParams{Fields: []bridgev2.LoginInputDataField{{
			Type:        bridgev2.LoginInputFieldTypeToken,
			ID:          "redirect",
			Name:        "Address of the last page",
			Description: "It starts with https:// and holds a code. The code alone works as well.",
		}}},
	}
}

// SubmitUserInput implements bridgev2.LoginProcessUserInput. What cannot be understood may be sent again: the link stays good.
func (l *pasteLogin) SubmitUserInput(ctx context.Context, input map[string]string) (*bridgev2.LoginStep, error) {
	pasted, err := l.c.oauth.ParsePasted(l.attempt, input["redirect"])
	var problem *oauth.Error
	if errors.As(err, &problem) && problem.Class == oauth.BadInput {
		return l.step(problem.HumanError()), nil
	}
	tokens := pasted.Tokens
	if err == nil && pasted.Code != "" {
		tokens, err = l.c.oauth.Exchange(ctx, l.attempt, pasted.Code)
	}
	if err != nil {
		return nil, oauthError(err)
	}
	return l.complete(ctx, tokens)
}

// Cancel implements bridgev2.LoginProcess.
func (l *pasteLogin) Cancel() {
	if l.attempt != nil {
		l.attempt.Cancel()
	}
}

// callbackLogin is the flow `oauth` where the browser comes back to the bridge, and the bot goes on by itself.
type callbackLogin struct {
	loginProcess
	attempt *oauth.Attempt
}

var (
	_ bridgev2.LoginProcessDisplayAndWait = (*callbackLogin)(nil)
	_ bridgev2.LoginProcessWithOverride   = (*callbackLogin)(nil)
)

// StartWithOverride implements bridgev2.LoginProcessWithOverride.
func (l *callbackLogin) StartWithOverride(ctx context.Context, login *bridgev2.UserLogin) (*bridgev2.LoginStep, error) {
	l.renew(login)
	return l.Start(ctx)
}

// Start implements bridgev2.LoginProcess.
func (l *callbackLogin) Start(context.Context) (*bridgev2.LoginStep, error) {
	link, attempt := l.c.oauth.Begin(string(l.user.MXID))
	l.attempt = attempt
	return &bridgev2.LoginStep{
		Type:   bridgev2.LoginStepTypeDisplayAndWait,
		StepID: stepWait,
		Instructions: "Please open this link in your browser and sign in within ten minutes: " + link +
			"\n\nThen come back here; the bridge goes on by itself.",
		DisplayAndWaitParams: &bridgev2.LoginDisplayAndWaitParams{Type: bridgev2.LoginDisplayTypeNothing},
	}, nil
}

// Wait implements bridgev2.LoginProcessDisplayAndWait. The browser's page waits for what it returns.
func (l *callbackLogin) Wait(ctx context.Context) (*bridgev2.LoginStep, error) {
	tokens, err := l.attempt.Wait(ctx)
	if err != nil {
		return nil, oauthError(err)
	}
	step, err := l.complete(ctx, tokens)
	name := ""
	if err == nil {
		name = step.CompleteParams.UserLogin.RemoteName
	}
	l.attempt.Done(name, err)
	return step, err
}

// Cancel implements bridgev2.LoginProcess.
func (l *callbackLogin) Cancel() {
	if l.attempt != nil {
		l.attempt.Cancel()
	}
}

// oauthError gives an error of the sign-in the words for the person who signs in.
func oauthError(err error) error {
	var problem *oauth.Error
	if !errors.As(err, &problem) {
		return err
	}
	code := map[oauth.Class]string{
		oauth.Transient:   "SIGN_IN_UNAVAILABLE",
		oauth.LoginNeeded: "SIGN_IN_REFUSED",
		oauth.StartAgain:  "START_AGAIN",
		oauth.Admin:       "SETTINGS",
		oauth.Refused:     "ACCESS_DENIED",
		oauth.BadInput:    "BAD_INPUT",
	}[problem.Class]
	return loginError("COM.MATRIX-MESSENGER."+code, problem.HumanError(), err)
}
