package config

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"

	"go.mau.fi/util/configupgrade"
	"gopkg.in/yaml.v3"
)

// Upgrader carries the values of an older file over into the current example. The framework rewrites the user's file with the result, so a
// key that is not carried over would be lost: the list is therefore made from the example itself.
type Upgrader struct {
	// Wrong receives what is wrong with the keys of the user's file, before anything is rewritten.
	Wrong func(problems []*KeyError)
	// Generated is called with the secret key when one had to be made.
	Generated func(key string)
}

var _ configupgrade.Upgrader = Upgrader{}

// DoUpgrade implements configupgrade.Upgrader.
func (u Upgrader) DoUpgrade(helper configupgrade.Helper) {
	if node := helper.GetNode(); node != nil && u.Wrong != nil {
		if problems := CheckKeys(node.Node); len(problems) > 0 {
			u.Wrong(problems)
		}
	}
	for _, path := range leaves() {
		carry(helper.GetNode(path...), helper.GetBaseNode(path...))
	}
	if key, ok := helper.Get(configupgrade.Str, "secret_key"); !ok || key == KeyGenerate || key == "" {
		made := newSecret()
		helper.Set(configupgrade.Str, made, "secret_key")
		if u.Generated != nil {
			u.Generated(made)
		}
	}
}

// SpacedBlocks implements configupgrade.SpacedUpgrader: no blank lines are put in.
func (u Upgrader) SpacedBlocks() [][]string { return nil }

func newSecret() string {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // never fails since Go 1.24
	return hex.EncodeToString(raw)
}

// carry puts the user's value into the example, whatever its kind: a wrong one is refused later by name, while one that is dropped here would
// silently become the default. The comments stay the example's.
func carry(from, to *configupgrade.YAMLNode) {
	if from == nil {
		return
	}
	to.Kind, to.Tag, to.Value, to.Content, to.Style = from.Kind, from.Tag, from.Value, from.Content, from.Style
}

// leaves lists the paths of all keys that hold a value.
func leaves() [][]string {
	var found [][]string
	walk(exampleNode(), nil, func(path []string, _ *yaml.Node) { found = append(found, slices.Clone(path)) })
	return found
}

func exampleNode() *yaml.Node {
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(Example), &doc); err != nil {
		panic(fmt.Errorf("the built-in example configuration is broken: %w", err))
	}
	return doc.Content[0]
}

func walk(node *yaml.Node, path []string, leaf func(path []string, node *yaml.Node)) {
	if node.Kind != yaml.MappingNode {
		leaf(path, node)
		return
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		walk(node.Content[i+1], append(path, node.Content[i].Value), leaf)
	}
}

// CheckKeys reports the keys of a `network` section that do not exist, and those that are a section where a value belongs or the other
// way round, in the order of the file.
func CheckKeys(section *yaml.Node) []*KeyError {
	return checkKeys(section, exampleNode(), "network")
}

func checkKeys(have, want *yaml.Node, prefix string) []*KeyError {
	switch {
	case want.Kind == yaml.MappingNode && have.Tag == "!!null":
		return nil
	case want.Kind == yaml.MappingNode && have.Kind != yaml.MappingNode:
		return []*KeyError{{Path: prefix, Problem: "is a section: its keys belong on lines of their own below it"}}
	case want.Kind != yaml.MappingNode && have.Kind == yaml.MappingNode:
		return []*KeyError{{Path: prefix, Problem: "takes a value, not a section"}}
	case want.Kind != yaml.MappingNode:
		return nil
	}
	var problems []*KeyError
	for i := 0; i+1 < len(have.Content); i += 2 {
		path := prefix + "." + have.Content[i].Value
		if known := child(want, have.Content[i].Value); known != nil {
			problems = append(problems, checkKeys(have.Content[i+1], known, path)...)
		} else {
			problems = append(problems, &KeyError{Path: path, Problem: "there is no such key; correct its spelling or remove it"})
		}
	}
	return problems
}

func child(section *yaml.Node, name string) *yaml.Node {
	for i := 0; i+1 < len(section.Content); i += 2 {
		if section.Content[i].Value == name {
			return section.Content[i+1]
		}
	}
	return nil
}
