//go:build !unix

package database

// lockFile claims nothing where there is no flock: see [Claim].
func lockFile(string) (holder, error) { return noHolder{}, nil }
