package messengerd

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// saveDelay is how long changes are collected before the state file is written.
const saveDelay = 500 * time.Millisecond

// keeper writes the state file: rosters, invitations, stored and archived
// messages. Accounts themselves are configuration, tokens are not kept.
type keeper struct {
	srv  *Server
	path string
	want chan struct{}
	mu   sync.Mutex // one save at a time
}

type savedState struct {
	Version  int                     `json:"version"`
	Accounts map[string]savedAccount `json:"accounts"` // by bare JID in lower case
}

type savedAccount struct {
	Roster  []savedItem     `json:"roster,omitempty"`
	Offline []storedMessage `json:"offline,omitempty"`
	Archive []*conversation `json:"archive,omitempty"`
}

type savedItem struct {
	JID    string   `json:"jid"`
	Name   string   `json:"name,omitempty"`
	Groups []string `json:"groups,omitempty"`
	State  subState `json:"state"`
	Listed bool     `json:"listed,omitempty"`
	Dead   bool     `json:"dead,omitempty"`
	Nick   string   `json:"nick,omitempty"`
	Text   string   `json:"text,omitempty"`
}

// openState reads the state file, if there is one, over what the configuration made.
func openState(s *Server, path string) (*keeper, error) {
	k := &keeper{srv: s, path: path, want: make(chan struct{}, 1)}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return k, nil
	}
	if err != nil {
		return nil, fmt.Errorf("state: %w", err)
	}
	var state savedState
	if err := json.Unmarshal(text, &state); err != nil {
		return nil, fmt.Errorf("state: %s is damaged: %w", path, err)
	}
	if state.Version != 1 {
		return nil, fmt.Errorf("state: %s has version %d, this program knows 1", path, state.Version)
	}
	for key, saved := range state.Accounts {
		if a := s.byBareJID(key); a != nil {
			a.load(saved)
		}
	}
	return k, nil
}

func (a *Account) load(saved savedAccount) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.roster, a.rosterOf = map[string]*item{}, nil
	for _, i := range saved.Roster {
		if _, ok := outbound[i.State]; !ok {
			continue
		}
		if made := a.item(i.JID); made != nil {
			*made = item{jid: i.JID, name: i.Name, groups: i.Groups, state: i.State, listed: i.Listed, dead: i.Dead, nick: i.Nick, text: i.Text}
		}
	}
	a.offline = saved.Offline
	a.archive = map[string]*conversation{}
	for _, c := range saved.Archive {
		a.archive[lower(c.With)] = c
	}
}

func (a *Account) saved() savedAccount {
	a.mu.Lock()
	defer a.mu.Unlock()
	var s savedAccount
	for _, key := range a.rosterOf {
		i := a.roster[key]
		s.Roster = append(s.Roster, savedItem{JID: i.jid, Name: i.name, Groups: i.groups, State: i.state, Listed: i.listed, Dead: i.dead, Nick: i.nick, Text: i.text})
	}
	s.Offline = append(s.Offline, a.offline...)
	for _, c := range a.archive {
		s.Archive = append(s.Archive, &conversation{With: c.With, Messages: append([]archivedEntry(nil), c.Messages...)})
	}
	return s
}

// changed notes that the state file is out of date.
func (s *Server) changed() {
	if s.keeper == nil {
		return
	}
	select {
	case s.keeper.want <- struct{}{}:
	default:
	}
}

// run saves a moment after changes until the server closes.
func (k *keeper) run() {
	for {
		select {
		case <-k.want:
		case <-k.srv.ctx.Done():
			return
		}
		select {
		case <-time.After(saveDelay):
		case <-k.srv.ctx.Done():
			return // Close saves
		}
		if err := k.save(); err != nil {
			k.srv.log.Error("cannot save the state", "err", err)
		}
	}
}

// save writes the file anew and puts it in place of the old one.
func (k *keeper) save() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	state := savedState{Version: 1, Accounts: map[string]savedAccount{}}
	for _, a := range k.srv.accounts() {
		state.Accounts[a.key] = a.saved()
	}
	text, err := json.Marshal(state)
	if err != nil {
		return fmt.Errorf("state: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(k.path), ".messengerd-state-*")
	if err != nil {
		return fmt.Errorf("state: %w", err)
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), k.path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("state: %w", err)
	}
	return nil
}
