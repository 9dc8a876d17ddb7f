package bridge

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"matrix-messenger/bridge/config"
	"matrix-messenger/database"
)

func TestOnlyAStartThatARestartMayMendIsRepeated(t *testing.T) {
	unit, err := os.ReadFile("../deploy/matrix-messenger.service")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(unit), "\nRestartPreventExitStatus=")
	line, _, _ := strings.Cut(rest, "\n")
	for err, mended := range map[error]bool{
		&config.KeyError{Path: "network.secret_key", Problem: "must be set"}:  false,
		fmt.Errorf("database: %w", database.ErrTooNew):                        false,
		fmt.Errorf("network.secret_key: %w", database.ErrWrongKey):            false,
		fmt.Errorf("network.secret_key: %w", database.ErrWeakKey):             false,
		fmt.Errorf("database: %w", &database.NotOwnerError{Belongs: "other"}): false,
		database.ErrInUse:                true,
		errors.New("connection refused"): true,
	} {
		prevented := strings.Contains(" "+line+" ", fmt.Sprintf(" %d ", startStatus(err)))
		if prevented == mended {
			t.Errorf("after %v the unit starts it again: %v (status %d, %s)", err, !prevented, startStatus(err), line)
		}
	}
}
