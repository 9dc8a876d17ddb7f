package scenario

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// loginStep is what the scenario reads of a step of the provisioning API.
type loginStep struct {
	LoginID      string `json:"login_id"`
	Type         string `json:"type"`
	StepID       string `json:"step_id"`
	Instructions string `json:"instructions"`
}

// Provision calls the bridge's provisioning API as the user and decodes the answer.
func (s *Scenario) Provision(ctx context.Context, method, path string, body, answer any) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	address := s.bridgeURL + "/_matrix/provision" + path + "?user_id=" + url.QueryEscape(s.Alice.ID.String())
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(raw))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+ProvisioningSecret)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	switch {
	case err != nil:
		return err
	case resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusCreated:
		return fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, text)
	case answer == nil:
		return nil
	}
	return json.Unmarshal(text, answer)
}

// LoginWithToken signs the user in with an access token and waits for the session.
func (s *Scenario) LoginWithToken() {
	s.t.Helper()
	s.within("signing in with a token", s.SignInWithToken)
	s.SessionIsUp()
}

// SignInWithToken signs the user in with an access token and returns what came of it. It may be called from any goroutine.
func (s *Scenario) SignInWithToken(ctx context.Context) error {
	var step loginStep
	if err := s.Provision(ctx, http.MethodPost, "/v3/login/start/token", nil, &step); err != nil {
		return err
	}
	if step.Type != "user_input" {
		return fmt.Errorf("the token login asks for %+v", step)
	}
	path := "/v3/login/step/" + step.LoginID + "/" + step.StepID + "/user_input"
	if err := s.Provision(ctx, http.MethodPost, path, map[string]string{"access_token": userToken}, &step); err != nil {
		return err
	}
	if step.Type != "complete" {
		return fmt.Errorf("the token login was not completed: %+v", step)
	}
	return nil
}

// UserStartsChat opens a chat with a contact by the provisioning API.
func (s *Scenario) UserStartsChat(name string) {
	s.t.Helper()
	s.within("starting a chat with "+name, func(ctx context.Context) error {
		return s.Provision(ctx, http.MethodPost, "/v3/create_dm/"+url.PathEscape(s.contact(name).jid), struct{}{}, nil)
	})
	s.Room(name)
}
