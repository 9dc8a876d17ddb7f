package database

import "testing"

func TestLatestIsTheNewestUpgrade(t *testing.T) {
	files, err := upgradeFiles.ReadDir("upgrades")
	if err != nil || len(files) != Latest {
		t.Errorf("there are %d upgrades (%v), and Latest is %d", len(files), err, Latest)
	}
}
