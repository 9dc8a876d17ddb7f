package config

import (
	"errors"
	"fmt"
	"strings"

	"gopkg.in/yaml.v3"
)

// KeyError is a problem with one key of the file. Its message starts with the key's path.
type KeyError struct {
	Path    string // such as network.tls.names
	Problem string // a sentence that says what is wrong and what is expected
}

func (e *KeyError) Error() string { return e.Path + ": " + e.Problem }

func bad(key, format string, args ...any) error {
	return &KeyError{Path: "network." + key, Problem: fmt.Sprintf(format, args...)}
}

// UnmarshalYAML reads the section key by key, so that a value of the wrong type is reported with its path and not with a line number of
// a file that the framework has rewritten.
func (c *Config) UnmarshalYAML(section *yaml.Node) error {
	if problems := CheckKeys(section); len(problems) > 0 {
		return problems[0]
	}
	type plain Config
	var problems []error
	walk(section, nil, func(path []string, value *yaml.Node) {
		if err := nest(path, value).Decode((*plain)(c)); err != nil {
			problems = append(problems, bad(strings.Join(path, "."), "%s is not a valid value: %s", shown(path, value), expected(err)))
		}
	})
	return errors.Join(problems...)
}

func nest(path []string, value *yaml.Node) *yaml.Node {
	for i := len(path) - 1; i >= 0; i-- {
		value = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Content: []*yaml.Node{
			{Kind: yaml.ScalarNode, Tag: "!!str", Value: path[i]}, value,
		}}
	}
	return value
}

// shown is the value for a message; secrets are not shown.
func shown(path []string, value *yaml.Node) string {
	if strings.Contains(path[len(path)-1], "secret") {
		return "what stands there"
	}
	if value.Kind != yaml.ScalarNode {
		return "a list or section"
	}
	return fmt.Sprintf("%q", value.Value)
}

// expected says what should stand there. For our own type that is its error; the others are told apart by what the
// library says of them.
func expected(err error) string {
	if errors.Is(err, errSpan) {
		return errSpan.Error()
	}
	text := err.Error()
	for _, known := range []struct{ part, sentence string }{
		{"into bool", "expected true or false"},
		{"into int", "expected a whole number"},
		{"into []string", "expected a list such as [a, b]"},
		{"into string", "expected a text"},
	} {
		if strings.Contains(text, known.part) {
			return known.sentence
		}
	}
	return "it has the wrong form"
}
