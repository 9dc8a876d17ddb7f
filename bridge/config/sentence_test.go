package config

import (
	"errors"
	"testing"
)

func TestAnErrorBecomesASentence(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{errors.New("the database cannot be read"), "The database cannot be read."},
		{errors.New("It is said already."), "It is said already."},
		{errors.New("élan"), "Élan."},
		{errors.New("gone."), "Gone."},
		{&KeyError{"network.domain", "is empty"}, "network.domain: is empty."},
		{errors.Join(&KeyError{"network.domain", "is empty"}, errors.New("and more")), "network.domain: is empty; and more."},
		{errors.New("homeserver.domain is wrong"), "homeserver.domain is wrong."},
	} {
		if got := Sentence(c.err); got != c.want {
			t.Errorf("%q became %q, want %q", c.err, got, c.want)
		}
	}
}
