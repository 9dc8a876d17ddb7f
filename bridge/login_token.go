package bridge

import (
	"context"
	"strings"

	"maunium.net/go/mautrix/bridgev2"

	"matrix-messenger/oauth"
)

// tokenLogin is the flow `token`: the user has an access token. A program that signs people in through the provisioning API may
// add a refresh token in the same answer, and the session then renews itself.
type tokenLogin struct{ loginProcess }

var (
	_ bridgev2.LoginProcessUserInput    = (*tokenLogin)(nil)
	_ bridgev2.LoginProcessWithOverride = (*tokenLogin)(nil)
)

// StartWithOverride implements bridgev2.LoginProcessWithOverride.
func (l *tokenLogin) StartWithOverride(ctx context.Context, login *bridgev2.UserLogin) (*bridgev2.LoginStep, error) {
	l.renew(login)
	return l.Start(ctx)
}

// Start implements bridgev2.LoginProcess.
func (l *tokenLogin) Start(context.Context) (*bridgev2.LoginStep, error) {
	return &bridgev2.LoginStep{
		Type:         bridgev2.LoginStepTypeUserInput,
		StepID:       stepToken,
		Instructions: "Please send the access token of your account. The bridge removes your message right after reading it.",
		UserInputParams: &bridgev2.LoginUserInputParams{Fields: []bridgev2.LoginInputDataField{{
			Type:        bridgev2.LoginInputFieldTypeToken,
			ID:          "access_token",
			Name:        "Access token",
			Description: "The token as the service issued it, on one line.",
		}}},
	}, nil
}

// SubmitUserInput implements bridgev2.LoginProcessUserInput.
func (l *tokenLogin) SubmitUserInput(ctx context.Context, input map[string]string) (*bridgev2.LoginStep, error) {
	access := strings.TrimSpace(input["access_token"])
	if access == "" {
		return nil, loginError("M_MISSING_PARAM", "There was no access token in your answer. Please start again with the login command.", nil)
	}
	return l.complete(ctx, oauth.Tokens{Access: access, Refresh: strings.TrimSpace(input["refresh_token"])})
}

// Cancel implements bridgev2.LoginProcess.
func (l *tokenLogin) Cancel() {}
